"""Charging sessions, and stops that fit none, as a caller may see them; all of it is read-only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, true

from domain.errors import NotFound
from domain.ids import ChargePointId, GroupId, UserId
from persistence.people.callers import Caller, groups_of
from persistence.session import Database
from persistence.tables import ChargePoint, ChargingSession, OwnershipPeriod, UnmatchedStop
from persistence.views.visibility import period_in_sight


@dataclass(frozen=True)
class SessionView:
    """A charging session; None: it is not known, or has not happened."""

    id: int
    connector: int | None
    id_tag: str
    owner_id: UserId
    group_id: GroupId
    started_at: datetime
    reported_at: datetime
    arrived_at: datetime
    late: bool
    stopped_at: datetime | None
    stop_reason: str | None
    meter_start: int | None
    meter_stop: int | None
    energy: int | None
    doubts: tuple[str, ...]
    settled: bool


@dataclass(frozen=True)
class StopView:
    """A stop that fits no session, or several."""

    id: int
    transaction_id: int
    meter: int | None
    reason: str
    reported_at: datetime
    arrived_at: datetime


class ChargingReads:
    """Answers one caller; each method is one short read. Raises Unavailable where the database is away."""

    def __init__(self, db: Database) -> None:
        """Take the database."""
        self._db = db

    async def sessions(
        self, caller: Caller, charge_point_id: ChargePointId, *, before: int, limit: int, in_doubt: bool = False
    ) -> list[SessionView]:
        """List the sessions that are the caller's, the latest first, from the one before id `before`.

        `in_doubt`: only those with a doubt that nobody has settled. Raises NotFound where no period is in sight.
        """
        wanted = (
            select(ChargingSession)
            .join(ChargePoint, ChargePoint.id == ChargingSession.charge_point_id)
            .where(ChargePoint.id == charge_point_id, ChargingSession.id < before, _in_sight(caller))
            .order_by(ChargingSession.id.desc())
        )
        if in_doubt:
            wanted = wanted.where(ChargingSession.unsettled)
        seen = (
            select(true())
            .select_from(OwnershipPeriod)
            .join(ChargePoint, ChargePoint.id == OwnershipPeriod.charge_point_id)
            .where(ChargePoint.id == charge_point_id, period_in_sight(caller))
        )
        async with self._db.reading() as rows:
            if (await rows.execute(seen.limit(1))).first() is None:
                raise NotFound("There is no such charge point, or you never had it.")
            return [_view(row) for row in await rows.scalars(wanted.limit(limit))]

    async def session(self, charge_point_id: ChargePointId, session_id: int) -> SessionView:
        """Give one session to whoever may see every one; raises NotFound."""
        async with self._db.reading() as rows:
            row = await rows.get(ChargingSession, session_id)
        if row is None or row.charge_point_id != charge_point_id:
            raise NotFound("There is no such session of this charge point.")
        return _view(row)

    async def unmatched_stops(self, charge_point_id: ChargePointId, *, after: int, limit: int) -> list[StopView]:
        """List the stops of a charge point that nobody has settled, from the one behind id `after`."""
        wanted = select(UnmatchedStop).where(
            UnmatchedStop.charge_point_id == charge_point_id,
            UnmatchedStop.settled_at.is_(None),
            UnmatchedStop.id > after,
        )
        async with self._db.reading() as rows:
            found = await rows.scalars(wanted.order_by(UnmatchedStop.id).limit(limit))
            return [
                StopView(row.id, row.said_id, row.meter, row.reason, row.reported_at, row.arrived_at) for row in found
            ]


def _in_sight(caller: Caller) -> ColumnElement[bool]:
    """Whether a session is the caller's: as a period of the ledger is (persistence.views.visibility)."""
    if caller.operator:
        return true()
    groups = and_(ChargePoint.group_id.in_(groups_of(caller.id)), ChargingSession.group_id == ChargePoint.group_id)
    return or_(groups, ChargingSession.owner_id == caller.id)


def _view(row: ChargingSession) -> SessionView:
    return SessionView(
        id=row.id,
        connector=row.connector,
        id_tag=row.id_tag,
        owner_id=UserId(row.owner_id),
        group_id=GroupId(row.group_id),
        started_at=row.started_at,
        reported_at=row.reported_at,
        arrived_at=row.arrived_at,
        late=row.late,
        stopped_at=row.stopped_at,
        stop_reason=row.stop_reason,
        meter_start=row.meter_start,
        meter_stop=row.meter_stop,
        energy=row.energy,
        doubts=tuple(row.doubts),
        settled=bool(row.doubts) and not row.unsettled,
    )
