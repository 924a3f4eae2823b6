"""What was seen of keys in other hands: two holders of one, ended ones that are tried; once a day for each owner."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.actors import SYSTEM
from domain.ids import ChargePointId
from domain.reconciliation import Finding
from domain.trail import TrailAction
from persistence.tables import AuditEvent, ChargePoint
from persistence.transfers import audit, findings


async def note_two_holders(
    rows: AsyncSession, charge_point_id: ChargePointId, *, address: str, holder_address: str, now: datetime
) -> bool:
    """Write that somebody came from `address` with the key of the socket that was open, and there.

    Whether that is news to its owner today.
    """
    detail = {"address": address, "holder_address": holder_address}

    def once(owner_version: int) -> str:
        return trail.two_holders(now.date(), owner_version)

    return await _note(rows, charge_point_id, Finding.TWO_HOLDERS, TrailAction.TWO_HOLDERS, once, detail, now)


async def note_ended_key(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    credential_id: str,
    *,
    ended_at: datetime | None,
    address: str,
    now: datetime,
    awaited: bool = False,
) -> bool:
    """Write that somebody came with a key that was the charge point's until `ended_at`, once a day for each such key.

    Whether that is news to its owner today. It is none as long as a charger is `awaited` with the key in use: seconds
    after that was made the charger itself comes with the one before. What came meanwhile keeps nothing from being
    written, and told, once a charger has come with it.
    """
    detail = {"ended_at": ended_at.isoformat() if ended_at else None, "address": address}

    def once(owner_version: int) -> str:
        return trail.ended_key_tried(credential_id, now.date(), owner_version, awaited=awaited)

    action = TrailAction.ENDED_KEY_TRIED
    return await _note(rows, charge_point_id, Finding.ENDED_KEY_TRIED, action, once, detail, now)


async def _note(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    what: Finding,
    action: TrailAction,
    once: Callable[[int], str],
    detail: dict[str, Any],
    now: datetime,
) -> bool:
    """Write it on the charge point's own trail, and as a finding, the first time on a day (UTC) of its owner's time.

    What a former owner was told on the same day is news to the present one, who does not see it.
    """
    query = select(ChargePoint.owner_version, ChargePoint.owner_changed_at).where(ChargePoint.id == charge_point_id)
    owner_version, owner_changed_at = (await rows.execute(query)).one()
    subject, mark = trail.of_charge_point(charge_point_id), once(owner_version)
    if not await audit.append(rows, subject, actor=SYSTEM, action=action, detail=detail, once=mark):
        return False
    midnight = datetime.combine(now.date(), time(), UTC)
    since = max(midnight, owner_changed_at or midnight)
    first = await findings.note_seen(rows, what, charge_point_id, now, since=since)
    if not trail.is_told(mark):
        return False
    if first:
        return True
    others = select(AuditEvent.once).where(
        AuditEvent.subject == subject, AuditEvent.action == action, AuditEvent.at >= since, AuditEvent.once != mark
    )
    return not any(trail.is_told(other) for other in await rows.scalars(others) if other is not None)
