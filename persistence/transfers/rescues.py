"""What ended transfers have left to do at chargers, and which chargers are there to take it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger import Shortfall
from domain.ids import ChargePointId, TransferId
from domain.transfer import DUE, TransferWarning
from persistence.chargers import credentials, present_connections
from persistence.tables import ChargePoint, LocalList, PresentConnection, Transfer
from persistence.transfers import transfers

#: What a list that is replaced once more may do, or leave, anew.
_AT_LISTS: Final = frozenset(TransferWarning(shortfall.value) for shortfall in Shortfall)

#: How long a charger that is there and did not take what is due is left alone: at first, and at most.
FIRST_PAUSE: Final = timedelta(minutes=15)
LONGEST_PAUSE: Final = timedelta(days=1)


async def due_on(rows: AsyncSession, charge_point_id: ChargePointId) -> list[TransferId]:
    """List what is left to do on a charge point, the oldest first; nothing while a transfer is at work there."""
    if await transfers.at_charger(rows, charge_point_id) is not None:
        return []
    query = select(Transfer.id, Transfer.warnings, ChargePoint.until_new_key).join(ChargePoint)
    query = query.where(Transfer.charge_point_id == charge_point_id, Transfer.due).order_by(Transfer.finished_at)
    return [TransferId(row.id) for row in await rows.execute(query) if _has_work(row.warnings, row.until_new_key)]


async def waiting(rows: AsyncSession, now: datetime) -> list[TransferId]:
    """List what is left to do at chargers that are there; what they did not take is tried less and less often."""
    query = (
        select(
            Transfer.id, Transfer.rescue_tried_at, Transfer.rescue_tries, Transfer.warnings, ChargePoint.until_new_key
        )
        .join(ChargePoint, ChargePoint.id == Transfer.charge_point_id)
        .join(PresentConnection, PresentConnection.charge_point_id == Transfer.charge_point_id)
        .where(Transfer.due, present_connections.is_released())
        .order_by(Transfer.finished_at)
    )
    return [
        TransferId(row.id)
        for row in await rows.execute(query)
        if _has_work(row.warnings, row.until_new_key)
        and (row.rescue_tried_at is None or row.rescue_tried_at + _pause(row.rescue_tries) < now)
    ]


def _has_work(warnings: Collection[str], until_new_key: str | None) -> bool:
    """Whether something is left but to wait for a key that somebody types."""
    left = DUE.intersection(warnings)
    return bool(left - {TransferWarning.OLD_KEY_KNOWN}) or until_new_key is None


def _pause(tries: int) -> timedelta:
    doubled: int = 2 ** min(tries, 10)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE)


async def is_ready(rows: AsyncSession, row: Transfer) -> bool:
    """Whether what a transfer has left to do can be done now. Only reads."""
    charge_point_id = ChargePointId(row.charge_point_id)
    place = await present_connections.whereabouts(rows, charge_point_id)
    return (
        row.due
        and _has_work(row.warnings, await _until_new_key(rows, charge_point_id))
        and place.node is not None
        and not place.quarantined
        and await transfers.at_charger(rows, charge_point_id) is None
        and not await credentials.is_pending(rows, charge_point_id, row.id)
    )


async def _until_new_key(rows: AsyncSession, charge_point_id: ChargePointId) -> str | None:
    return (await rows.execute(select(ChargePoint.until_new_key).where(ChargePoint.id == charge_point_id))).scalar_one()


async def has_unsure_list(rows: AsyncSession, row: Transfer) -> bool:
    """Whether its charger may not have the present group's list: while people knew its key no list had tags in it.

    A later move to another group sent an empty one, too; and it may have been somebody else who took it.
    """
    if TransferWarning.OLD_KEY_KNOWN not in row.warnings:
        return False
    listed = select(LocalList.version).where(LocalList.charge_point_id == row.charge_point_id)
    return row.from_group_id != row.to_group_id or (await rows.execute(listed)).first() is not None


def has_unsure_release(row: Transfer) -> bool:
    """Whether its charger may still be inoperative: it was made so, and somebody else may have been told otherwise."""
    return TransferWarning.OLD_KEY_KNOWN in row.warnings and row.from_group_id != row.to_group_id


async def settle(
    rows: AsyncSession,
    row: Transfer,
    *,
    lists: bool,
    release: bool,
    lists_not_supported: bool = False,
    left_at_lists: Sequence[TransferWarning] = (),
) -> list[TransferWarning]:
    """Clear what was done from a transfer's warnings, and give what was cleared; nothing of one that has none due.

    `lists` are done, too, where the charger says now that it takes none (`lists_not_supported`), or could not do all
    of it (`left_at_lists`).
    New credentials that the charger refused in the meantime stay a warning, under their own name: that the old key is
    known, where the new owner is to type one.
    """
    if not row.due:
        return []
    point = ChargePointId(row.charge_point_id)
    awaited = await _until_new_key(rows, point) is not None
    done = {TransferWarning.CHARGER_OFFLINE, TransferWarning.CREDENTIALS_DUE}
    done |= set() if awaited else {TransferWarning.OLD_KEY_KNOWN}
    done |= {TransferWarning.LISTS_DUE, TransferWarning.LISTS_NOT_SUPPORTED, *_AT_LISTS} if lists else set()
    done |= {TransferWarning.RELEASE_DUE} if release else set()
    warnings = [TransferWarning(warning) for warning in row.warnings if warning in set(TransferWarning)]
    newer = [warning for warning in row.warnings if warning not in warnings]  # of a newer release: left as they are
    left = [warning for warning in warnings if warning not in done]
    if lists_not_supported:
        left.append(TransferWarning.LISTS_NOT_SUPPORTED)
    left += left_at_lists
    if TransferWarning.CREDENTIALS_DUE in warnings:
        if awaited:
            left.append(TransferWarning.OLD_KEY_KNOWN)
        elif await credentials.was_refused(rows, point, row.id):
            left.append(TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED)
    if not awaited and not lists and await has_unsure_list(rows, row):
        left.append(TransferWarning.LISTS_DUE)
    if not awaited and not release and has_unsure_release(row):
        left.append(TransferWarning.RELEASE_DUE)
    row.warnings = [*(warning.value for warning in dict.fromkeys(left)), *newer]
    row.due = not DUE.isdisjoint(left)
    return [warning for warning in warnings if warning not in left]
