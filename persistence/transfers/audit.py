"""Appends to audit trails, each a sequence from 1 in the order of commits, no number left out; forgets places."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.ids import OrderId
from domain.trail import TrailAction, TrailSubject, tells_place, without_places
from persistence.inserts import insert_into
from persistence.tables import AuditCounter, AuditEvent


async def append(
    rows: AsyncSession,
    subject: TrailSubject,
    *,
    actor: Actor,
    action: TrailAction,
    detail: dict[str, Any] | None = None,
    order_id: OrderId | None = None,
    once: str | None = None,
) -> bool:
    """Write one entry of `subject`'s trail, and say whether it is new; with `once` (domain.trail), a repeat is not.

    `detail` is what domain.trail says of the action: ids and words, never a key, and where somebody is only under its
    PLACES; what somebody typed stands with the order `order_id`. Holds the trail's counter until the transaction ends.
    """
    # the counter first: a twin that runs at the same time waits here, and then finds our entry
    sequence = await _raise_counter(rows, subject, by=1)
    entry = (
        insert_into(rows, AuditEvent)
        .values(
            subject=subject,
            sequence=sequence,
            at=datetime.now(UTC),
            actor=actor,
            action=action.value,
            detail=detail or {},
            tells_place=tells_place(detail or {}),
            order_id=order_id,
            once=once,
        )
        .on_conflict_do_nothing(index_elements=[AuditEvent.subject, AuditEvent.once])
        .returning(AuditEvent.sequence)
    )
    if (await rows.execute(entry)).first() is not None:
        return True
    await _raise_counter(rows, subject, by=-1)
    return False


async def _raise_counter(rows: AsyncSession, subject: TrailSubject, *, by: int) -> int:
    """Lock the trail's counter, raise it, and give its new value."""
    statement = (
        insert_into(rows, AuditCounter)
        .values(subject=subject, last=by)
        .on_conflict_do_update(index_elements=["subject"], set_={"last": AuditCounter.last + by})
        .returning(AuditCounter.last)
    )
    return (await rows.execute(statement)).scalar_one()


async def action_of(rows: AsyncSession, subject: TrailSubject, once: str) -> TrailAction | None:
    """Give the action of the entry that `once` stands for; None where there is none yet."""
    query = select(AuditEvent.action).where(AuditEvent.subject == subject, AuditEvent.once == once)
    found = (await rows.execute(query)).scalar_one_or_none()
    return None if found is None else TrailAction(found)


async def detail_of(rows: AsyncSession, subject: TrailSubject, once: str) -> dict[str, Any]:
    """Give the detail of the entry that `once` stands for; empty where there is none yet."""
    query = select(AuditEvent.detail).where(AuditEvent.subject == subject, AuditEvent.once == once)
    return (await rows.execute(query)).scalar_one_or_none() or {}


async def count(rows: AsyncSession, subject: TrailSubject, action: TrailAction) -> int:
    """Count a trail's entries of one action. Only reads."""
    query = select(func.count()).where(AuditEvent.subject == subject, AuditEvent.action == action.value)
    return (await rows.execute(query)).scalar_one()


async def once_only(rows: AsyncSession, subject: TrailSubject) -> list[tuple[str, TrailAction]]:
    """List what the entries that are written once stand for, each with its action, in their order."""
    query = select(AuditEvent.once, AuditEvent.action).where(
        AuditEvent.subject == subject, AuditEvent.once.is_not(None)
    )
    found = await rows.execute(query.order_by(AuditEvent.sequence))
    return [(once, TrailAction(action)) for once, action in found if once]


async def forget_places(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Take out of entries that are older what tells where somebody is, the oldest first; give of how many.

    `limit` of them at most, and none that somebody else is at.
    """
    kept_too_long = select(AuditEvent).where(AuditEvent.tells_place, AuditEvent.at < before)
    wanted = kept_too_long.order_by(AuditEvent.at).limit(limit).with_for_update(skip_locked=True, of=AuditEvent)
    entries = (await rows.scalars(wanted)).all()
    for entry in entries:
        entry.detail, entry.tells_place = without_places(entry.detail), False
    await rows.flush()
    return len(entries)
