"""What an audit trail does not keep for ever: from where somebody connected."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from domain.actors import SYSTEM
from domain.ids import ChargePointId, TransferId
from domain.trail import TrailAction, TrailSubject, of_charge_point
from persistence.session import Database
from persistence.tables import AuditEvent
from persistence.transfers import audit
from tests.persistence.unguarded import unguarded

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TRAIL = of_charge_point(ChargePointId("cp-1"))


async def say(database: Database, age: timedelta, subject: TrailSubject = TRAIL, **detail: Any) -> None:
    async with database.writing() as rows:
        await audit.append(rows, subject, actor=SYSTEM, action=TrailAction.KEY_SENT, detail=detail)
    async with unguarded(database) as rows:
        newest = select(AuditEvent.sequence).where(AuditEvent.subject == subject).order_by(AuditEvent.sequence.desc())
        sequence = (await rows.scalars(newest.limit(1))).one()
        this = (AuditEvent.subject == subject, AuditEvent.sequence == sequence)
        await rows.execute(update(AuditEvent).where(*this).values(at=NOW - age))


async def forget(database: Database, limit: int = 100) -> int:
    async with database.writing() as rows:
        return await audit.forget_places(rows, NOW - timedelta(days=90), limit)


async def details(database: Database) -> list[dict[str, Any]]:
    async with database.reading() as rows:
        wanted = select(AuditEvent.detail).order_by(AuditEvent.subject, AuditEvent.sequence)
        return list(await rows.scalars(wanted))


async def test_older_entries_lose_where_somebody_was_and_nothing_else(database: Database) -> None:
    await say(database, timedelta(days=91), purpose="transfer", address="203.0.113.9", nested={"imsi": "26", "n": 1})
    await say(database, timedelta(days=89), purpose="transfer", address="203.0.113.9")
    await say(database, timedelta(days=91), purpose="transfer")
    await say(database, timedelta(days=91), TransferId("trf_1"), iccid="89", step="x")

    assert await forget(database) == 2
    assert await details(database) == [
        {"purpose": "transfer", "nested": {"n": 1}},
        {"purpose": "transfer", "address": "203.0.113.9"},
        {"purpose": "transfer"},
        {"step": "x"},
    ]
    assert await forget(database) == 0


async def test_entries_are_counted_of_one_trail_and_one_action(database: Database) -> None:
    for subject in (TransferId("trf_1"), TransferId("trf_2")):
        for action in (TrailAction.TAKEN_UP, TrailAction.TAKEN_UP, TrailAction.PARKED):
            async with database.writing() as rows:
                await audit.append(rows, subject, actor=SYSTEM, action=action)
    async with database.reading() as rows:
        assert await audit.count(rows, TransferId("trf_1"), TrailAction.TAKEN_UP) == 2


async def test_so_many_at_once_the_oldest_first(database: Database) -> None:
    for days in (91, 93, 92):
        await say(database, timedelta(days=days), address="203.0.113.9", days=days)

    assert await forget(database, 2) == 2
    assert [detail["days"] for detail in await details(database) if "address" in detail] == [91]
    assert await forget(database, 2) == 1
