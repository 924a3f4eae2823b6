"""docs/api.md, followed command by command in a real shell on a running system: what comes is what the page shows."""

import asyncio
import json
import os
import re
from enum import StrEnum
from pathlib import Path

import pytest

from api.bodies import MoveToGroup, TransferOwnership, TransferToUser
from api.problems import PROBLEMS
from domain.transfer import Reason, TransferWarning
from tests.conftest import ROOT
from tests.journeys.pages import Act, acts, differences, events, values
from tests.journeys.system import running
from tools.demo.seed import FILE

PAGE = ROOT / "docs" / "api.md"
END = "==== the end of act {} ===="


@pytest.mark.timeout(600)
async def test_the_page_is_followed_and_shows_what_comes(tmp_path: Path, sqlite_url: str) -> None:
    lines = [json.loads(line) for line in FILE.read_text().splitlines()]
    page = acts(PAGE)
    script = "set -eu\n" + "\n".join(f"{act.commands}\necho\necho '{END.format(n)}'" for n, act in enumerate(page))
    async with running(tmp_path / "system", sqlite_url, lines) as system:
        settings = {"HANDOVER_DATABASE_URL": system.stage.url, "HANDOVER_API_URL": system.stage.api}
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = (part.decode() for part in await asyncio.wait_for(shell.communicate(), 300))
        finally:
            if shell.returncode is None:
                shell.kill()
    assert (shell.returncode, err) == (0, ""), out[-3000:] + err

    wrong = []
    for number, act in enumerate(page):
        came, _, out = out.partition(END.format(number))
        if found := list(differences(_shown(act), _read(act, came))):
            wrong += [act.commands, *found, came]
    assert not wrong, "\n".join(wrong)


def _shown(act: Act) -> list[object]:
    return [one for kind, text in act.shown for one in (events(text) if kind == "sse" else values(text))]


def _read(act: Act, came: str) -> list[object]:
    return events(came) if any(kind == "sse" for kind, _ in act.shown) else values(came)


@pytest.mark.parametrize("values", [Reason, TransferWarning], ids=["reason", "warnings"])
def test_every_reason_and_every_warning_is_in_the_page_and_no_other(values: type[StrEnum]) -> None:
    name = {Reason: "reason", TransferWarning: "warnings"}[values]
    table = PAGE.read_text().partition(f"| `{name}` | meaning |")[2].partition("\n\n")[0]
    told = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert sorted(set(told) - {"code"}) == sorted(value.value for value in values)


def test_every_field_of_a_start_is_in_the_page() -> None:
    table = PAGE.read_text().partition("| field | values | meaning |")[2].partition("\n\n")[0]
    told = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    fields = {name for shape in (MoveToGroup, TransferOwnership, TransferToUser) for name in shape.model_fields}
    assert told == fields - {"kind", "group_id", "user_id", "recipient"}


def test_every_error_is_in_the_page_under_its_status() -> None:
    table = PAGE.read_text().partition("| status | `code` |")[2]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| ")]
    told = {code: int(status) for status, codes in rows for code in codes.replace("`", "").replace(" ", "").split(",")}

    assert told == {code.value: status for code, (status, _) in PROBLEMS.items()}
