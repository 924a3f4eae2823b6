"""What is told, and what is logged, when a part is away or broken."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.middleware import LastResort
from api.routes import health
from persistence.session import Database
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import add_link, add_transfer, bearer, check, open_link

START = "/v1/charge-points/cp-1/transfers"
TO_USER = {"kind": "transfer_to_user", "recipient": "rita@example.com"}


class Surprise(Engine):
    """An engine with a bug."""

    async def step_attempts(self, transfer_id: Any) -> Any:
        raise ZeroDivisionError("secret of the inside")

    async def send_code(self, link_id: Any, number: int) -> None:
        raise ZeroDivisionError("secret of the inside")


async def test_with_the_database_away_every_call_says_when_to_retry(
    tmp_path: Path, vault: Vault, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    away = Database(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/handover.db")
    app = create_app(away, vault, engine)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://handover.test") as http:
        for call in (
            http.get("/v1/me", headers=bearer("olga")),
            http.post(START, json=TO_USER, headers=bearer("olga")),
        ):
            answer = await call
            assert "try again" in check(answer, 503, "unavailable")
            assert answer.headers["retry-after"] == "5"
        page = await http.get("/t/some-token")
        ready = await http.get("/readyz")
        alive = await http.get("/healthz")
    await away.close()

    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert "try again in a minute" in page.text
    assert ready.status_code == 503
    assert alive.status_code == 200
    assert "unavailable" in caplog.text


async def test_what_fails_outside_a_call_is_answered_to_nobody() -> None:
    async def fails(*_: Any) -> None:
        raise RuntimeError("no start")

    def answer(_: Any) -> Any:
        raise AssertionError("nobody called")

    receive: Any = None
    with pytest.raises(RuntimeError, match="no start"):
        await LastResort(fails, answer)({"type": "lifespan"}, receive, receive)


async def test_an_error_nobody_foresaw_is_answered_without_a_trace_and_logged_with_one(
    app: FastAPI, database: Database, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    await add_transfer(database)
    path = await add_link(database)
    buggy = create_app(database, vault, Surprise(database))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(buggy), base_url="http://handover.test") as http:
        answer = await http.get("/v1/transfers/trf_1", headers=bearer("olga"))
        page = await http.post(f"{await open_link(http, path)}/code")

    check(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-store"
    assert "secret of the inside" not in answer.text + page.text
    assert caplog.text.count("ZeroDivisionError: secret of the inside") == 2
    assert "Traceback" in caplog.text
    assert path.removeprefix("/t/") not in caplog.text


async def test_a_body_sealed_with_a_lost_key_is_our_trouble_and_not_told(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    engine.worker_answers = False
    await http.post(START, json=TO_USER, headers=bearer("olga"))
    other = create_app(database, Vault(["another-key-of-thirty-two-characters"]), engine)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://handover.test") as stranger:
        answer = await stranger.get("/v1/transfers", headers=bearer("olga"))

    assert "HANDOVER_SECRET_KEYS" not in check(answer, 503, "unavailable")


async def test_ready_means_database_migrated_and_engine_alive(http: httpx.AsyncClient, engine: Engine) -> None:
    ready = await http.get("/readyz")
    engine.alive = False
    not_ready = await http.get("/readyz")

    assert (ready.status_code, ready.json()) == (200, {"database": True, "migrated": True, "temporal": True})
    assert check(not_ready, 503, "unavailable") == "Not ready: temporal."
    assert not_ready.json()["checks"] == {"database": True, "migrated": True, "temporal": False}


async def test_a_database_that_is_not_migrated_is_not_ready(tmp_path: Path, vault: Vault, engine: Engine) -> None:
    bare = Database(f"sqlite+aiosqlite:///{tmp_path}/bare.db")
    app = create_app(bare, vault, engine)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://handover.test") as http:
        answer = await http.get("/readyz")
    await bare.close()

    assert answer.json()["checks"] == {"database": True, "migrated": False, "temporal": True}


async def test_whether_it_is_ready_is_answered_while_every_connection_is_taken(
    database: Database, vault: Vault, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_PATIENCE", 0.2)
    narrow = Database(database.engine.url.render_as_string(hide_password=False), pool_size=1)
    app = create_app(narrow, vault, engine)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://handover.test") as http:
        async with narrow.reading():
            answer = await asyncio.wait_for(http.get("/readyz"), 20)
        afterwards = await http.get("/readyz")
    await narrow.close()

    assert answer.json()["checks"] == {"database": False, "migrated": False, "temporal": True}
    assert afterwards.status_code == 200


async def test_whether_it_is_ready_is_answered_before_a_silent_connection_is_given_up(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up, over = asyncio.Event(), asyncio.Event()

    async def fits(_: Database) -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            await given_up.wait()
            over.set()
        return True

    monkeypatch.setattr(health, "_PATIENCE", 0.2)
    monkeypatch.setattr(health, "fits", fits)
    answer = await asyncio.wait_for(http.get("/readyz"), 20)
    given_up.set()
    await asyncio.wait_for(over.wait(), 20)

    assert answer.json()["checks"] == {"database": False, "migrated": False, "temporal": True}
