"""Where the register disagrees with itself, or with the chargers' keys; each question is one query, and only reads.

What takes a look at every charge point, or at every request, is asked of a slice of them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.ids import TransferId
from domain.keys import KeyPurpose
from domain.reconciliation import Finding
from domain.transfer import ACTIVE, FINAL, Connection, TransferState, TransferWarning
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
_STATES: Final = {state.value: state for state in TransferState}
_COMPLETED: Final = (TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS)


@dataclass(frozen=True)
class Slice:
    """Ids behind `after` up to `until`, which is empty at the end of all; and `also` some others."""

    after: str = ""
    until: str = ""
    also: frozenset[str] = frozenset()

    def has(self, column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        """Give the condition that a column's id is one of them."""
        inside = and_(column > self.after, column <= self.until) if self.until else column > self.after
        return or_(inside, column.in_(self.also)) if self.also else inside


async def cut(
    rows: AsyncSession, key: InstrumentedAttribute[str], after: str, number: int, also: Collection[str]
) -> Slice:
    """Cut the next slice of a table by its key; of others in `also` not all at once."""
    last = select(key).where(key > after).order_by(key).offset(number - 1).limit(1)
    until = (await rows.execute(last)).scalar_one_or_none()
    return Slice(after, until or "", frozenset(sorted(also)[:_AT_ONCE]))


async def not_started(rows: AsyncSession, since: datetime) -> list[TransferId]:
    """List requests kept before `since` whose workflow has not answered: a crash or an outage was in between."""
    query = select(Request.transfer_id).where(Request.started_at.is_(None), Request.requested_at < since)
    return [TransferId(found) for found in await rows.scalars(query.order_by(Request.requested_at))]


async def states(rows: AsyncSession, also: Collection[TransferId]) -> dict[TransferId, TransferState]:
    """Give the state of every transfer that is under way, and of those in `also`, of ended ones not all at once."""
    query = select(Transfer.id, Transfer.state)
    under_way = query.where(Transfer.state.in_([state.value for state in ACTIVE]))  # of which an index alone tells
    found = {TransferId(one): _STATES[state] for one, state in await rows.execute(under_way)}
    ended = [one for one in also if one not in found][:_AT_ONCE]
    others = await rows.execute(query.where(Transfer.id.in_(ended))) if ended else ()
    return found | {TransferId(one): _STATES[state] for one, state in others}


async def state_of(rows: AsyncSession, transfer_id: TransferId) -> TransferState | None:
    """Give the state of one transfer, or of its request; None where there is neither."""
    state = (await rows.execute(select(Transfer.state).where(Transfer.id == transfer_id))).scalar_one_or_none()
    if state is not None:
        return TransferState(state)
    return TransferState.REQUESTED if await rows.get(Request, transfer_id) else None


async def rowless(rows: AsyncSession, among: Slice) -> dict[TransferId, TransferState]:
    """Give the state of requests that were started and have no row: they are under way too."""
    lost = Request.started_at.is_not(None), ~exists().where(Transfer.id == Request.transfer_id)
    query = select(Request.transfer_id).where(among.has(Request.transfer_id), *lost)
    return dict.fromkeys(map(TransferId, await rows.scalars(query)), TransferState.REQUESTED)


async def unknown(rows: AsyncSession, among: Collection[TransferId]) -> list[TransferId]:
    """Give those of some transfers of which there is neither a request nor a row."""
    wanted = list(among)[:_AT_ONCE]
    found = set(await rows.scalars(select(Request.transfer_id).where(Request.transfer_id.in_(wanted))))
    if left := [one for one in wanted if one not in found]:
        found |= set(await rows.scalars(select(Transfer.id).where(Transfer.id.in_(left))))
    return [one for one in wanted if one not in found]


async def of_the_register(rows: AsyncSession, points: Slice) -> list[tuple[Finding, str]]:
    """List what the register alone tells of some charge points, each with the id of its transfer or charge point."""
    found = []
    for kind, query in (
        (Finding.SESSIONS_BLOCKED, _sessions_blocked()),
        (Finding.KEY_LEFT_PENDING, _keys_left_pending(points)),
        (Finding.LEDGER_DISAGREES, _differing_from_ledger(points)),
    ):
        found += [(kind, subject) for subject in await rows.scalars(query)]
    for row in await rows.execute(_older_keys_than_owners(points)):
        if _KEEPS_OLD_KEY.isdisjoint(row.warnings):
            found.append((Finding.FORMER_OWNERS_KEY, row.id))
    return found


def _sessions_blocked() -> Select[str]:
    """Select ended transfers that block a charge point; of all charge points, as few are blocked."""
    blocked = select(ChargePoint.sessions_blocked_by).where(ChargePoint.sessions_blocked_by.is_not(None))
    return select(Transfer.id).where(Transfer.id.in_(blocked), Transfer.state.in_(FINAL))


def _keys_left_pending(points: Slice) -> Select[str]:
    return (
        select(Transfer.id)
        .join(Credential, Credential.order_id == Transfer.id)
        .where(
            points.has(Credential.charge_point_id),
            Credential.state == KeyState.PENDING,
            Credential.withdrawn_at.is_(None),
            Credential.unattended.is_(False),
            Credential.purpose != KeyPurpose.TYPED,
            Transfer.state.in_(FINAL),
        )
    )


def _differing_from_ledger(points: Slice) -> Select[str]:
    """Charge points without exactly one open period, or whose open period says something else."""
    is_open = and_(OwnershipPeriod.charge_point_id == ChargePoint.id, OwnershipPeriod.ended_at.is_(None))
    same = and_(
        OwnershipPeriod.owner_id == ChargePoint.owner_id,
        OwnershipPeriod.group_id == ChargePoint.group_id,
        OwnershipPeriod.version == ChargePoint.version,
    )
    how_many = select(func.count()).where(is_open).scalar_subquery()
    how_many_same = select(func.count()).where(is_open, same).scalar_subquery()
    return select(ChargePoint.id).where(points.has(ChargePoint.id), or_(how_many != 1, how_many_same != 1))


def _older_keys_than_owners(points: Slice) -> Select[str, list[str]]:
    """Charge points whose key is older than their owner, though its transfer was to replace it; with its warnings."""
    return (
        select(ChargePoint.id, Transfer.warnings)
        .join(OwnershipPeriod, OwnershipPeriod.charge_point_id == ChargePoint.id)
        .join(Transfer, Transfer.id == OwnershipPeriod.transfer_id)
        .join(Credential, Credential.charge_point_id == ChargePoint.id)
        .where(
            points.has(ChargePoint.id),
            points.has(OwnershipPeriod.charge_point_id),
            OwnershipPeriod.ended_at.is_(None),
            OwnershipPeriod.change == "transfer",
            Transfer.state.in_(_COMPLETED),
            Transfer.from_owner_id != Transfer.to_owner_id,
            Transfer.connection == Connection.KEEP,
            Credential.state == KeyState.CURRENT,
            func.coalesce(Credential.proved_at, Credential.created_at) < OwnershipPeriod.started_at,
        )
    )
