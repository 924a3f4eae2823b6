"""Where too many transfers run, a start is refused before anything is written, and nothing else is."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from domain.errors import Unavailable
from persistence.intake.load import Load
from persistence.session import Database
from persistence.tables import Request
from tests.api.engine import Engine
from tests.api.world import add_transfer, bearer

START = "/v1/charge-points/cp-1/transfers"


async def admitted(load: Load, tries: int = 10) -> int:
    answers = await asyncio.gather(*(load.admit() for _ in range(tries)), return_exceptions=True)
    assert all(answer is None or isinstance(answer, Unavailable) for answer in answers)
    return sum(answer is None for answer in answers)


async def how_many_requests(database: Database) -> int:
    async with database.reading() as rows:
        return (await rows.execute(select(func.count()).select_from(Request))).scalar_one()


async def test_so_many_begin_at_once_and_no_more(database: Database) -> None:
    assert await admitted(Load(database, 4)) == 4
    assert await admitted(Load(database, 0)) == 10, "no limit"


@pytest.mark.parametrize(
    ("transfer", "counts"),
    [
        ({"state": "transferring", "attention": ""}, True),
        ({"state": "reconfiguring", "attention": ""}, True),
        ({"state": "awaiting_acceptance", "attention": "recipient"}, False),
        ({"state": "reconfiguring", "attention": "charger_offline"}, False),
        ({"state": "completed", "attention": ""}, False),
    ],
)
async def test_what_runs_and_waits_for_nobody_counts(
    database: Database, http: httpx.AsyncClient, transfer: dict[str, Any], counts: bool
) -> None:
    await add_transfer(database, **transfer)
    assert await admitted(Load(database, 2)) == (1 if counts else 2)


async def test_a_start_too_many_is_refused_before_anything_is_written_and_a_repeat_never_is(
    http: httpx.AsyncClient, database: Database, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.intake.load._GOOD_FOR", 600.0)  # however busy this machine is
    body = {"kind": "move_to_group", "group_id": "g-2"}
    backend = http._transport.app.state.backend  # type: ignore[attr-defined]
    backend.load = Load(database, 1)
    first = await http.post(START, json=body, headers=bearer("olga") | {"Idempotency-Key": "1"})
    written = await how_many_requests(database)
    refused = await http.post(START, json=body, headers=bearer("olga") | {"Idempotency-Key": "2"})
    again = await http.post(START, json=body, headers=bearer("olga") | {"Idempotency-Key": "1"})
    assert refused.status_code == 503
    assert refused.json()["code"] == "unavailable"
    assert "nothing was written" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) > 0
    assert await how_many_requests(database) == written
    assert again.status_code == first.status_code
    assert (await http.get("/v1/transfers", headers=bearer("olga"))).status_code == 200
