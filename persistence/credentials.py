"""The keys with which chargers authenticate, and how one replaces another: the rule for credentials.

Every function works in the caller's writing transaction and leaves the commit to it. No key is in any error or repr.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ChargePointId
from domain.keys import KeyPurpose
from persistence.charger_keys import PURPOSE, KeyState, lock_keys, new_key, revoke, turn
from persistence.tables import Credential
from persistence.vault import Vault

KEY_BYTES: Final = 20


class KeyAnswer(StrEnum):
    """What a charger answered to its pending key; `unknown`: nothing was heard, it may have taken it."""

    ACCEPTED = "accepted"
    REBOOT_REQUIRED = "reboot_required"
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    UNKNOWN = "unknown"


#: The answers after which a charger still has its old key, if it can't have taken the new one earlier.
REFUSALS: Final = frozenset({KeyAnswer.REJECTED.value, KeyAnswer.NOT_SUPPORTED.value})


@dataclass(frozen=True)
class PendingKey:
    """A pending key, to be sent; its text stays out of every repr."""

    credential_id: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class CredentialStatus:
    """How far one order's rotation is. `answer` is a KeyAnswer, None where the key was not sent yet."""

    answer: str | None = None
    proven: bool = False
    old_key_returns: int = 0
    has_key: bool = False
    """False also where it took another order's key over, which the charger then refused: it is that one's again."""


async def make_pending(
    session: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    order_id: str,
    *,
    quarantines_old: bool,
    now: datetime,
) -> None:
    """Make the key that the charger is to take on; a repeat of the order changes nothing, so the key stays the same.

    Where another order's key is still pending, the charger may hold it, so no third key is made: this order takes it
    over and begins anew with it (not sent, no answer, no returns). If that order was withdrawn, the old key is the
    present holder's and only `quarantines_old` counts. If it was not, its change of owner stands and the old key is a
    former owner's: it opens no more than a quarantined connection from now on.
    """
    repeated = exists().where(Credential.charge_point_id == charge_point_id, Credential.order_id == order_id)
    if (await session.execute(select(repeated))).scalar_one():
        return
    pending = (await lock_keys(session, charge_point_id)).pending
    if pending is not None:
        await turn(
            session,
            pending,
            order_id=order_id,
            taken_from=pending.order_id if pending.withdrawn_at is None else None,
            quarantines_old=quarantines_old or pending.withdrawn_at is None,
            unattended=False,
            maybe_taken=_may_be_taken(pending),
            sent_at=None,
            answer=None,
            old_key_returns=0,
            withdrawn_at=None,
        )
        return
    raw = secrets.token_bytes(KEY_BYTES)
    text = raw.hex().encode()
    mac = vault.mac(PURPOSE, text)
    row = new_key(charge_point_id, KeyState.PENDING, mac, now, purpose=KeyPurpose.TRANSFER, version=0)
    row.mac_decoded = vault.mac(PURPOSE, raw)
    row.sealed_key = vault.seal(text)
    row.order_id = order_id
    row.quarantines_old = quarantines_old
    session.add(row)
    await session.flush()


async def record_sent(
    session: AsyncSession, vault: Vault, charge_point_id: ChargePointId, now: datetime, order_id: str | None = None
) -> PendingKey | None:
    """Record that the pending key is being sent, and give it: commit before a single byte of it leaves.

    None where there is none to send: proven, withdrawn or dropped, or not that of `order_id`. Always the same key.
    The time of the first sending stays: the grace period counts from it.
    """
    pending = (await lock_keys(session, charge_point_id)).pending
    if pending is None or pending.withdrawn_at is not None or pending.sealed_key is None:
        return None
    if order_id is not None and pending.order_id != order_id:
        return None
    await turn(
        session,
        pending,
        sent_at=pending.sent_at or now,
        maybe_taken=_may_be_taken(pending),
        answer=None if pending.answer in REFUSALS else pending.answer,
    )
    return PendingKey(pending.id, vault.unseal(pending.sealed_key).decode())


async def record_answer(
    session: AsyncSession, charge_point_id: ChargePointId, credential_id: str, answer: KeyAnswer
) -> None:
    """Record what the charger answered; nothing where the key was proven, or lost its place, in the meantime.

    `accepted` stays, whatever comes later: it ended the old key's life at the charger. `unknown` overwrites nothing.
    """
    row = (await lock_keys(session, charge_point_id)).pending
    if row is None or row.id != credential_id:
        return
    stays = row.answer == KeyAnswer.ACCEPTED or (answer is KeyAnswer.UNKNOWN and row.answer is not None)
    await turn(
        session,
        row,
        answer=row.answer if stays else answer.value,
        maybe_taken=row.maybe_taken or answer.value not in REFUSALS,
    )


async def withdraw(session: AsyncSession, charge_point_id: ChargePointId, order_id: str, now: datetime) -> None:
    """Call an order's rotation off before its proof, or after the charger refused it; nothing where it is proven.

    A key that the charger can't hold (never sent, or each sending refused) is dropped. Otherwise either key opens an
    ordinary connection until the charger has used one, and that one is its key from then on.
    """
    pending = (await lock_keys(session, charge_point_id)).pending
    if pending is not None and pending.order_id == order_id and pending.withdrawn_at is None:
        await _call_off(session, pending, now)


async def leave_due(session: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> None:
    """Leave an order's key to the gateway: its transfer ends before the proof; nothing where it is proven or withdrawn.

    From now on the old key opens no more than a quarantined connection, and a refusal calls the key off by itself.
    """
    pending = (await lock_keys(session, charge_point_id)).pending
    if pending is not None and pending.order_id == order_id and pending.withdrawn_at is None:
        await turn(session, pending, quarantines_old=True, unattended=True)


async def withdraw_unattended(session: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> None:
    """Call a key off that the charger refused and that nobody waits for; of any other nothing."""
    pending = (await lock_keys(session, charge_point_id)).pending
    if pending is None or not pending.unattended or pending.withdrawn_at is not None:
        return
    if pending.answer in REFUSALS:
        await _call_off(session, pending, now)


async def revoke_all(session: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> None:
    """Revoke every key: the charge point's connection is deleted."""
    keys = await lock_keys(session, charge_point_id)
    for row in (keys.current, keys.pending):
        if row is not None:
            await revoke(session, row, now)


async def set_current(
    session: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    key: str,
    now: datetime,
    *,
    hex_digits: bool = False,
) -> None:
    """Make `key`, as somebody types it into the charger, its key; whatever was current or pending is revoked.

    Of `hex_digits` the charger may use the bytes that they stand for: both forms open, until one has. A repeat with the
    key that is current already changes nothing.
    """
    keys = await lock_keys(session, charge_point_id)
    text = key.encode()
    if keys.pending is None and keys.current is not None and vault.matches(PURPOSE, text, keys.current.mac):
        return
    await revoke_all(session, charge_point_id, now)
    row = new_key(charge_point_id, KeyState.CURRENT, vault.mac(PURPOSE, text), now, purpose=KeyPurpose.TYPED, version=0)
    row.mac_decoded = vault.mac(PURPOSE, bytes.fromhex(key)) if hex_digits else None
    session.add(row)
    await session.flush()


async def is_current(session: AsyncSession, vault: Vault, charge_point_id: ChargePointId, key: str) -> bool:
    """Whether `key`, hex digits that somebody types, is the charger's only key, in either form. Only reads."""
    query = select(Credential).where(
        Credential.charge_point_id == charge_point_id, Credential.state != KeyState.REVOKED
    )
    keys = (await session.scalars(query)).all()
    forms = (key.encode(), bytes.fromhex(key))
    return [row.state for row in keys] == [KeyState.CURRENT] and any(
        vault.matches(PURPOSE, form, keys[0].mac) for form in forms
    )


async def status(session: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> CredentialStatus:
    """Say how far an order's rotation is; of an order without a key: nothing happened. Only reads."""
    query = select(Credential).where(Credential.charge_point_id == charge_point_id, Credential.order_id == order_id)
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None:
        return CredentialStatus()
    answer = row.answer or (KeyAnswer.UNKNOWN.value if row.sent_at else None)
    proven = row.proved_at is not None and row.withdrawn_at is None
    return CredentialStatus(has_key=True, answer=answer, proven=proven, old_key_returns=row.old_key_returns)


async def is_pending(session: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> bool:
    """Whether an order's key is still to be taken on. Only reads."""
    query = select(Credential.id).where(
        Credential.charge_point_id == charge_point_id,
        Credential.order_id == order_id,
        Credential.state == KeyState.PENDING,
        Credential.withdrawn_at.is_(None),
    )
    return (await session.execute(query)).first() is not None


async def was_refused(session: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> bool:
    """Whether the charger refused an order's key. Only reads."""
    return (await status(session, charge_point_id, order_id)).answer in REFUSALS


async def _call_off(session: AsyncSession, pending: Credential, now: datetime) -> None:
    """Drop or withdraw a key; one that was taken over from an order that stands is that order's again, and due."""
    if pending.taken_from is not None:
        await turn(
            session, pending, order_id=pending.taken_from, taken_from=None, unattended=True, quarantines_old=True
        )
    elif _may_be_taken(pending):
        await turn(session, pending, withdrawn_at=now)
    else:
        await revoke(session, pending, now)


def _may_be_taken(pending: Credential) -> bool:
    """Whether the charger may hold the key: some sending of it was not refused."""
    return pending.maybe_taken or (pending.sent_at is not None and pending.answer not in REFUSALS)
