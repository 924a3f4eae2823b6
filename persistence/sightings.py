"""What was seen of keys in other hands: two holders of one, and ended ones that are tried; on record once a day."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.ids import ChargePointId
from domain.reconciliation import Finding
from domain.trail import TrailAction
from persistence import audit, findings


async def note_two_holders(
    session: AsyncSession, charge_point_id: ChargePointId, *, address: str, holder_address: str, now: datetime
) -> bool:
    """Write that somebody came from `address` with the key of the socket that was open, and there.

    Whether that is news to its owner today.
    """
    detail = {"address": address, "holder_address": holder_address}
    once = trail.two_holders(now.date())
    return await _note(session, charge_point_id, Finding.TWO_HOLDERS, TrailAction.TWO_HOLDERS, once, detail, now)


async def note_ended_key(
    session: AsyncSession,
    charge_point_id: ChargePointId,
    credential_id: str,
    *,
    ended_at: datetime | None,
    address: str,
    now: datetime,
) -> bool:
    """Write that somebody came with a key that was the charge point's until `ended_at`, once a day for each such key.

    Whether that is news to its owner today.
    """
    detail = {"ended_at": ended_at.isoformat() if ended_at else None, "address": address}
    once = trail.ended_key_tried(credential_id, now.date())
    action = TrailAction.ENDED_KEY_TRIED
    return await _note(session, charge_point_id, Finding.ENDED_KEY_TRIED, action, once, detail, now)


async def _note(
    session: AsyncSession,
    charge_point_id: ChargePointId,
    what: Finding,
    action: TrailAction,
    once: str,
    detail: dict[str, Any],
    now: datetime,
) -> bool:
    """Write it on the charge point's own trail, and as a finding, the first time on a day (UTC)."""
    subject = trail.of_charge_point(charge_point_id)
    if not await audit.append(session, subject, actor="system", action=action, detail=detail, once=once):
        return False
    return await findings.note_seen(session, what, charge_point_id, now)
