"""The verbs that set up, as people call them: real processes."""

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from commands.installation import _lines_of
from domain.reconciliation import Finding
from persistence.importing.import_lines import ChargePointLine, GroupLine, MembershipLine, TagLine, UserLine
from persistence.session import Database
from persistence.transfers import findings

ROOT = Path(__file__).resolve().parents[2]
SECRET = "0123456789abcdef0123456789abcdef-test"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    settings = {
        "HANDOVER_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'data' / 'handover.db'}",
        "HANDOVER_SECRET_KEYS": SECRET,
        "TERM": "dumb",
    }
    return {**os.environ, **settings}


def handover(environ: dict[str, str], *arguments: str, cwd: Path = ROOT) -> tuple[int, str, str]:
    done = subprocess.run(
        [ROOT / "handover", *arguments], env=environ, capture_output=True, text=True, check=False, cwd=cwd
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def test_help_names_every_verb(environ: dict[str, str]) -> None:
    code, out, _ = handover(environ, "--help")
    assert code == 0
    assert all(verb in out for verb in ("import", "keys", "migrate", "models", "new-secret-key"))
    assert all(verb in handover(environ, "keys", "--help")[1] for verb in ("create", "list", "revoke"))


def test_an_import_from_anywhere_then_a_key_that_opens_nothing_once_revoked(
    environ: dict[str, str], tmp_path: Path
) -> None:
    assert handover(environ, "migrate", "--no-search-attributes")[0] == 0
    code, out, _ = handover(environ, "import", str(ROOT / "tools" / "demo" / "data.jsonl"), cwd=tmp_path)
    assert (code, out.startswith("new: 8 users, 10 groups")) == (0, True)
    code, key, _ = handover(environ, "keys", "create", "amelie", "--scope", "operator")
    found = re.fullmatch(r"hk_([a-z0-9]{12})_[A-Za-z0-9_-]{43}\n", key)
    assert found
    listed = handover(environ, "keys", "list")[1]
    assert found[1] in listed
    assert key.strip() not in listed
    assert handover(environ, "findings")[:2] == (0, "Nothing is parked: register, workflows and keys agree.\n")
    assert handover(environ, "models")[:2] == (0, "No charger was told anything yet.\n")
    assert handover(environ, "keys", "revoke", found[1]) == (0, f"Key {found[1]} is revoked.\n", "")


def test_the_example_of_the_docs_is_taken_and_every_field_of_every_line_is_described(
    environ: dict[str, str], tmp_path: Path
) -> None:
    section = (ROOT / "docs" / "operations.md").read_text().partition("\n## Taking data in\n")[2].partition("\n## ")[0]
    example = re.search(r"^```json\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert example
    (tmp_path / "example.jsonl").write_text(example[1])
    handover(environ, "migrate", "--no-search-attributes")
    code, out, err = handover(environ, "import", str(tmp_path / "example.jsonl"))
    assert (code, err) == (0, "")
    assert "1 charge point" in out

    described: dict[str, set[str]] = {}
    kind = ""
    for named, name in re.findall(r"^\| (?:`(\w+)`)? ?\| `(\w+)` \|", section, re.MULTILINE):
        kind = named or kind
        described.setdefault(kind, set()).add(name)
    shapes = (UserLine, GroupLine, MembershipLine, TagLine, ChargePointLine)
    assert described == {
        str(get_args(shape.model_fields["type"].annotation)[0]): set(shape.model_fields) - {"type"} for shape in shapes
    }


async def test_what_is_parked_comes_with_where_to_read_what_to_do(environ: dict[str, str]) -> None:
    handover(environ, "migrate", "--no-search-attributes")
    db = Database(environ["HANDOVER_DATABASE_URL"])
    where = re.search(r"docs/operations.md, “(.*)”", (ROOT / "commands" / "installation.py").read_text())
    assert where
    assert f"\n## {where[1]}\n" in (ROOT / "docs" / "operations.md").read_text()
    async with db.writing() as rows:
        await findings.note_parked(rows, Finding.FORMER_OWNERS_KEY, "cp-1", datetime.now(UTC))
    assert where[0] in handover(environ, "findings")[1]
    async with db.writing() as rows:
        await findings.close(rows, [], datetime.now(UTC))
    await db.close()
    code, out, _ = handover(environ, "findings", "--all")
    assert (code, "cp-1" in out, where[0] in out) == (0, True, False)


def test_lines_may_end_as_on_any_system(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    for content in (b"a\nb\r\nc\rd\n\n\r\r\ne", b"", b"\n", b"a\r", b"a\x0bb\xc2\x85c"):
        file.write_bytes(content)
        assert list(_lines_of(file)) == content.splitlines()


def test_a_wrong_line_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    handover(environ, "migrate", "--no-search-attributes")
    lines = (ROOT / "tools" / "demo" / "data.jsonl").read_text().splitlines()
    lines[6] = lines[6].replace('"name"', '"nmae"')
    file = tmp_path / "wrong.jsonl"
    file.write_text("\n".join(lines))
    code, out, err = handover(environ, "import", str(file))
    assert (code, out) == (1, "")
    assert f"{file}: nothing was taken.\nline 7: " in err


@pytest.mark.parametrize(
    ("settings", "arguments", "says"),
    [
        ({}, ["keys", "list"], "run `./handover migrate` of the newest first"),
        ({"HANDOVER_SECRET_KEYS": ""}, ["import", "tools/demo/data.jsonl"], "HANDOVER_SECRET_KEYS is not set"),
        ({"HANDOVER_SECRET_KEYS": "short"}, ["import", "tools/demo/data.jsonl"], "32 characters or more"),
        ({"HANDOVER_API_PORT": "many"}, ["keys", "list"], "HANDOVER_API_PORT"),
        ({"HANDOVER_TEMPORAL_ADDRESS": "127.0.0.1:1"}, ["migrate"], "Temporal at 127.0.0.1:1 can't be set up"),
        ({}, ["import", "no-such-file"], "no-such-file"),
        ({}, ["import"], "FILE"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(
    environ: dict[str, str], settings: dict[str, str], arguments: list[str], says: str
) -> None:
    code, _, err = handover(environ | settings, *arguments)
    assert code in {1, 2}
    assert says in err


def test_a_new_secret_key_is_long_enough_and_new(environ: dict[str, str]) -> None:
    first, second = (handover(environ, "new-secret-key")[1].strip() for _ in range(2))
    assert len(first) >= 32
    assert first != second


async def test_migrating_registers_the_search_attributes_once(environ: dict[str, str], temporal_address: str) -> None:
    settings = environ | {"HANDOVER_TEMPORAL_ADDRESS": temporal_address}
    assert handover(settings, "migrate")[0] == 0
    assert "(0 new)" in handover(settings, "migrate")[1]
