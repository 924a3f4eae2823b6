"""The keys with which chargers authenticate, and how one replaces another: the rule for credentials.

Every function works in the caller's writing transaction and leaves the commit to it. No key is in any error or repr.
A key that people know is never replaced by sending a new one once its owner has changed: see decision 14.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, and_, case, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger import REFUSALS, TAKEN, KeyAnswer
from domain.charger_orders import KeyFacts, check_replaceable
from domain.errors import Refusal
from domain.ids import ChargePointId, TransferId
from domain.keys import OWN, KeyPurpose, KnownTo
from domain.trail import TrailAction
from domain.transfer import UntilNewKey
from persistence.chargers.charger_keys import (
    PURPOSE,
    Keys,
    KeyState,
    lock_keys,
    may_be_taken,
    new_key,
    note,
    read_keys,
    revoke,
    set_aside,
    turn,
)
from persistence.tables import ChargePoint, Credential
from persistence.transfers import transfers
from persistence.vault import Vault

KEY_BYTES: Final = 20


@dataclass(frozen=True)
class CredentialStatus:
    """How far one order's rotation is. `answer` is a KeyAnswer, None where the key was not sent yet."""

    answer: str | None = None
    answer_counts: bool = False
    """It came over a released connection that only the charger can have opened."""
    proven: bool = False
    old_key_returns: int = 0
    has_key: bool = False
    """False also where it took another order's key over, which the charger then refused: it is that one's again."""
    handed_out: bool = False
    """The new owner was given a key to type, which is not in use yet: there is no way back."""


# --- keys that are made here ------------------------------------------------------------------------------------------


async def change_hands(
    rows: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    order_id: str,
    *,
    quarantines_old: bool,
    until_new_key: UntilNewKey,
    now: datetime,
) -> bool:
    """Do at a change of owner, which is on record already, what the class of the key in use demands.

    True: people may know it, so no key is made; from now on it opens what `until_new_key` says, until the new owner's
    own is in use. False: only the charger knows it, and the key that it is to take on is made, or taken over from an
    order that is still pending. A repeat of the order changes nothing.
    """
    keys = await lock_keys(rows, charge_point_id)
    if await _has_key_of(rows, charge_point_id, order_id):
        return False
    if keys.pending is not None and not keys.pending.successor:
        await set_aside(rows, keys, keys.pending, now)
        keys = await lock_keys(rows, charge_point_id)
    if keys.known_to is KnownTo.PEOPLE:
        await _open_by(rows, charge_point_id, until_new_key)
        return True
    if keys.holder.until_new_key is not None:
        await _open_by(rows, charge_point_id, None)
    await _make_pending(rows, vault, charge_point_id, keys, order_id, quarantines_old=quarantines_old, now=now)
    return False


async def _make_pending(
    rows: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    keys: Keys,
    order_id: str,
    *,
    quarantines_old: bool,
    now: datetime,
) -> None:
    """Make the key that the charger is to take on.

    Where another order's key is still pending, the charger may hold it, so no third key is made: this order takes it
    over and begins anew with it (not sent, no answer, no returns). If that order was withdrawn, the old key is the
    present holder's and only `quarantines_old` counts. If it was not, its change of owner stands and the old key is a
    former owner's: it opens no more than a quarantined connection from now on.
    """
    pending = keys.pending
    if pending is not None:
        stands = pending.withdrawn_at is None and pending.purpose not in OWN
        await turn(
            rows,
            pending,
            order_id=order_id,
            purpose=KeyPurpose.TRANSFER,
            version=keys.holder.version,
            taken_from=pending.order_id if stands else None,
            quarantines_old=quarantines_old or stands,
            unattended=False,
            maybe_taken=may_be_taken(pending),
            sent_at=None,
            answer=None,
            answer_counts=False,
            old_key_returns=0,
            starts_with_old=0,
            sendings=0,
            restarted_at=None,
            withdrawn_at=None,
        )
        return
    theirs = {"order_id": order_id, "quarantines_old": quarantines_old}
    await _fresh(rows, vault, charge_point_id, keys, KeyPurpose.TRANSFER, now, **theirs)


async def _fresh(
    rows: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    keys: Keys,
    purpose: KeyPurpose,
    now: datetime,
    **values: object,
) -> None:
    """Add the row of a new random key, with `values` beside it."""
    raw = secrets.token_bytes(KEY_BYTES)
    text = raw.hex().encode()
    row = new_key(
        charge_point_id,
        KeyState.PENDING,
        vault.mac(PURPOSE, text),
        now,
        purpose=purpose,
        version=keys.holder.version,
        known_to=KnownTo.CHARGER,
    )
    row.mac_decoded = vault.mac(PURPOSE, raw)
    row.sealed_key = vault.seal(text)
    row.successor = purpose is not KeyPurpose.ENROLMENT
    for name, value in values.items():
        setattr(row, name, value)
    rows.add(row)
    await rows.flush()
    await note(rows, charge_point_id, TrailAction.KEY_MADE, {"purpose": row.purpose, "known_to": row.known_to})


async def make_own(
    rows: AsyncSession, vault: Vault, charge_point_id: ChargePointId, now: datetime, *, asked: bool = False
) -> KeyPurpose | None:
    """Make the key that replaces a present owner's own, or find it pending; None where none may be.

    Enrolment replaces a key that people know; with `asked`, by its owner, one that only the charger knows is replaced
    too, and it is tried where it was refused before or taken without a proof yet. Not where the key is older than its
    owner, nor while a transfer is at work; a pending key of another purpose that the charger may hold stays good beside
    the old one.
    """
    keys = await lock_keys(rows, charge_point_id)
    pending = keys.pending
    at_work = await transfers.at_charger(rows, charge_point_id) is not None
    people = keys.known_to is KnownTo.PEOPLE
    if not asked and (not people or keys.holder.rotates is False):
        return None
    try:
        check_replaceable(facts_of(keys, transfer_at_work=at_work))
    except Refusal:
        return None
    if pending is not None and pending.withdrawn_at is None:
        if pending.answer in TAKEN:
            if not asked:
                return None
            await turn(rows, pending, answer=None, maybe_taken=True)
        return KeyPurpose(pending.purpose)
    if pending is not None:
        await set_aside(rows, keys, pending, now)
    purpose = KeyPurpose.ENROLMENT if people else KeyPurpose.ROTATION
    await _fresh(rows, vault, charge_point_id, keys, purpose, now)
    return purpose


async def needs_restart(rows: AsyncSession, charge_point_id: ChargePointId) -> bool:
    """Whether the charger has taken a key in place of the present owner's own, and needs a restart to use it.

    Not while a transfer is at work.
    """
    pending = (await read_keys(rows, charge_point_id)).pending
    if pending is None or pending.withdrawn_at is not None or pending.purpose not in OWN:
        return False
    return pending.answer == KeyAnswer.REBOOT_REQUIRED and await transfers.at_charger(rows, charge_point_id) is None


def facts_of(keys: Keys, *, transfer_at_work: bool) -> KeyFacts:
    """Say what decides whether a fresh key may be sent in place of the one in use."""
    current, pending = keys.current, keys.pending
    return KeyFacts(
        known_to=keys.known_to if current is not None else None,
        owners=current is not None and keys.is_owners(current),
        other_awaited=pending is not None and pending.withdrawn_at is None and pending.purpose not in OWN,
        transfer_at_work=transfer_at_work,
    )


async def _open_by(rows: AsyncSession, charge_point_id: ChargePointId, until_new_key: UntilNewKey | None) -> None:
    """Say what keys that are older than the owner open from now on."""
    await rows.execute(
        update(ChargePoint).where(ChargePoint.id == charge_point_id).values(until_new_key=until_new_key),
        execution_options={"synchronize_session": False},
    )
    if until_new_key is not None:
        await note(rows, charge_point_id, TrailAction.NEW_KEY_AWAITED, {"until_new_key": until_new_key.value})


# --- calling off ------------------------------------------------------------------------------------------------------


async def withdraw(rows: AsyncSession, charge_point_id: ChargePointId, order_id: str, now: datetime) -> None:
    """Call an order's rotation off before its proof, or after the charger refused it; nothing where it is proven.

    A key that the charger can't hold (never sent, or each sending refused) is dropped. Otherwise either key opens an
    ordinary connection until the charger has shown which one it uses. One that its new owner was given to type stays.
    """
    keys = await lock_keys(rows, charge_point_id)
    pending = keys.pending
    if pending is None or pending.order_id != order_id or pending.withdrawn_at is not None:
        return
    if pending.purpose != KeyPurpose.TYPED:
        await _call_off(rows, pending, now)


async def leave_due(rows: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> None:
    """Leave an order's key to the gateway: its transfer ends before the proof; nothing where it is proven or withdrawn.

    From now on the old key opens no more than a quarantined connection.
    """
    pending = (await lock_keys(rows, charge_point_id)).pending
    if pending is not None and pending.order_id == order_id and pending.withdrawn_at is None:
        await turn(rows, pending, quarantines_old=True, unattended=True)


async def await_new_key(
    rows: AsyncSession, charge_point_id: ChargePointId, order_id: str, until_new_key: UntilNewKey, now: datetime
) -> None:
    """Turn an order's rotation, which the charger refused, into the wait for the new owner's key.

    The old key opens what `until_new_key` says; nothing where the rotation is proven, withdrawn or handed out.
    """
    keys = await lock_keys(rows, charge_point_id)
    pending = keys.pending
    if pending is None or pending.order_id != order_id or pending.purpose == KeyPurpose.TYPED:
        return
    await set_aside(rows, keys, pending, now)
    await _open_by(rows, charge_point_id, until_new_key)


async def refuse_unattended(rows: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> bool:
    """Turn a key that nobody waits for, and that the charger refused, into the new owner's to type; whether one was.

    What the old key opens from then on is what was chosen as its transfer was accepted.
    """
    pending = (await lock_keys(rows, charge_point_id)).pending
    if pending is None or not pending.unattended or pending.order_id is None or pending.answer not in REFUSALS:
        return False
    choice = await transfers.await_new_key(rows, TransferId(pending.order_id))
    await await_new_key(rows, charge_point_id, pending.order_id, choice, now)
    return True


async def restore(rows: AsyncSession, charge_point_id: ChargePointId, until_new_key: UntilNewKey | None) -> None:
    """Say after a roll-back what keys open that are older than the owner who has it again."""
    await lock_keys(rows, charge_point_id)
    await _open_by(rows, charge_point_id, until_new_key)


async def revoke_all(rows: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> None:
    """Revoke every key: the charge point's connection is deleted."""
    keys = await lock_keys(rows, charge_point_id)
    for row in keys.living:
        await revoke(rows, row, now)
    await _open_by(rows, charge_point_id, None)


# --- reading ----------------------------------------------------------------------------------------------------------


class OrderKeys(NamedTuple):
    """What is known of the keys that an order made."""

    settled: bool = False
    """One is proven, or was given to the new owner to type."""
    sendings: int = 0
    """How often one was sent."""


async def keys_among(rows: AsyncSession, orders: Mapping[str, str]) -> dict[str, OrderKeys]:
    """Say of orders, each with its charge point, what is known of their keys; of those that made any.

    One query, by the charge points, of which there is an index; only reads.
    """
    proven = and_(Credential.proved_at.is_not(None), Credential.withdrawn_at.is_(None))
    handed_out = and_(Credential.state == KeyState.PENDING, Credential.purpose == KeyPurpose.TYPED)
    settled = func.max(case((or_(proven, handed_out), 1), else_=0))
    query = (
        select(Credential.order_id, settled, func.max(Credential.sendings))
        .where(Credential.charge_point_id.in_(set(orders.values())), Credential.order_id.in_(orders))
        .group_by(Credential.order_id)
    )
    found = (await rows.execute(query)).all()
    return {order_id: OrderKeys(bool(is_settled), sent) for order_id, is_settled, sent in found if order_id}


async def status(rows: AsyncSession, charge_point_id: Any, order_id: str) -> CredentialStatus:
    """Say how far an order's rotation is at a charge point (an id, or a query of one); without a key: nothing was."""
    point = Credential.charge_point_id == charge_point_id
    query = select(Credential).where(point, Credential.order_id == order_id)
    found = (await rows.scalars(query.order_by(Credential.created_at.desc(), Credential.id))).all()
    if not found:
        return CredentialStatus()
    proven = any(row.proved_at is not None and row.withdrawn_at is None for row in found)
    pending = next((row for row in found if row.state == KeyState.PENDING), None)
    made = next((row for row in found if row.purpose != KeyPurpose.TYPED), found[0])
    return CredentialStatus(
        has_key=True,
        answer=made.answer or (KeyAnswer.UNKNOWN.value if made.sent_at else None),
        answer_counts=made.answer_counts,
        proven=proven,
        old_key_returns=made.old_key_returns,
        handed_out=not proven and pending is not None and pending.purpose == KeyPurpose.TYPED,
    )


async def is_pending(rows: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> bool:
    """Whether an order's key is still to be taken on. Only reads."""
    query = select(Credential.id).where(
        Credential.charge_point_id == charge_point_id,
        Credential.order_id == order_id,
        Credential.state == KeyState.PENDING,
        Credential.withdrawn_at.is_(None),
    )
    return (await rows.execute(query)).first() is not None


async def was_refused(rows: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> bool:
    """Whether the charger refused an order's key. Only reads."""
    found = await status(rows, charge_point_id, order_id)
    return not found.proven and found.answer in REFUSALS


async def enrolment_sent_at(rows: AsyncSession, charge_point_id: ChargePointId) -> datetime | None:
    """Give when a key was last sent that replaces the present owner's own, and that is still to be answered.

    None where there is none, it was refused, or it waits for a restart. Only reads.
    """
    return (await rows.execute(enrolment_sent_to(charge_point_id))).scalar_one_or_none()


def enrolment_sent_to(charge_point_id: Any) -> Select[datetime | None]:
    """Give the query of `enrolment_sent_at` for a charge point: an id, or the column of one."""
    return select(Credential.last_sent_at).where(
        Credential.charge_point_id == charge_point_id,
        Credential.state == KeyState.PENDING,
        Credential.purpose.in_(OWN),
        Credential.answer.is_(None) | Credential.answer.in_((KeyAnswer.ACCEPTED.value, KeyAnswer.UNKNOWN.value)),
    )


async def _has_key_of(rows: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> bool:
    repeated = exists().where(Credential.charge_point_id == charge_point_id, Credential.order_id == order_id)
    return bool((await rows.execute(select(repeated))).scalar_one())


async def _call_off(rows: AsyncSession, pending: Credential, now: datetime) -> None:
    """Drop or withdraw a key; one that was taken over from an order that stands is that order's again, and due."""
    if pending.taken_from is not None:
        await turn(rows, pending, order_id=pending.taken_from, taken_from=None, unattended=True, quarantines_old=True)
    elif may_be_taken(pending):
        await turn(rows, pending, withdrawn_at=now)
    else:
        await revoke(rows, pending, now)
