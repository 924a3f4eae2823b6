"""What ended transfers have left to do at chargers, and which chargers are there to take it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ChargePointId, TransferId
from domain.transfer import DUE, TransferWarning
from persistence import charger_links, credentials, transfers
from persistence.tables import Link, Transfer

#: The warnings that a settled transfer has no more.
_SETTLED: Final = DUE | {TransferWarning.CHARGER_OFFLINE}


async def due_on(session: AsyncSession, charge_point_id: ChargePointId) -> list[TransferId]:
    """List what is left to do on a charge point, the oldest first; nothing while a transfer is under way."""
    if await transfers.active_on(session, charge_point_id) is not None:
        return []
    query = select(Transfer.id).where(Transfer.charge_point_id == charge_point_id, Transfer.due)
    return [TransferId(found) for found in await session.scalars(query.order_by(Transfer.finished_at))]


async def waiting(session: AsyncSession, tried_before: datetime) -> list[TransferId]:
    """List what is left to do at chargers that are there, and was not tried since `tried_before`."""
    query = (
        select(Transfer.id)
        .join(Link, Link.charge_point_id == Transfer.charge_point_id)
        .where(Transfer.due, Link.node.is_not(None), Link.quarantined.is_(False))
        .where(or_(Transfer.rescue_tried_at.is_(None), Transfer.rescue_tried_at < tried_before))
    )
    return [TransferId(found) for found in await session.scalars(query.order_by(Transfer.finished_at))]


async def is_ready(session: AsyncSession, row: Transfer) -> bool:
    """Whether what a transfer has left to do can be done now. Only reads."""
    charge_point_id = ChargePointId(row.charge_point_id)
    place = await charger_links.whereabouts(session, charge_point_id)
    return (
        row.due
        and place.node is not None
        and not place.quarantined
        and await transfers.active_on(session, charge_point_id) is None
        and not await credentials.is_pending(session, charge_point_id, row.id)
    )


async def settle(session: AsyncSession, row: Transfer) -> Iterable[TransferWarning]:
    """Clear what is done from a transfer's warnings, and give what was cleared.

    New credentials that the charger refused in the meantime stay a warning, under their own name.
    """
    warnings = [TransferWarning(warning) for warning in row.warnings]
    left = [warning for warning in warnings if warning not in _SETTLED]
    if TransferWarning.CREDENTIALS_DUE in warnings and await credentials.was_refused(
        session, ChargePointId(row.charge_point_id), row.id
    ):
        left.append(TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED)
    row.due, row.warnings = False, [warning.value for warning in left]
    return [warning for warning in warnings if warning not in left]
