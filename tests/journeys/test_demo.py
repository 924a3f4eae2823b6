"""The demo as people run it: every story ends as promised, no secret is left lying about, every part comes back."""

import os
import signal
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from tests.journeys.people import ask, patiently, see_it_end
from tests.journeys.searches import check_no_secret_is_left
from tools.demo.play import running, set_up
from tools.demo.script import perform
from tools.stage import plain_http


@pytest.mark.timeout(300)
async def test_every_story_ends_as_promised_and_leaves_no_secret_behind(tmp_path: Path) -> None:
    stage = set_up(tmp_path / "demo", free_ports=True)
    async with running(stage, print, with_stations=True) as play:
        assert await perform(play, Console(width=160))
        secrets = await check_no_secret_is_left(stage, play.db, play.seeded.keys, play.seeded.charge_points)
    assert len(secrets.texts) > 30
    assert secrets.codes


@pytest.mark.timeout(400)
async def test_every_part_that_is_killed_comes_back(tmp_path: Path) -> None:
    stage = set_up(tmp_path / "demo", free_ports=True)
    async with running(stage, print, with_stations=True) as play:
        key = play.seeded.keys["amelie"]
        async with plain_http.client(
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
