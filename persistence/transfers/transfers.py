"""Transfers, and the requests they come from."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ScalarSelect, and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger_orders import AT_WORK
from domain.errors import NotFound, TransferInProgress
from domain.ids import ID_PATTERN, ChargePointId, OrderId, TransferId, UserId, workflow_id
from domain.orders import OrderAct
from domain.policy import Policy
from domain.request import TransferRequest
from domain.rights import Scope
from domain.transfer import (
    FINAL,
    Attention,
    Connection,
    TransferState,
    TransferWarning,
    UntilNewKey,
    may_follow,
)
from persistence.tables import ApiKey, Order, Request, Transfer, User
from persistence.vault import Vault


@dataclass(frozen=True)
class Requested:
    """A request row, unsealed."""

    sender_id: UserId
    scopes: frozenset[Scope]
    charge_point_id: ChargePointId
    request: TransferRequest
    requested_at: datetime
    policy: Policy
    sender_active: bool = True
    """Whether the account that asked is usable."""
    order_id: OrderId | None = None
    """The order to start it; None where the request says all there is."""


async def requested(rows: AsyncSession, vault: Vault, transfer_id: TransferId) -> Requested:
    """Read the request of a transfer, with the scopes that its API key still gives; raises NotFound."""
    wanted = (
        select(Request, ApiKey.revoked_at, User.status, Order.id)
        .join(User, User.id == Request.user_id)
        .outerjoin(ApiKey, ApiKey.id == Request.api_key_id)
        .outerjoin(Order, and_(Order.subject == Request.transfer_id, Order.act == OrderAct.START.value))
        .where(Request.transfer_id == transfer_id)
    )
    found = (await rows.execute(wanted)).one_or_none()
    if found is None:
        raise NotFound("There is no such transfer.")
    row, revoked_at, status, order_id = found
    return Requested(
        sender_id=UserId(row.user_id),
        scopes=frozenset() if revoked_at else frozenset(Scope(scope) for scope in row.scopes),
        charge_point_id=ChargePointId(row.charge_point_id),
        request=TransferRequest.model_validate_json(vault.unseal(row.sealed_body)),
        requested_at=row.requested_at,
        policy=Policy.model_validate(row.policy),
        sender_active=status == "active",
        order_id=OrderId(order_id) if order_id else None,
    )


async def policy_of(rows: AsyncSession, transfer_id: TransferId) -> Policy:
    """Give how long a transfer waits for what. Only reads; raises NoResultFound."""
    wanted = select(Request.policy).where(Request.transfer_id == transfer_id)
    return Policy.model_validate((await rows.execute(wanted)).scalar_one())


async def requested_by_run(rows: AsyncSession, vault: Vault, transfer_id: TransferId, name: str) -> Requested | None:
    """Read the request that a workflow of the id `name` says it carries out; None where nobody has asked for that."""
    if name != workflow_id(transfer_id) or ID_PATTERN.fullmatch(transfer_id) is None:
        return None
    with suppress(NotFound):
        return await requested(rows, vault, transfer_id)
    return None


async def find(rows: AsyncSession, transfer_id: TransferId) -> Transfer | None:
    """Read a transfer's row for changing it: locked until the transaction ends."""
    return await rows.get(Transfer, transfer_id, with_for_update=True)


async def get(rows: AsyncSession, transfer_id: TransferId) -> Transfer:
    """Read a transfer's row as `find`; raises NotFound."""
    row = await find(rows, transfer_id)
    if row is None:
        raise NotFound("There is no such transfer.")
    return row


def point_of(transfer_id: TransferId) -> ScalarSelect[str]:
    """Give the charge point that a transfer is of, as a part of another query."""
    return select(Transfer.charge_point_id).where(Transfer.id == transfer_id).scalar_subquery()


async def active_on(rows: AsyncSession, charge_point_id: ChargePointId) -> TransferId | None:
    """Give the transfer that reserves a charge point."""
    query = select(Transfer.id).where(Transfer.charge_point_id == charge_point_id, Transfer.active)
    found = (await rows.execute(query)).scalar_one_or_none()
    return TransferId(found) if found else None


async def at_charger(rows: AsyncSession, charge_point_id: ChargePointId) -> TransferId | None:
    """Give the transfer that is at work on a charge point: one that waits for its recipient is not."""
    query = select(Transfer.id).where(
        Transfer.charge_point_id == charge_point_id,
        Transfer.active,
        Transfer.state != TransferState.AWAITING_ACCEPTANCE.value,
    )
    found = (await rows.execute(query)).scalar_one_or_none()
    return TransferId(found) if found else None


def enter(row: Transfer, state: TransferState, now: datetime) -> None:
    """Move a transfer to `state`; the same state again is none. A final state releases the charge point.

    Raises AssertionError for a move that the table of states does not have: a fault of ours.
    """
    before = TransferState(row.state)
    if before is state:
        return
    if not may_follow(before, state):
        raise AssertionError(f"{before} can't become {state}")
    row.state = state.value
    row.attention, row.waiting_until = "", None
    if state in FINAL:
        row.active = False
        row.finished_at = now


def wait_anew(row: Transfer) -> None:
    """Write what a transfer waits for as it is reserved, or taken up: its recipient, or nobody."""
    asks = row.state == TransferState.AWAITING_ACCEPTANCE.value
    row.attention = Attention.RECIPIENT.value if asks else Attention.NONE.value
    row.waiting_until = row.expires_at if asks else None


async def mark_started(rows: AsyncSession, transfer_id: TransferId, now: datetime) -> None:
    """Note that a request's workflow has reserved, so that nobody starts it again, whoever waits for its answer."""
    await rows.execute(
        update(Request).where(Request.transfer_id == transfer_id, Request.started_at.is_(None)).values(started_at=now),
        execution_options={"synchronize_session": False},
    )


async def await_new_key(rows: AsyncSession, transfer_id: TransferId) -> UntilNewKey:
    """Write that a transfer waits for its new owner's key, and give what the old one opens until then."""
    row = await get(rows, transfer_id)
    row.new_key = True
    await rows.flush()
    return UntilNewKey(row.until_new_key)


#: What a transfer waits for while its new owner may type a key into the charger.
_LETS_TYPE: Final = frozenset({Attention.NEW_KEY, Attention.CHARGER_OFFLINE, Attention.OPERATOR})
#: Warnings of an ended transfer whose new owner is still to type a key.
_KEY_DUE: Final = frozenset({TransferWarning.OLD_KEY_KNOWN, TransferWarning.CREDENTIALS_DUE})


async def awaits_key(rows: AsyncSession, charge_point_id: ChargePointId) -> TransferId | None:
    """Give the transfer, under way or ended, whose proof is a key that the present owner types now; None: none is.

    One under way waits for it from then on. Raises TransferInProgress where one is under way that can't take it.
    """
    active = await at_charger(rows, charge_point_id)
    if active is not None:
        row = await get(rows, active)
        keeps = row.connection == Connection.KEEP
        changed = row.state == TransferState.RECONFIGURING and row.to_owner_id != row.from_owner_id
        waits = row.new_key or (row.attention in _LETS_TYPE and (row.new_key is not None or not keeps))
        if not changed or not waits:
            raise TransferInProgress(AT_WORK)
        if not keeps:
            return None
        row.new_key = True
        await rows.flush()
        return active
    due = select(Transfer).where(Transfer.charge_point_id == charge_point_id, Transfer.due)
    for row in await rows.scalars(due.order_by(Transfer.finished_at.desc())):
        if not _KEY_DUE.isdisjoint(row.warnings):
            return TransferId(row.id)
    return None


async def charge_point_of(rows: AsyncSession, transfer_id: TransferId) -> ChargePointId:
    """Give the charge point of a transfer; raises NotFound. Only reads."""
    query = select(Transfer.charge_point_id).where(Transfer.id == transfer_id)
    found = (await rows.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such transfer.")
    return ChargePointId(found)
