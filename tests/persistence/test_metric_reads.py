"""The figures are what a count of everything would give, though not everything is counted each time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from persistence.session import Database
from persistence.tables import ChargePoint, Group, Transfer, TransferStep, User
from persistence.views import metrics
from persistence.views.ended_transfers import EndedTransfers
from persistence.views.metrics import MetricReads

NOW = datetime.now(UTC)
Add = Callable[..., Awaitable[None]]


@pytest.fixture
async def add(database: Database) -> Add:
    """What writes a transfer of a charge point of its own."""
    async with database.writing() as rows:
        rows.add(User(id="ada", name="Ada", locale="en", status="active", created_at=NOW))
        await rows.flush()
        rows.add(Group(id="north", name="North"))

    async def add_transfer(name: str, state: str, *, step: datetime | None = None, **more: Any) -> None:
        point = ChargePoint(id=f"cp_{name}", identity=name, name=name, owner_id="ada", group_id="north", version=0,
                            ocpp="1.6")  # fmt: skip
        row = Transfer(
            id=name, kind="transfer_to_user", state=state, attention="", warnings=[], charge_point_id=f"cp_{name}",
            active=more.get("finished_at") is None, connection="keep", acceptance="required", running_session="wait",
            if_offline="complete", from_group_id="north", from_owner_id="ada", asked_over_owner=False,
            requested_by="ada", from_version=0, **({"requested_at": NOW - timedelta(days=9)} | more),
        )  # fmt: skip
        async with database.writing() as rows:
            rows.add(point)
            await rows.flush()
            rows.add(row)
            await rows.flush()
            if step is not None:
                rows.add(
                    TransferStep(
                        transfer_id=name, name="reserve", position=3, state="done", attempts=1, started_at=step
                    )
                )

    return add_transfer


async def test_ends_are_counted_once_however_often_and_late_it_is_asked(database: Database, add: Add) -> None:
    ended = EndedTransfers()

    async def count(minutes: int) -> dict[str, int]:
        async with database.reading() as rows:
            return await ended.count(rows, NOW + timedelta(minutes=minutes))

    await add("t1", "completed", finished_at=NOW - timedelta(days=1))
    await add("t2", "declined", finished_at=NOW - timedelta(minutes=1))
    await add("t3", "transferring")
    assert await count(0) == {"completed": 1, "declined": 1}
    await add("t4", "completed", finished_at=NOW + timedelta(minutes=5))
    for minutes in (6, 30, 31, 90):
        assert await count(minutes) == {"completed": 2, "declined": 1}
    await add("t5", "expired", finished_at=NOW + timedelta(minutes=82))  # written late
    assert await count(91) == await count(200) == {"completed": 2, "declined": 1, "expired": 1}


async def test_the_slowest_step_may_be_that_of_a_transfer_that_was_asked_for_later(
    database: Database, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.views.metrics._FIRST", 1)
    for days, step in ((9, 1), (8, 6), (7, 2)):
        at = NOW - timedelta(days=days)
        await add(f"t{days}", "reconfiguring", requested_at=at, step=NOW - timedelta(days=step))
    waiting = (await MetricReads(database).read()).waiting[""]
    assert (waiting.number, waiting.age.days, waiting.step_age.days) == (3, 9, 6)


async def test_keys_that_take_long_to_count_hold_up_no_other_figure(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = asyncio.Event()

    async def count(*_: object) -> dict[bool, int]:
        await counted.wait()
        return {False: 7}

    monkeypatch.setattr(metrics, "known_keys", count)
    monkeypatch.setattr(metrics, "_SOON", 0.1)
    reads = MetricReads(database)
    async with asyncio.timeout(20):
        assert (await reads.read()).known_keys == {}
        counted.set()
        while (await reads.read()).known_keys != {False: 7}:
            pass
