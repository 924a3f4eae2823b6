"""What the trail of a charge point says of one day; it is read-only."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.ids import ChargePointId
from domain.trail import TrailAction, of_charge_point
from persistence.tables import AuditEvent, ChargePoint

#: How long before a day something may have happened that is told as that day's.
_SLACK: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Seen:
    """What happened of one kind in a day."""

    times: int = 0
    last_at: datetime | None = None
    actor: Actor | None = None
    """Of the last time."""
    addresses: tuple[str, ...] = ()
    """Where it came from."""


async def is_untold(
    rows: AsyncSession, charge_point_id: ChargePointId, action: TrailAction, news: str, day: date
) -> bool:
    """Whether more happened of one kind in a day than its owner was told of: nobody is told of what is not on record.

    What happened a moment before midnight may be told as the next day's.
    """
    end = datetime.combine(day, time(), UTC) + timedelta(days=1)
    entries = (
        AuditEvent.subject == of_charge_point(charge_point_id),
        AuditEvent.at >= end - timedelta(days=1) - _SLACK,
    )
    happened = select(func.count()).where(*entries, AuditEvent.action == action, AuditEvent.at < end)
    told = select(AuditEvent.detail).where(*entries, AuditEvent.action == TrailAction.TOLD)
    said = {"subject": news, "day": day.isoformat()}
    times_told = (await rows.scalars(told)).all().count(said)
    times: int = (await rows.execute(happened)).scalar_one()
    return times > times_told


async def seen(rows: AsyncSession, charge_point_id: ChargePointId, action: TrailAction, day: date) -> Seen:
    """Sum up a day's entries of one action, of the present owner's time: they may not read a former one's.

    An entry may stand for several `times`, and may name the `address` that it came from.
    """
    start = begin = datetime.combine(day, time(), UTC)
    point = await rows.get(ChargePoint, charge_point_id)
    if point is not None and point.owner_changed_at is not None:
        begin = max(start, point.owner_changed_at)
    wanted = select(AuditEvent).where(
        AuditEvent.subject == of_charge_point(charge_point_id),
        AuditEvent.action == action,
        AuditEvent.at >= begin,
        AuditEvent.at < start + timedelta(days=1),
    )
    entries = (await rows.scalars(wanted.order_by(AuditEvent.sequence))).all()
    if not entries:
        return Seen()
    addresses = dict.fromkeys(str(entry.detail["address"]) for entry in entries if entry.detail.get("address"))
    return Seen(
        times=sum(int(entry.detail.get("times", 1)) for entry in entries),
        last_at=entries[-1].at,
        actor=Actor(entries[-1].actor),
        addresses=tuple(addresses),
    )
