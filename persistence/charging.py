"""Charging sessions and who may start them: each booked to who had the charge point when it started."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import CursorResult, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charge_point import Holding, Period, holding_at
from domain.ids import ChargePointId, GroupId, UserId
from persistence import charge_points
from persistence.tables import ChargePoint, ChargingSession, OwnershipPeriod, Tag

#: Why a session ended whose stop never arrived: another one started on its connector. A late stop corrects it.
LOST: Final = "Lost"


class TagStatus(StrEnum):
    """Whether a tag may charge."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    """Nobody may start a session on this charge point now."""
    INVALID = "invalid"


@dataclass(frozen=True)
class Start:
    """A start as the charger reports it; `queued`: it happened before the charger's present connection."""

    connector: int
    id_tag: str
    meter: int
    at: datetime
    queued: bool = False
    reference: str | None = None
    """The charger's own name of the session, where it has one (OCPP 2.0.1's transactionId)."""


@dataclass(frozen=True)
class Running:
    """A session that runs, by both its names."""

    id: int
    reference: str | None


@dataclass(frozen=True)
class Started:
    """A session's id (OCPP 1.6's transactionId), and whether its tag may charge."""

    transaction_id: int
    status: TagStatus


async def authorize(session: AsyncSession, charge_point_id: ChargePointId, id_tag: str) -> TagStatus:
    """Say whether a tag may start a session now: one of the present group, unless sessions are blocked. Only reads."""
    query = select(ChargePoint.group_id, ChargePoint.sessions_blocked_by).where(ChargePoint.id == charge_point_id)
    row = (await session.execute(query)).one()
    if row.sessions_blocked_by is not None:
        return TagStatus.BLOCKED
    return await _tag_status(session, row.group_id, id_tag)


async def start_session(session: AsyncSession, charge_point_id: ChargePointId, start: Start, now: datetime) -> Started:
    """Record a session, booked to who had the charge point when it started; the same report again is the same session.

    A start in the future counts as now. It is recorded even where the tag may not charge: what flows is booked.
    The charge point is held: a change of hands comes before, and is seen, or after, and is later than this start.
    """
    await charge_points.hold(session, charge_point_id)
    report = replace(start, id_tag=start.id_tag.upper(), at=min(start.at, now))
    holding = await _holding(session, charge_point_id, report.at)
    status = await _tag_status(session, holding.group_id, report.id_tag)
    if not report.queued and status is TagStatus.ACCEPTED:
        status = await authorize(session, charge_point_id, report.id_tag)
    known = None
    if report.reference is not None:
        known = await session_of(session, charge_point_id, report.reference)
    elif start.at > now:
        known = await _open_twin(session, charge_point_id, report)
    if known is not None:  # its clock may be ahead: the same report came a moment ago, and counted as then
        return Started(known, status)
    values = {
        "charge_point_id": charge_point_id,
        "connector": report.connector,
        "id_tag": report.id_tag,
        "started_at": report.at,
        "meter_start": report.meter,
    }
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    statement = (
        insert(ChargingSession)
        .values(**values, reference=report.reference, owner_id=holding.owner_id, group_id=holding.group_id)
        .on_conflict_do_nothing()
        .returning(ChargingSession.id)
    )
    new = (await session.execute(statement)).scalar_one_or_none()
    if new is None:
        twin = await session_of(session, charge_point_id, report.reference) if report.reference is not None else None
        same = select(ChargingSession.id).filter_by(**values)
        return Started(twin or (await session.execute(same)).scalar_one(), status)
    await _end_lost(session, charge_point_id, new, report)
    return Started(new, status)


async def session_of(session: AsyncSession, charge_point_id: ChargePointId, reference: str) -> int | None:
    """Give the id of the session that the charger calls `reference`; None where it was never reported. Only reads."""
    query = select(ChargingSession.id).filter_by(charge_point_id=charge_point_id, reference=reference)
    return (await session.execute(query)).scalar_one_or_none()


async def name_tag(
    session: AsyncSession, charge_point_id: ChargePointId, session_id: int, id_tag: str, *, queued: bool
) -> TagStatus:
    """Write who charges, where it was not known yet, and say whether that tag may.

    A session that gets its tag only now is one that begins to charge now, unless the report is an old one.
    """
    it = (ChargingSession.id == session_id, ChargingSession.charge_point_id == charge_point_id)
    named = await _update(session, *it, ChargingSession.id_tag == "", id_tag=id_tag.upper())
    group_id = (await session.execute(select(ChargingSession.group_id).where(*it))).scalar_one()
    status = await _tag_status(session, group_id, id_tag)
    begins = named and not queued and status is TagStatus.ACCEPTED
    return await authorize(session, charge_point_id, id_tag) if begins else status


async def record_meter(session: AsyncSession, charge_point_id: ChargePointId, transaction_id: int, wh: int) -> None:
    """Keep the highest meter reading (Wh) of a session that runs; of any other nothing."""
    await _update(
        session,
        ChargingSession.id == transaction_id,
        ChargingSession.charge_point_id == charge_point_id,
        ChargingSession.stopped_at.is_(None),
        or_(ChargingSession.last_meter.is_(None), ChargingSession.last_meter < wh),
        last_meter=wh,
    )


async def stop_session(
    session: AsyncSession,
    charge_point_id: ChargePointId,
    transaction_id: int,
    *,
    meter: int,
    at: datetime,
    reason: str,
    now: datetime,
) -> bool:
    """Record a stop; False where the session is unknown or was stopped before, and then nothing changed.

    A stop in the future counts as now, one before the start as the start.
    """
    query = select(ChargingSession.started_at).where(
        ChargingSession.id == transaction_id, ChargingSession.charge_point_id == charge_point_id
    )
    started_at = (await session.execute(query)).scalar_one_or_none()
    if started_at is None:
        return False
    return await _update(
        session,
        ChargingSession.id == transaction_id,
        or_(ChargingSession.stopped_at.is_(None), ChargingSession.stop_reason == LOST),
        stopped_at=max(min(at, now), started_at),
        meter_stop=meter,
        stop_reason=reason,
    )


async def session_running(session: AsyncSession, charge_point_id: ChargePointId) -> bool:
    """Whether a charging session runs. Only reads."""
    runs = exists().where(ChargingSession.charge_point_id == charge_point_id, ChargingSession.stopped_at.is_(None))
    return bool((await session.execute(select(runs))).scalar_one())


async def running_sessions(session: AsyncSession, charge_point_id: ChargePointId) -> list[Running]:
    """Give the sessions that run. Only reads."""
    query = select(ChargingSession.id, ChargingSession.reference).where(
        ChargingSession.charge_point_id == charge_point_id, ChargingSession.stopped_at.is_(None)
    )
    rows = (await session.execute(query.order_by(ChargingSession.id))).all()
    return [Running(row.id, row.reference) for row in rows]


async def _holding(session: AsyncSession, charge_point_id: ChargePointId, moment: datetime) -> Holding:
    query = select(OwnershipPeriod).where(OwnershipPeriod.charge_point_id == charge_point_id)
    rows = (await session.execute(query.order_by(OwnershipPeriod.version))).scalars()
    periods = [
        Period(Holding(UserId(row.owner_id), GroupId(row.group_id)), row.started_at, row.ended_at) for row in rows
    ]
    return holding_at(periods, moment)


async def _tag_status(session: AsyncSession, group_id: str, id_tag: str) -> TagStatus:
    query = select(exists().where(Tag.group_id == group_id, Tag.id_tag == id_tag.upper()))
    return TagStatus.ACCEPTED if (await session.execute(query)).scalar_one() else TagStatus.INVALID


async def _open_twin(session: AsyncSession, charge_point_id: ChargePointId, report: Start) -> int | None:
    """Find the running session that a report with a time in the future was recorded as."""
    query = select(ChargingSession.id).filter_by(
        charge_point_id=charge_point_id,
        connector=report.connector,
        id_tag=report.id_tag,
        meter_start=report.meter,
        stopped_at=None,
    )
    return (await session.execute(query.limit(1))).scalar_one_or_none()


async def _end_lost(session: AsyncSession, charge_point_id: ChargePointId, new: int, report: Start) -> None:
    """End what still runs on the connector by the books: a connector has one session at a time."""
    await _update(
        session,
        ChargingSession.charge_point_id == charge_point_id,
        ChargingSession.connector == report.connector,
        ChargingSession.id != new,
        ChargingSession.started_at <= report.at,
        ChargingSession.stopped_at.is_(None),
        stopped_at=report.at,
        meter_stop=report.meter,
        stop_reason=LOST,
    )


async def _update(session: AsyncSession, *where: Any, **values: Any) -> bool:
    statement = update(ChargingSession).where(*where).values(**values)
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount > 0
