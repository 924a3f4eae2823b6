"""What operators do about charging sessions: end one by hand, settle what is in doubt.

Every function works in the caller's transaction and leaves the commit to it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.charging import Doubt
from domain.errors import NotFound, NotPossible
from domain.ids import ChargePointId, UserId
from domain.news import OwnerNews
from persistence.chargers import charge_points
from persistence.chargers.charging import BY_HAND, UNREPORTED, close_review, end_session, hold_session
from persistence.tables import AuditEvent, ChargingSession, OwnershipPeriod, UnmatchedStop

#: How many ids one statement takes: a database has its limit.
_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Settled:
    """What was settled, by ids."""

    sessions: tuple[int, ...]
    stops: tuple[int, ...]


async def end_by_hand(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    session_id: int,
    now: datetime,
    *,
    stop_id: int | None,
    power_limit: float,
) -> None:
    """End a session, with its last meter reading; or, with a stop that fitted none, as that says.

    Raises NotFound for what is not the charge point's, and NotPossible for what has ended already; but a stop is still
    taken where nobody at the charger had reported the end.
    """
    await charge_points.hold(rows, charge_point_id)
    row = await hold_session(rows, charge_point_id, session_id)
    if row is None:
        raise NotFound("There is no such session of this charge point.")
    reported = row.stopped_at is not None and row.stop_reason not in UNREPORTED
    if reported or (row.stopped_at is not None and stop_id is None):
        raise NotPossible("The session has ended already; see it in the list.")
    stop = None if stop_id is None else (await _stops(rows, charge_point_id, [stop_id]))[0]
    if stop is not None:
        row.stop_reported_at, stop.settled_at = stop.reported_at, now
    await end_session(
        rows,
        row,
        now,
        at=now if stop is None else stop.stopped_at,
        meter=None if stop is None else stop.meter,
        reason=BY_HAND if stop is None else stop.reason,
        power_limit=power_limit,
    )
    await close_review(rows, charge_point_id, now)


async def settle(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    now: datetime,
    *,
    session_ids: Collection[int] | None,
    stop_ids: Collection[int] | None,
    owner_id: UserId | None,
) -> Settled:
    """Settle sessions and stops that are in doubt; where neither is named, all that are.

    `owner_id`: who the sessions are booked to from now on, one who has or had the charge point; None: they stay. With
    it, and no ids, only those are settled of which it is in doubt whose they are. Raises NotFound for what is not in
    doubt, or not the charge point's; NotPossible for an owner who did not have it before they ended.
    """
    await charge_points.hold(rows, charge_point_id)
    everything = session_ids is None and stop_ids is None
    found = [] if session_ids is None and not everything else await _doubtful(rows, charge_point_id, session_ids)
    stops = [] if stop_ids is None and not everything else await _stops(rows, charge_point_id, stop_ids)
    if owner_id is not None and everything:
        found, stops = [row for row in found if Doubt.HOLDER.value in row.doubts], []
    if owner_id is not None:
        await _book_to(rows, charge_point_id, owner_id, found)
    for row in found:
        row.unsettled = False
    for stop in stops:
        stop.settled_at = now
    await rows.flush()
    await close_review(rows, charge_point_id, now)
    return Settled(tuple(row.id for row in found), tuple(stop.id for stop in stops))


async def _doubtful(
    rows: AsyncSession, charge_point_id: ChargePointId, ids: Collection[int] | None
) -> list[ChargingSession]:
    query = select(ChargingSession).where(ChargingSession.charge_point_id == charge_point_id, ChargingSession.unsettled)
    if ids is not None:
        query = query.where(ChargingSession.id.in_(ids))
    found = (await rows.scalars(query.order_by(ChargingSession.id).with_for_update())).all()
    _check(ids, [row.id for row in found], "session", "in doubt")
    return list(found)


async def _stops(
    rows: AsyncSession, charge_point_id: ChargePointId, ids: Collection[int] | None
) -> list[UnmatchedStop]:
    query = select(UnmatchedStop).where(
        UnmatchedStop.charge_point_id == charge_point_id, UnmatchedStop.settled_at.is_(None)
    )
    if ids is not None:
        query = query.where(UnmatchedStop.id.in_(ids))
    found = (await rows.scalars(query.order_by(UnmatchedStop.id).with_for_update())).all()
    _check(ids, [row.id for row in found], "stop", "still to be settled")
    return list(found)


def _check(wanted: Collection[int] | None, found: Collection[int], what: str, how: str) -> None:
    if missing := set(wanted or ()) - set(found):
        raise NotFound(f"No {what} {min(missing)} of this charge point is {how}; see its list.")


async def _book_to(
    rows: AsyncSession, charge_point_id: ChargePointId, owner_id: UserId, found: Collection[ChargingSession]
) -> None:
    """Book sessions to an owner's latest period that began before each ended; what counts as begun lies in it."""
    query = select(OwnershipPeriod).where(OwnershipPeriod.charge_point_id == charge_point_id)
    periods = (await rows.scalars(query.order_by(OwnershipPeriod.version))).all()
    theirs = [one for one in reversed(periods) if one.owner_id == owner_id]
    if not theirs:
        raise NotPossible("owner_id never had this charge point; take it from its periods of ownership.")
    for row in found:
        if row.owner_id == owner_id:
            continue
        known_until = min(row.stopped_at or row.arrived_at, row.arrived_at)
        period = next((one for one in theirs if one.started_at <= known_until), None)
        if period is None:
            raise NotPossible(f"owner_id did not have this charge point yet as session {row.id} ended.")
        row.owner_id, row.group_id = period.owner_id, period.group_id
        last = row.arrived_at if period.ended_at is None else period.ended_at - timedelta(microseconds=1)
        row.started_at = max(min(row.started_at, last), period.started_at)
        row.to_be_told = owner_id != periods[-1].owner_id


async def untold(rows: AsyncSession, day: date) -> list[ChargePointId]:
    """List charge points with sessions whose former owner is to be told, and was told of none that day. Only reads."""
    query = select(ChargingSession.charge_point_id).where(ChargingSession.to_be_told).distinct()
    points = [ChargePointId(found) for found in await rows.scalars(query)]
    once = trail.told_of_news(OwnerNews.LATE_SESSIONS, day.isoformat())
    told = select(AuditEvent.subject).where(
        AuditEvent.subject.in_([trail.of_charge_point(point) for point in points]), AuditEvent.once == once
    )
    subjects = set(await rows.scalars(told))
    return [point for point in points if trail.of_charge_point(point) not in subjects]


async def to_be_told(rows: AsyncSession, charge_point_id: ChargePointId) -> list[ChargingSession]:
    """List the sessions of a charge point whose former owner is to be told, in their order. Only reads."""
    query = select(ChargingSession).where(
        ChargingSession.charge_point_id == charge_point_id, ChargingSession.to_be_told
    )
    return list(await rows.scalars(query.order_by(ChargingSession.started_at, ChargingSession.id)))


async def note_told(rows: AsyncSession, owner_id: UserId, session_ids: Collection[int]) -> None:
    """Write that a former owner was told of sessions, or can't be; not of one that is somebody else's by now."""
    for first in range(0, len(ids := sorted(session_ids)), _AT_ONCE):
        told = update(ChargingSession).where(
            ChargingSession.id.in_(ids[first : first + _AT_ONCE]), ChargingSession.owner_id == owner_id
        )
        await rows.execute(told.values(to_be_told=False), execution_options={"synchronize_session": False})


async def open_too_long(rows: AsyncSession, before: datetime, limit: int) -> list[ChargePointId]:
    """List charge points with a session that was first reported before a time and still runs, by id. Only reads."""
    query = select(ChargingSession.charge_point_id).where(
        ChargingSession.stopped_at.is_(None), ChargingSession.arrived_at < before
    )
    query = query.distinct().order_by(ChargingSession.charge_point_id).limit(limit)
    return [ChargePointId(found) for found in await rows.scalars(query)]
