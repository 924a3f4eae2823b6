"""The demo as people run it: every story ends as promised, no secret is left lying about, every part comes back."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from demo.play import Play, running, set_up
from demo.script import perform
from tests.journeys.people import ask, patiently, see_it_end

CODE = re.compile(r"^\s*(\d{3})[\s\u00a0\u202f-]?(\d{3})\s*$", re.MULTILINE)
TOKEN = re.compile(r"/t/([A-Za-z0-9_-]{43})")


@pytest.mark.timeout(300)
async def test_every_story_ends_as_promised_and_leaves_no_secret_behind(tmp_path: Path) -> None:
    stage = set_up(tmp_path / "demo", free_ports=True)
    async with running(stage, print, with_stations=True) as play:
        assert await perform(play, Console(width=160))
        secrets, codes = await everything_secret(play)
    assert len(secrets) > 30
    assert codes
    for place, content in places(stage.data, stage.logs):
        found = [kind for kind, secret in secrets if secret in content]
        found += ["a code" for code in codes if re.search(rb"(?<![0-9.])" + code + rb"(?![0-9])", content)]
        assert found == [], place
    # the search can find things: what is no secret is there
    searched = dict(places(stage.data, stage.logs))
    assert b"LILAS-1" in b"".join(content for place, content in searched.items() if place.startswith("handover.db"))
    assert b"lilas-1" in b"".join(content for place, content in searched.items() if place.startswith("temporal.db"))
    assert {"worker.log", "gateway.log", "api.log", "stations.log"} <= set(searched)


async def everything_secret(play: Play) -> tuple[list[tuple[str, bytes]], list[bytes]]:
    """Gather every key, token and code of a demo from those who may have them: people, chargers, the mailbox."""
    secrets = [("the server's key", play.stage.secret_key)]
    for key in play.seeded.keys.values():
        secrets += [("an API key", key), ("an API key's secret", key.split("_", 2)[2])]
    for point in play.seeded.charge_points:
        state = play.stage.state_file(point["identity"]).read_text()
        present = re.search(r'"password": ?"([^"]+)"', state)
        assert present
        secrets += [("a first password", point["password"]), ("a charger's password", present[1])]
    async with httpx.AsyncClient() as client:
        mails = [mail["text"] for mail in (await client.get(f"{play.stage.mailbox}/api/messages")).json()]
    secrets += [("a link's token", found) for mail in mails for found in TOKEN.findall(mail)]
    codes = [first + second for mail in mails for first, second in CODE.findall(mail)]
    return [(kind, secret.encode()) for kind, secret in secrets], [code.encode() for code in codes]


def places(data: Path, logs: Path) -> Iterator[tuple[str, bytes]]:
    """Give what is searched: logs, the database's files, Temporal's (histories, failures) with their journals."""
    for file in (*logs.iterdir(), *data.glob("handover.db*"), *data.glob("temporal.db*")):
        yield file.name, file.read_bytes()


@pytest.mark.timeout(400)
async def test_every_part_that_is_killed_comes_back(tmp_path: Path) -> None:
    stage = set_up(tmp_path / "demo", free_ports=True)
    async with running(stage, print, with_stations=True) as play:
        key = play.seeded.keys["amelie"]
        async with httpx.AsyncClient(
            base_url=stage.api, headers={"Authorization": f"Bearer {key}"}, timeout=60, transport=Patient()
        ) as amelie:
            for number, part in enumerate(("worker", "gateway", "api", "temporal", "mailbox", "stations"), start=1):
                os.kill(play.supervisor.pid(part), signal.SIGKILL)
                body = {"kind": "move_to_group", "group_id": "harbour"}
                transfer_id = await ask(amelie, f"lilas-{number}", body, key=f"after {part}")
                found = await see_it_end(amelie, transfer_id)
                assert found["state"] in {"completed", "completed_with_warnings"}, (part, found)
            assert (await patiently(lambda: amelie.get("/readyz"))).status_code == 200


class Patient(httpx.AsyncHTTPTransport):
    """Knocks again where nobody opens: a part that is being started again."""

    def __init__(self) -> None:
        super().__init__(retries=8)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            return httpx.Response(503, headers={"Retry-After": "1"}, request=request)
