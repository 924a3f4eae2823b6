"""The audit trail of a charge point as one caller may know it: the entries of the periods that they see; only reads."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import ChargePointId
from domain.trail import PLACES_KEPT, of_charge_point, without_places
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, OwnershipPeriod
from persistence.views.transfer_views import EventView, detail_of
from persistence.views.visibility import period_in_sight

_NONE: Final = "There is no such charge point, or you never had it."


class ChargePointTrails:
    """Answers one caller; each method is one short read. Raises Unavailable where the database is away.

    A period is seen in the trail as in the ledger: by the members of the group where it was their group's, by a former
    owner where it was theirs. So whoever sees an entry had the charge point then, and may know where somebody was, for
    as long as that is kept.
    """

    def __init__(self, db: Database, places_kept: timedelta = PLACES_KEPT) -> None:
        """Take the database, and for how long it is shown where somebody was: to operators too."""
        self._db = db
        self._places_kept = places_kept

    async def events(
        self, caller: Caller, charge_point_id: ChargePointId, *, after: int = 0, limit: int
    ) -> list[EventView]:
        """List the entries in order, from the one behind `after`; raises NotFound where no period is in sight."""
        wanted = _in_sight(select(AuditEvent), caller, charge_point_id).where(AuditEvent.sequence > after)
        async with self._db.reading() as rows:
            await _check(rows, caller, charge_point_id)
            entries = (await rows.scalars(wanted.order_by(AuditEvent.sequence).limit(limit))).all()
        old = datetime.now(UTC) - self._places_kept
        return [_view(entry, places=entry.at >= old) for entry in entries]

    async def last(self, caller: Caller, charge_point_id: ChargePointId) -> int:
        """Give the last sequence that the caller may see; 0 where there is none."""
        wanted = _in_sight(select(func.max(AuditEvent.sequence)), caller, charge_point_id)
        async with self._db.reading() as rows:
            return (await rows.execute(wanted)).scalar_one() or 0


def _in_sight(wanted: Select[Any], caller: Caller, charge_point_id: ChargePointId) -> Select[Any]:
    """Narrow a question to the entries whose time lies in a period that the caller sees."""
    wanted = wanted.where(AuditEvent.subject == of_charge_point(charge_point_id))
    if caller.operator:
        return wanted
    lies_in = (
        OwnershipPeriod.started_at <= AuditEvent.at,
        or_(OwnershipPeriod.ended_at.is_(None), AuditEvent.at < OwnershipPeriod.ended_at),
    )
    return wanted.where(exists().where(*_periods(caller, charge_point_id), *lies_in).correlate(AuditEvent))


def _periods(caller: Caller, charge_point_id: ChargePointId) -> tuple[ColumnElement[bool], ...]:
    return (
        ChargePoint.id == charge_point_id,
        OwnershipPeriod.charge_point_id == ChargePoint.id,
        period_in_sight(caller),
    )


async def _check(rows: AsyncSession, caller: Caller, charge_point_id: ChargePointId) -> None:
    """Raise NotFound where no period is in sight: of what the caller never had there is nothing to say."""
    seen = select(true()).where(exists().where(*_periods(caller, charge_point_id)))
    if (await rows.execute(seen)).first() is None:
        raise NotFound(_NONE)


def _view(row: AuditEvent, *, places: bool) -> EventView:
    detail = detail_of(row) if places else without_places(detail_of(row))
    return EventView(row.sequence, row.at, row.actor, row.action, detail)
