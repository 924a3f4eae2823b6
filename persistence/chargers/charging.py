"""Charging sessions and who may start them: each booked to who had the charge point when it started."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, CursorResult, Select, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.caseless import caseless
from domain.charge_point import Holding, Period
from domain.charger_clock import BEGINS_ANEW, TOLERANCE, ChargerTime
from domain.charging import CONNECTOR_POWER_LIMIT, Booking, Doubt, book, is_too_much
from domain.ids import ChargePointId, GroupId, UserId
from domain.reconciliation import Finding
from domain.tags import LONGEST_TAG, TagType
from persistence.chargers import charge_points, charger_connections
from persistence.tables import ChargePoint, ChargingSession, Group, OwnershipPeriod, Tag, UnmatchedStop, User
from persistence.transfers import findings

#: Why a session ended whose stop never arrived: another one started on its connector, or that is free.
LOST: Final = "Lost"
#: Why a session ended that somebody ended by hand.
BY_HAND: Final = "ByHand"
#: The ends that a late stop corrects: nobody at the charger reported them.
UNREPORTED: Final = (LOST, BY_HAND)


class TagStatus(StrEnum):
    """Whether a tag may charge."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    """Nobody may start a session on this charge point now."""
    INVALID = "invalid"


@dataclass(frozen=True)
class Start:
    """A start as the charger reports it; None: it does not say."""

    connector: int | None
    id_tag: str
    meter: int | None
    at: ChargerTime
    reference: str | None = None
    """The charger's own name of the session, where it has one (OCPP 2.0.1's transactionId)."""
    offline: bool | None = None
    """Whether the charger says that it had no connection then."""
    begins: bool = True
    """It is the start itself; False: a later report of a session whose start was not heard."""
    tag_type: TagType | None = None
    """None: any, as in OCPP 1.6."""


@dataclass(frozen=True)
class Over:
    """The connection over which a charger reports: by our clock, since when it is an ordinary one."""

    generation: int
    since: datetime
    margin: timedelta = timedelta()
    """For how long before the end of an earlier one its charger may have been gone already."""
    power_limit: float = CONNECTOR_POWER_LIMIT
    """What a connector of its charger gives at most, in kW."""


@dataclass(frozen=True)
class Known:
    """A session that was reported before; `lacks`: its connector or its first meter reading was not told yet."""

    id: int
    lacks: bool


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
    late: bool = False
    """It happened while the charger was away."""


async def authorize(
    rows: AsyncSession, charge_point_id: ChargePointId, id_tag: str, tag_type: TagType | None = None
) -> TagStatus:
    """Say whether a tag may start a session now: one of the present group, unless sessions are blocked. Only reads.

    Where nobody is named (`NoAuthorization`) the group says; without a type (OCPP 1.6) it is any tag of that value.
    """
    query = select(ChargePoint.group_id, ChargePoint.sessions_blocked_by).where(ChargePoint.id == charge_point_id)
    row = (await rows.execute(query)).one()
    if row.sessions_blocked_by is not None:
        return TagStatus.BLOCKED
    return await _tag_status(rows, row.group_id, id_tag, tag_type)


async def start_session(
    rows: AsyncSession, charge_point_id: ChargePointId, start: Start, over: Over, now: datetime
) -> Started:
    """Record a session, booked as domain.charging says; the same report again is the same session.

    One that happened while the charger was away is judged by the group of that time, any other by the present one and
    by what blocks it. It is recorded even where the tag may not charge: what flows is booked. The charge point is held:
    a change of hands comes before, and is seen, or after, and is later than this start.
    """
    await charge_points.hold(rows, charge_point_id)
    presented, start = start.id_tag, replace(start, id_tag=_kept(start.id_tag))
    booking, present = await _book(rows, charge_point_id, start, over, now)
    if booking.late or not start.begins:  # what charges already is no start
        status = await _tag_status(rows, booking.holding.group_id, presented, start.tag_type)
    else:
        status = await authorize(rows, charge_point_id, presented, start.tag_type)
    erased = booking.holding.owner_id != present.owner_id and await _is_erased(rows, booking.holding.owner_id)
    row = await _same(rows, charge_point_id, start)
    if row is not None and (row.start_heard or not start.begins):
        return Started(row.id, status, booking.late)
    if row is None:
        row = ChargingSession(charge_point_id=charge_point_id, reference=start.reference, arrived_at=now, doubts=[])
        row.connector = row.meter_start = None
        row.id_tag = ""
        rows.add(row)
    row.connector = start.connector if row.connector is None else row.connector
    row.meter_start = start.meter if row.meter_start is None else row.meter_start
    row.id_tag = "" if erased else row.id_tag or start.id_tag
    row.owner_id, row.group_id = booking.holding.owner_id, booking.holding.group_id
    anew = row.start_heard is not None  # it was told of before
    row.started_at, row.reported_at, row.start_heard = booking.at, start.at.said, start.begins
    row.late, row.offline, row.earliest_at = booking.late, start.offline, booking.earliest
    row.to_be_told = booking.holding.owner_id != present.owner_id
    await _doubt(rows, row, Doubt.HOLDER, now, doubtful=booking.doubtful, anew=anew)
    await _doubt(rows, row, Doubt.ENERGY, now, doubtful=_too_much(row, over.power_limit, now), anew=anew)
    await rows.flush()
    await _end_lost(rows, row, over.power_limit, now)
    return Started(row.id, status, booking.late)


async def _is_erased(rows: AsyncSession, owner_id: UserId) -> bool:
    """Whether nothing personal of a former owner is kept any more: nor is, then, what they charged with."""
    return await rows.scalar(select(User.erased_at).where(User.id == owner_id)) is not None


async def _book(
    rows: AsyncSession, charge_point_id: ChargePointId, start: Start, over: Over, now: datetime
) -> tuple[Booking, Holding]:
    """Book a session by when it began; gives the present holder, too.

    What is told of one whose start was not heard says nothing of when that was.
    """
    periods = await _periods(rows, charge_point_id)
    ours = await by_our_clock(rows, charge_point_id, start.at, over)
    presence = await charger_connections.presence(
        rows, charge_point_id, over.generation, ours, since=over.since, margin=over.margin
    )
    booking = book(ours, now, presence, periods)
    if not start.begins:
        booking = replace(booking, earliest=min(booking.earliest, presence.left_at or periods[-1].started_at))
    return booking, periods[-1].holding


async def by_our_clock(rows: AsyncSession, charge_point_id: ChargePointId, at: ChargerTime, over: Over) -> datetime:
    """Tell a charger's time, as far as that can be told. Only reads."""
    usual = await charger_connections.usually_off_before(rows, charge_point_id, over.generation)
    return at.by_our_clock(over.since, usual)


async def happens_now(
    rows: AsyncSession, charge_point_id: ChargePointId, at: ChargerTime, over: Over, now: datetime
) -> bool:
    """Whether it is certain that something happens now, in the connection that is open; else it may have been kept.

    Where nothing is known of the charger's clock, only what it says itself is certain. Only reads.
    """
    usual = await charger_connections.usually_off_before(rows, charge_point_id, over.generation)
    said = at.said if usual is None else at.by_our_clock(over.since, usual)
    return over.since - TOLERANCE <= said <= now + TOLERANCE


async def _same(rows: AsyncSession, charge_point_id: ChargePointId, start: Start) -> ChargingSession | None:
    """Find the session that a report is of: one that still runs, or whose end nobody reported.

    A charger whose clock begins anew with each start says the same of two sessions. Where it names them, a start at
    another time is of another one by the same name, and so is one by such a clock after the end.
    """
    query = select(ChargingSession).where(ChargingSession.charge_point_id == charge_point_id)
    if start.reference is not None:
        named = query.where(ChargingSession.reference == start.reference).order_by(ChargingSession.id.desc()).limit(1)
        row = (await rows.scalars(named)).one_or_none()
        return row if row is not None and _is_of(row, start) else None
    told = query.where(
        or_(ChargingSession.stopped_at.is_(None), ChargingSession.stop_reason.in_(UNREPORTED)),
        ChargingSession.connector.is_not_distinct_from(start.connector),
        ChargingSession.id_tag == start.id_tag,
        ChargingSession.reported_at == start.at.said,
        ChargingSession.meter_start.is_not_distinct_from(start.meter),
    )
    return (await rows.scalars(told.order_by(ChargingSession.id.desc()).limit(1))).one_or_none()


def _is_of(row: ChargingSession, start: Start) -> bool:
    """Whether what is told by a session's name is of it, or of another one by the same name."""
    if not start.begins:
        return True
    if not row.start_heard:
        return row.stop_reported_at is None or row.stop_reported_at >= start.at.said
    begins_anew = row.stop_reported_at is not None and abs(row.arrived_at - row.reported_at) > BEGINS_ANEW
    return row.reported_at == start.at.said and not begins_anew


async def session_of(rows: AsyncSession, charge_point_id: ChargePointId, reference: str) -> Known | None:
    """Find the latest session that the charger calls `reference`; None where there is none. Only reads."""
    lacks = or_(ChargingSession.connector.is_(None), ChargingSession.meter_start.is_(None))
    named = (ChargingSession.charge_point_id == charge_point_id, ChargingSession.reference == reference)
    query = select(ChargingSession.id, lacks).where(*named)
    row = (await rows.execute(query.order_by(ChargingSession.id.desc()).limit(1))).one_or_none()
    return Known(row[0], bool(row[1])) if row is not None else None


async def add_what_was_missing(
    rows: AsyncSession, session_id: int, over: Over, now: datetime, *, connector: int | None, meter_start: int | None
) -> None:
    """Fill in what the first report of a session did not say; what is known already stays."""
    row = await rows.get_one(ChargingSession, session_id, with_for_update=True)
    if row.meter_start is None:
        row.meter_start = meter_start
        await _doubt(rows, row, Doubt.ENERGY, now, doubtful=_too_much(row, over.power_limit, now), anew=True)
    if row.connector is None and connector is not None:
        row.connector = connector
        await _end_lost(rows, row, over.power_limit, now)


async def name_tag(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    session_id: int,
    id_tag: str,
    tag_type: TagType | None = None,
) -> TagStatus:
    """Write who charges, where it was not known yet, and say whether that tag may.

    A session that gets its tag only now is one that begins to charge now, unless it is a late one.
    """
    it = (ChargingSession.id == session_id, ChargingSession.charge_point_id == charge_point_id)
    of_nobody = exists().where(User.id == ChargingSession.owner_id, User.erased_at.is_not(None))
    named = await _update(rows, *it, ChargingSession.id_tag == "", ~of_nobody, id_tag=_kept(id_tag))
    row = (await rows.execute(select(ChargingSession.group_id, ChargingSession.late).where(*it))).one()
    status = await _tag_status(rows, row.group_id, id_tag, tag_type)
    begins = named and not row.late and status is TagStatus.ACCEPTED
    return await authorize(rows, charge_point_id, id_tag, tag_type) if begins else status


async def record_meter(rows: AsyncSession, charge_point_id: ChargePointId, transaction_id: int, wh: int) -> None:
    """Keep the highest meter reading (Wh) of a session that runs; of any other nothing."""
    await _update(
        rows,
        ChargingSession.id == transaction_id,
        ChargingSession.charge_point_id == charge_point_id,
        ChargingSession.stopped_at.is_(None),
        or_(ChargingSession.last_meter.is_(None), ChargingSession.last_meter < wh),
        last_meter=wh,
    )


async def stop_session(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    session_id: int,
    over: Over,
    now: datetime,
    *,
    meter: int | None,
    at: ChargerTime,
    reason: str,
) -> bool:
    """Record a stop; False where the session is unknown or was stopped before, and then nothing changed.

    A stop in the future counts as now, one before the start as the start. Where the meter is not told, its last
    reading is kept. A second stop with another reading is kept for somebody to settle.
    """
    row = await hold_session(rows, charge_point_id, session_id)
    if row is None:
        return False
    if row.stopped_at is not None and row.stop_reason not in UNREPORTED:
        if meter is not None and meter != row.meter_stop:
            await keep_stop(rows, charge_point_id, session_id, over, now, meter=meter, at=at, reason=reason)
        return False
    row.stop_reported_at = at.said
    ours = await by_our_clock(rows, charge_point_id, at, over)
    await end_session(rows, row, now, at=ours, meter=meter, reason=reason, power_limit=over.power_limit)
    return True


async def end_session(
    rows: AsyncSession,
    row: ChargingSession,
    now: datetime,
    *,
    at: datetime,
    meter: int | None,
    reason: str,
    power_limit: float,
) -> None:
    """End a session `at` a time, with its last meter reading where `meter` is not known."""
    before = row.energy
    row.stopped_at = max(min(at, now), row.started_at)
    row.meter_stop = meter if meter is not None else row.last_meter
    row.stop_reason = reason
    too_much = _too_much(row, power_limit, now)
    await _doubt(rows, row, Doubt.ENERGY, now, doubtful=too_much, anew=row.energy != before)
    await rows.flush()


async def end_lost(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    connector: int,
    over: Over,
    now: datetime,
    *,
    at: ChargerTime | None,
    told_all: datetime,
) -> bool:
    """End what runs by the books on a connector that was free `at` a time; whether something did.

    What began after that runs on; and nothing ends by what was so before the charger had `told_all` that it kept.
    """
    ours = now if at is None else min(await by_our_clock(rows, charge_point_id, at, over), now)
    if ours < told_all:
        return False
    query = _running_on(charge_point_id, connector).where(ChargingSession.started_at <= ours)
    found = (await rows.scalars(query.with_for_update())).all()
    for row in found:
        await end_session(rows, row, now, at=now, meter=None, reason=LOST, power_limit=over.power_limit)
    return bool(found)


async def session_to_stop(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    said_id: int,
    over: Over,
    *,
    meter: int | None,
    at: ChargerTime,
) -> int | None:
    """Find the session that a stop is of. Only reads.

    One whose id is none of the charge point's is of the one session that runs whose start and meter lie before the
    stop's; None where none does, or several do.
    """
    of_point = (ChargingSession.charge_point_id == charge_point_id,)
    named = select(ChargingSession.id).where(*of_point, ChargingSession.id == said_id)
    if (found := (await rows.execute(named)).scalar_one_or_none()) is not None:
        return found
    ours = await by_our_clock(rows, charge_point_id, at, over)
    query = select(ChargingSession.id).where(
        *of_point,
        ChargingSession.stopped_at.is_(None),
        or_(ChargingSession.started_at <= ours, ChargingSession.reported_at <= at.said),
    )
    if meter is not None:
        query = query.where(or_(ChargingSession.meter_start.is_(None), ChargingSession.meter_start <= meter))
    fitting = (await rows.scalars(query.limit(2))).all()
    return fitting[0] if len(fitting) == 1 else None


async def keep_stop(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    said_id: int,
    over: Over,
    now: datetime,
    *,
    meter: int | None,
    at: ChargerTime,
    reason: str,
) -> None:
    """Keep a stop whose session can't be told, once, for somebody to settle."""
    known = select(UnmatchedStop.id).where(
        UnmatchedStop.charge_point_id == charge_point_id,
        UnmatchedStop.said_id == said_id,
        UnmatchedStop.reported_at == at.said,
        UnmatchedStop.meter.is_not_distinct_from(meter),
    )
    if (await rows.execute(known)).first() is None:
        rows.add(
            UnmatchedStop(
                charge_point_id=charge_point_id,
                said_id=said_id,
                meter=meter,
                reason=reason,
                reported_at=at.said,
                stopped_at=min(await by_our_clock(rows, charge_point_id, at, over), now),
                arrived_at=now,
            )
        )
        await rows.flush()
        await findings.note_parked(rows, Finding.SESSIONS_IN_DOUBT, charge_point_id, now)


async def session_running(rows: AsyncSession, charge_point_id: ChargePointId) -> bool:
    """Whether a charging session runs. Only reads."""
    return bool((await rows.execute(select(runs_at(charge_point_id)))).scalar_one())


def runs_at(charge_point_id: Any) -> ColumnElement[bool]:
    """Give the condition that a charging session runs at a charge point: an id, or the column of one."""
    return exists().where(ChargingSession.charge_point_id == charge_point_id, ChargingSession.stopped_at.is_(None))


async def running_sessions(rows: AsyncSession, charge_point_id: ChargePointId) -> list[Running]:
    """Give the sessions that run. Only reads."""
    query = select(ChargingSession.id, ChargingSession.reference).where(
        ChargingSession.charge_point_id == charge_point_id, ChargingSession.stopped_at.is_(None)
    )
    found = (await rows.execute(query.order_by(ChargingSession.id))).all()
    return [Running(row.id, row.reference) for row in found]


async def _periods(rows: AsyncSession, charge_point_id: ChargePointId) -> list[Period]:
    query = select(OwnershipPeriod).where(OwnershipPeriod.charge_point_id == charge_point_id)
    found = (await rows.execute(query.order_by(OwnershipPeriod.version))).scalars()
    return [Period(Holding(UserId(row.owner_id), GroupId(row.group_id)), row.started_at, row.ended_at) for row in found]


def _kept(id_tag: str) -> str:
    """Give a tag as a session keeps it; of one that is longer than any can be, the beginning.

    By bytes: a database that knows of no encoding counts those.
    """
    return caseless(id_tag).encode()[:LONGEST_TAG].decode(errors="ignore")


async def _tag_status(rows: AsyncSession, group_id: str, id_tag: str, tag_type: TagType | None) -> TagStatus:
    if tag_type is TagType.NO_AUTHORIZATION:
        may = exists().where(Group.id == group_id, Group.charges_anybody)
    else:
        of_type = () if tag_type is None else (Tag.type == tag_type.value,)
        may = exists().where(Tag.group_id == group_id, Tag.id_tag == caseless(id_tag), *of_type)
    return TagStatus.ACCEPTED if (await rows.execute(select(may))).scalar_one() else TagStatus.INVALID


async def hold_session(rows: AsyncSession, charge_point_id: ChargePointId, session_id: int) -> ChargingSession | None:
    """Read a session of the charge point, which nobody else changes until the transaction ends."""
    row = await rows.get(ChargingSession, session_id, with_for_update=True, populate_existing=True)
    return row if row is not None and row.charge_point_id == charge_point_id else None


async def _end_lost(rows: AsyncSession, new: ChargingSession, power_limit: float, now: datetime) -> None:
    """End what still runs on the connector by the books: a connector has one session at a time.

    A session of a connector that is not known ends none, and is ended by none. Its register goes on where that one's
    stopped; but what is told of one holder's session says nothing of another's.
    """
    if new.connector is None:
        return
    query = _running_on(new.charge_point_id, new.connector)
    query = query.where(ChargingSession.id != new.id, ChargingSession.started_at <= new.started_at)
    for row in (await rows.scalars(query.with_for_update())).all():
        known = row.last_meter if row.last_meter is not None else row.meter_start
        goes_on = new.meter_start is not None and known is not None and known <= new.meter_start
        meter = new.meter_start if goes_on and row.owner_id == new.owner_id else None
        await end_session(rows, row, now, at=new.started_at, meter=meter, reason=LOST, power_limit=power_limit)


def _running_on(charge_point_id: str, connector: int) -> Select[ChargingSession]:
    return select(ChargingSession).where(
        ChargingSession.charge_point_id == charge_point_id,
        ChargingSession.connector == connector,
        ChargingSession.stopped_at.is_(None),
    )


def _too_much(row: ChargingSession, power_limit: float, now: datetime) -> bool:
    if row.stopped_at is None or row.energy is None:
        return False
    return is_too_much(row.energy, power_limit, now - row.earliest_at)


async def _doubt(
    rows: AsyncSession, row: ChargingSession, doubt: Doubt, now: datetime, *, doubtful: bool, anew: bool
) -> None:
    """Mark a session as doubtful, for somebody to look at; or not any more.

    What was settled is looked at again where it has changed: what makes it doubtful is told `anew`.
    """
    known = doubt.value in row.doubts
    if doubtful and (anew or not known):
        row.doubts, row.unsettled = [*(one for one in row.doubts if one != doubt.value), doubt.value], True
        await findings.note_parked(rows, Finding.SESSIONS_IN_DOUBT, row.charge_point_id, now)
    elif known and not doubtful:
        row.doubts = [one for one in row.doubts if one != doubt.value]
        row.unsettled = row.unsettled and bool(row.doubts)
        await rows.flush()
        await close_review(rows, ChargePointId(row.charge_point_id), now)


async def close_review(rows: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> None:
    """End the finding, where nothing of the charge point is in doubt any more.

    It is held first: whoever finds a new doubt meanwhile comes after, and parks it again.
    """
    if not await findings.hold_parked(rows, Finding.SESSIONS_IN_DOUBT, charge_point_id):
        return
    sessions = exists().where(ChargingSession.charge_point_id == charge_point_id, ChargingSession.unsettled)
    stops = exists().where(UnmatchedStop.charge_point_id == charge_point_id, UnmatchedStop.settled_at.is_(None))
    if not (await rows.execute(select(or_(sessions, stops)))).scalar_one():
        await findings.settle(rows, Finding.SESSIONS_IN_DOUBT, charge_point_id, now)


async def _update(rows: AsyncSession, *where: Any, **values: Any) -> bool:
    statement = update(ChargingSession).where(*where).values(**values)
    result = await rows.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount > 0
