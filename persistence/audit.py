"""Appends to a transfer's audit trail: a sequence from 1 without gaps, in the order of the commits."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import TransferId
from persistence.tables import AuditCounter, AuditEvent


def told_of(subject: str) -> str:
    """Give what marks the entry that the parties were told of something (`once`)."""
    return f"told:{subject}"


async def append(
    session: AsyncSession,
    transfer_id: TransferId,
    *,
    actor: str,
    action: str,
    detail: dict[str, Any] | None = None,
    once: str | None = None,
) -> bool:
    """Write one entry, and say whether it is new; with `once`, a repeat of the same text for this transfer is not.

    `actor` is `user:<id>`, `operator:<id>`, `link:<id>`, `system` or `temporal-ui`. `detail` holds ids and words,
    never an address or a key. Holds the transfer's counter until the transaction ends.
    """
    if once is not None:
        # the counter first: a twin that runs at the same time waits here, and then sees our entry
        await _raise_counter(session, transfer_id, by=0)
        seen = select(AuditEvent.sequence).where(AuditEvent.transfer_id == transfer_id, AuditEvent.once == once)
        if (await session.execute(seen)).first() is not None:
            return False
    sequence = await _raise_counter(session, transfer_id, by=1)
    session.add(
        AuditEvent(
            transfer_id=transfer_id,
            sequence=sequence,
            at=datetime.now(UTC),
            actor=actor,
            action=action,
            detail=detail or {},
            once=once,
        )
    )
    await session.flush()
    return True


async def _raise_counter(session: AsyncSession, transfer_id: TransferId, *, by: int) -> int:
    """Lock the transfer's counter, raise it, and give its new value."""
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    statement = (
        insert(AuditCounter)
        .values(transfer_id=transfer_id, last=by)
        .on_conflict_do_update(index_elements=["transfer_id"], set_={"last": AuditCounter.last + by})
        .returning(AuditCounter.last)
    )
    return (await session.execute(statement)).scalar_one()


async def action_of(session: AsyncSession, transfer_id: TransferId, once: str) -> str | None:
    """Give the action of the entry that `once` stands for; None where there is none yet."""
    query = select(AuditEvent.action).where(AuditEvent.transfer_id == transfer_id, AuditEvent.once == once)
    return (await session.execute(query)).scalar_one_or_none()


async def count(session: AsyncSession, transfer_id: TransferId, action: str) -> int:
    """Count a transfer's entries of one action. Only reads."""
    query = select(func.count()).where(AuditEvent.transfer_id == transfer_id, AuditEvent.action == action)
    return (await session.execute(query)).scalar_one()


async def once_only(session: AsyncSession, transfer_id: TransferId) -> list[tuple[str, str]]:
    """List what the entries that are written once stand for, each with its action, in their order."""
    query = select(AuditEvent.once, AuditEvent.action).where(
        AuditEvent.transfer_id == transfer_id, AuditEvent.once.is_not(None)
    )
    return [(once, action) for once, action in await session.execute(query.order_by(AuditEvent.sequence)) if once]
