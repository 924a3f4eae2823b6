"""What was found: mended or parked by the reconciler, and since when; or seen at the chargers' sockets."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.reconciliation import NEWS, ROUTINE
from domain.reconciliation import Finding as Kind
from persistence.tables import Finding


async def note_mended(rows: AsyncSession, kind: Kind, subject: str, now: datetime) -> None:
    """Write that something was found and mended; what happens in ordinary life is not kept."""
    if kind not in ROUTINE:
        row = await _row(rows, kind, subject, now)
        row.settlement, row.settled_at = "mended", now


async def note_seen(rows: AsyncSession, kind: Kind, subject: str, now: datetime, *, since: datetime) -> bool:
    """Write that something was seen, which nobody has to settle; whether it is the first time since then."""
    seen = await rows.get(Finding, (kind.value, subject), with_for_update=True)
    first = seen is None or seen.found_at < since
    row = await _row(rows, kind, subject, now)
    row.settlement, row.settled_at = "seen", now
    return first


async def note_parked(rows: AsyncSession, kind: Kind, subject: str, now: datetime) -> bool:
    """Write that something was found and parked; whether it is news."""
    row = await rows.get(Finding, (kind.value, subject), with_for_update=True)
    if row is not None and row.settled_at is None:
        return False
    row = await _row(rows, kind, subject, now)
    row.settlement, row.settled_at = "parked", None
    return True


async def hold_parked(rows: AsyncSession, kind: Kind, subject: str) -> bool:
    """Whether something is parked, and stays as it is until the transaction ends."""
    row = await rows.get(Finding, (kind.value, subject), with_for_update=True, populate_existing=True)
    return row is not None and row.settled_at is None


async def settle(rows: AsyncSession, kind: Kind, subject: str, now: datetime) -> None:
    """Close what was parked: somebody has settled it."""
    row = await rows.get(Finding, (kind.value, subject), with_for_update=True)
    if row is not None and row.settled_at is None:
        row.settled_at = now


async def _row(rows: AsyncSession, kind: Kind, subject: str, now: datetime) -> Finding:
    row = await rows.get(Finding, (kind.value, subject), with_for_update=True)
    if row is None:
        row = Finding(kind=kind.value, subject=subject, settlement="", times=0, found_at=now, settled_at=None)
        rows.add(row)
    row.times, row.found_at = row.times + 1, now
    return row


async def parked(rows: AsyncSession) -> list[Finding]:
    """List what is parked, the oldest first. Only reads."""
    query = select(Finding).where(Finding.settled_at.is_(None)).order_by(Finding.found_at)
    return list(await rows.scalars(query))


async def every(rows: AsyncSession) -> list[Finding]:
    """List everything that was found, the latest first. Only reads."""
    return list(await rows.scalars(select(Finding).order_by(Finding.found_at.desc())))


async def close(rows: AsyncSession, still: Collection[tuple[Kind, str]], now: datetime) -> None:
    """Close what was parked and is not found any more."""
    for row in await parked(rows):
        if row.kind not in set(Kind):  # a newer release's, which looks for it itself
            continue
        if Kind(row.kind) not in NEWS and (Kind(row.kind), row.subject) not in still:
            row.settled_at = now
