"""The connections that chargers had, by our clock: when each was opened, released from quarantine, and over.

Every function works in the caller's transaction and leaves the commit to it.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.charger_clock import ClockShown
from domain.charging import Presence
from domain.ids import ChargePointId, NodeId
from persistence.tables import ChargerConnection, GatewayNode


async def begin(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    generation: int,
    node: NodeId,
    now: datetime,
    *,
    quarantined: bool,
) -> None:
    """Write that a connection was opened; whatever the charger had before is over."""
    await _end(rows, now, ChargerConnection.charge_point_id == charge_point_id)
    rows.add(
        ChargerConnection(
            charge_point_id=charge_point_id,
            generation=generation,
            node=node,
            opened_at=now,
            released_at=None if quarantined else now,
        )
    )
    await rows.flush()


async def release(rows: AsyncSession, charge_point_id: ChargePointId, generation: int, now: datetime) -> None:
    """Write that a connection is an ordinary one from now on."""
    await _set(rows, charge_point_id, generation, released_at=now)


async def end(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    generation: int,
    now: datetime,
    shown: ClockShown | None = None,
) -> None:
    """Write that a connection is over, and what the charger's clock was off by, as far as it was `shown`."""
    if shown is None or not shown.heard:
        await _set(rows, charge_point_id, generation, ended_at=func.coalesce(ChargerConnection.ended_at, now))
        return
    row = await rows.get(ChargerConnection, (charge_point_id, generation), with_for_update=True)
    if row is not None:
        row.ended_at = row.ended_at or now
        await _note_clock(rows, row, shown)


async def note_clock(rows: AsyncSession, charge_point_id: ChargePointId, generation: int, shown: ClockShown) -> None:
    """Write what the charger's clock is off by: whoever holds the connection may not be there at its end."""
    if not shown.heard:
        return
    row = await rows.get(ChargerConnection, (charge_point_id, generation), with_for_update=True)
    if row is not None:
        await _note_clock(rows, row, shown)


async def _note_clock(rows: AsyncSession, row: ChargerConnection, shown: ClockShown) -> None:
    usual = await usually_off_before(rows, ChargePointId(row.charge_point_id), row.generation)
    off = shown.off(row.released_at or row.opened_at, usual)
    row.clock_off = None if off is None else round(off.total_seconds())


async def usually_off_before(rows: AsyncSession, charge_point_id: ChargePointId, generation: int) -> timedelta | None:
    """Give what a charger's clock was off by in the last connection before that tells; None: unknown. Only reads."""
    query = select(ChargerConnection.clock_off).where(
        ChargerConnection.charge_point_id == charge_point_id,
        ChargerConnection.generation < generation,
        ChargerConnection.clock_off.is_not(None),
    )
    row = (await rows.execute(query.order_by(ChargerConnection.generation.desc()).limit(1))).one_or_none()
    return None if row is None or row.clock_off is None else timedelta(seconds=row.clock_off)


async def end_on(rows: AsyncSession, node: NodeId, now: datetime) -> None:
    """Write that whatever a node held is over, since its last sign of life."""
    await _end(rows, now, ChargerConnection.node == node)


async def _end(rows: AsyncSession, now: datetime, *which: ColumnElement[bool]) -> None:
    """End connections whose end nobody has written: their node's last sign of life tells when, or else it is now."""
    seen = select(func.min(GatewayNode.seen_at)).where(GatewayNode.node == ChargerConnection.node)
    ended = func.coalesce(seen.scalar_subquery(), now)
    await rows.execute(
        update(ChargerConnection).where(*which, ChargerConnection.ended_at.is_(None)).values(ended_at=ended),
        execution_options={"synchronize_session": False},
    )


async def _set(rows: AsyncSession, charge_point_id: ChargePointId, generation: int, **values: Any) -> None:
    it = (ChargerConnection.charge_point_id == charge_point_id, ChargerConnection.generation == generation)
    await rows.execute(
        update(ChargerConnection).where(*it).values(**values), execution_options={"synchronize_session": False}
    )


async def presence(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    generation: int,
    moment: datetime,
    *,
    since: datetime,
    margin: timedelta,
) -> Presence:
    """Say where a charger was at a moment, whose present connection, of `generation`, was released `since`.

    For `margin` before the end of a connection it may have been gone already. Only reads.
    """
    of_point = (ChargerConnection.charge_point_id == charge_point_id, ChargerConnection.generation <= generation)
    earlier = and_(ChargerConnection.generation < generation, ChargerConnection.released_at.is_not(None))
    there = and_(
        ChargerConnection.released_at <= moment,
        or_(ChargerConnection.ended_at.is_(None), ChargerConnection.ended_at > moment + margin),
    )
    row = (
        await rows.execute(
            select(
                func.min(ChargerConnection.opened_at),
                func.max(ChargerConnection.ended_at).filter(earlier),
                func.count().filter(earlier, there),
                func.max(ChargerConnection.ended_at).filter(earlier, ChargerConnection.ended_at <= moment + margin),
            ).where(*of_point)
        )
    ).one()
    gone_since = None if row[3] is None else row[3] - margin
    return Presence(since=since, was_there=row[2] > 0, gone_since=gone_since, first_seen=row[0], left_at=row[1])


async def forget(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete connections that ended earlier, at most `limit` of them; gives how many.

    The last ordinary one of a charger stays, however old: since then it is away.
    """
    which = (ChargerConnection.charge_point_id, ChargerConnection.generation)
    later = aliased(ChargerConnection)
    outlived = exists().where(
        later.charge_point_id == ChargerConnection.charge_point_id,
        later.generation > ChargerConnection.generation,
        later.released_at.is_not(None),
    )
    wanted = select(*which).where(ChargerConnection.ended_at < before, outlived)
    found = [tuple(row) for row in await rows.execute(wanted.order_by(ChargerConnection.ended_at).limit(limit))]
    if found:
        await rows.execute(delete(ChargerConnection).where(tuple_(*which).in_(found)))
    return len(found)
