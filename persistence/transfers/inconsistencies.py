"""Where the register disagrees with itself, or with the chargers' keys; each question is one query, and only reads."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import TransferId
from domain.keys import KeyPurpose
from domain.reconciliation import Finding
from domain.transfer import FINAL, Connection, TransferState, TransferWarning
from persistence.chargers.charger_keys import KeyState
from persistence.tables import ChargePoint, Credential, OwnershipPeriod, Request, Transfer

#: Warnings with which a charger keeps its former key for good reason.
_KEEPS_OLD_KEY: Final = {
    TransferWarning.CREDENTIALS_DUE,
    TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED,
    TransferWarning.OLD_KEY_KNOWN,
}
#: How many ids one query takes: a database has its limit.
_AT_ONCE: Final = 1000
_COMPLETED: Final = (TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS)


async def not_started(rows: AsyncSession, since: datetime) -> list[TransferId]:
    """List requests kept before `since` whose workflow has not answered: a crash or an outage was in between."""
    query = select(Request.transfer_id).where(Request.started_at.is_(None), Request.requested_at < since)
    return [TransferId(found) for found in await rows.scalars(query.order_by(Request.requested_at))]


async def states(rows: AsyncSession, also: Collection[TransferId]) -> dict[TransferId, TransferState]:
    """Give the state of every transfer that is under way, and of those in `also`, of ended ones not all at once.

    A request that was started and has no row yet is under way too.
    """
    query = select(Transfer.id, Transfer.state)
    rowless = Request.started_at.is_not(None), ~exists().where(Transfer.id == Request.transfer_id)
    found = dict.fromkeys(await rows.scalars(select(Request.transfer_id).where(*rowless)), TransferState.REQUESTED)
    found |= {row.id: TransferState(row.state) for row in await rows.execute(query.where(Transfer.active))}
    ended = [one for one in also if one not in found][:_AT_ONCE]
    found |= {row.id: TransferState(row.state) for row in await rows.execute(query.where(Transfer.id.in_(ended)))}
    return {TransferId(one): state for one, state in found.items()}


async def of_the_register(rows: AsyncSession) -> list[tuple[Finding, str]]:
    """List what the register alone tells, each with the id of its transfer or charge point."""
    found = []
    for kind, query in (
        (Finding.SESSIONS_BLOCKED, _sessions_blocked()),
        (Finding.KEY_LEFT_PENDING, _keys_left_pending()),
        (Finding.LEDGER_DISAGREES, _differing_from_ledger()),
    ):
        found += [(kind, subject) for subject in await rows.scalars(query)]
    for row in await rows.execute(_older_keys_than_owners()):
        if _KEEPS_OLD_KEY.isdisjoint(row.warnings):
            found.append((Finding.FORMER_OWNERS_KEY, row.id))
    return found


def _sessions_blocked() -> Select[str]:
    by = ChargePoint.sessions_blocked_by == Transfer.id
    return select(Transfer.id).join(ChargePoint, by).where(Transfer.state.in_(FINAL))


def _keys_left_pending() -> Select[str]:
    return (
        select(Transfer.id)
        .join(Credential, Credential.order_id == Transfer.id)
        .where(
            Credential.state == KeyState.PENDING,
            Credential.withdrawn_at.is_(None),
            Credential.unattended.is_(False),
            Credential.purpose != KeyPurpose.TYPED,
            Transfer.state.in_(FINAL),
        )
    )


def _differing_from_ledger() -> Select[str]:
    """Charge points without exactly one open period, or whose open period says something else."""
    is_open = and_(OwnershipPeriod.charge_point_id == ChargePoint.id, OwnershipPeriod.ended_at.is_(None))
    same = and_(
        OwnershipPeriod.owner_id == ChargePoint.owner_id,
        OwnershipPeriod.group_id == ChargePoint.group_id,
        OwnershipPeriod.version == ChargePoint.version,
    )
    how_many = select(func.count()).where(is_open).scalar_subquery()
    how_many_same = select(func.count()).where(is_open, same).scalar_subquery()
    return select(ChargePoint.id).where(or_(how_many != 1, how_many_same != 1))


def _older_keys_than_owners() -> Select[str, list[str]]:
    """Charge points whose key is older than their owner, though its transfer was to replace it; with its warnings."""
    return (
        select(ChargePoint.id, Transfer.warnings)
        .join(OwnershipPeriod, OwnershipPeriod.charge_point_id == ChargePoint.id)
        .join(Transfer, Transfer.id == OwnershipPeriod.transfer_id)
        .join(Credential, Credential.charge_point_id == ChargePoint.id)
        .where(
            OwnershipPeriod.ended_at.is_(None),
            OwnershipPeriod.change == "transfer",
            Transfer.state.in_(_COMPLETED),
            Transfer.from_owner_id != Transfer.to_owner_id,
            Transfer.connection == Connection.KEEP,
            Credential.state == KeyState.CURRENT,
            func.coalesce(Credential.proved_at, Credential.created_at) < OwnershipPeriod.started_at,
        )
    )
