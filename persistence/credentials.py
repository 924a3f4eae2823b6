"""The keys with which chargers authenticate, and how one replaces another: the rule for credentials.

Every function works in the caller's writing transaction and leaves the commit to it. No key is in any error or repr.
A key that people know is never replaced by sending a new one once its owner has changed: see decision 14.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ChargePointId, TransferId
from domain.keys import KeyPurpose, KnownTo
from domain.transfer import UntilNewKey
from persistence import transfers
from persistence.charger_keys import (
    PURPOSE,
    Keys,
    KeyState,
    find_match,
    lock_keys,
    new_key,
    put_beside,
    read_keys,
    revoke,
    turn,
)
from persistence.tables import ChargePoint, Credential, Link
from persistence.vault import Vault

KEY_BYTES: Final = 20
#: So often a charger must have started anew with its old key, after it was sent a new one, to show that it has not
#: taken that: a charger that needs a restart for it makes one after any loss of its connection.
STARTS: Final = 2


class KeyAnswer(StrEnum):
    """What a charger answered to its pending key; `unknown`: nothing was heard, it may have taken it."""

    ACCEPTED = "accepted"
    REBOOT_REQUIRED = "reboot_required"
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    UNKNOWN = "unknown"


#: The answers after which a charger still has its old key, if it can't have taken the new one earlier.
REFUSALS: Final = frozenset({KeyAnswer.REJECTED.value, KeyAnswer.NOT_SUPPORTED.value})
#: The answers after which nothing is sent again: it is to come back with the key by itself, or after a restart.
_TAKEN: Final = frozenset({KeyAnswer.ACCEPTED.value, KeyAnswer.REBOOT_REQUIRED.value})
#: Keys that replace a present owner's own: until their proof the old key opens what it always did.
OWN: Final = frozenset({KeyPurpose.ENROLMENT.value, KeyPurpose.ROTATION.value})


@dataclass(frozen=True)
class PendingKey:
    """A pending key, to be sent; its text stays out of every repr."""

    credential_id: str
    text: str = field(repr=False)


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


@dataclass(frozen=True)
class Connection:
    """The socket over which a key is sent: what its charger named, and whether others can read along."""

    generation: int
    serials: tuple[str, ...] = ()
    open_line: bool = False


# --- keys that are made here --------------------------------------------------------------------------------------


async def change_hands(
    session: AsyncSession,
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
    keys = await lock_keys(session, charge_point_id)
    if await _has_key_of(session, charge_point_id, order_id):
        return False
    if keys.pending is not None and not keys.pending.successor:
        await _set_aside(session, keys, keys.pending, now)
        keys = await lock_keys(session, charge_point_id)
    if keys.known_to is KnownTo.PEOPLE:
        await _open_by(session, charge_point_id, until_new_key)
        return True
    await _open_by(session, charge_point_id, None)
    await _make_pending(session, vault, charge_point_id, keys, order_id, quarantines_old=quarantines_old, now=now)
    return False


async def _make_pending(
    session: AsyncSession,
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
            session,
            pending,
            order_id=order_id,
            purpose=KeyPurpose.TRANSFER,
            version=keys.holder.version,
            taken_from=pending.order_id if stands else None,
            quarantines_old=quarantines_old or stands,
            unattended=False,
            maybe_taken=_may_be_taken(pending),
            sent_at=None,
            answer=None,
            answer_counts=False,
            old_key_returns=0,
            starts_with_old=0,
            withdrawn_at=None,
        )
        return
    row = _fresh(vault, charge_point_id, keys, KeyPurpose.TRANSFER, now)
    row.order_id = order_id
    row.quarantines_old = quarantines_old
    session.add(row)
    await session.flush()


def _fresh(vault: Vault, charge_point_id: ChargePointId, keys: Keys, purpose: KeyPurpose, now: datetime) -> Credential:
    """Give the row of a new random key."""
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
    return row


async def make_own(
    session: AsyncSession, vault: Vault, charge_point_id: ChargePointId, now: datetime, *, asked: bool = False
) -> KeyPurpose | None:
    """Make the key that replaces a present owner's own, or find it pending; None where none may be.

    Enrolment replaces a key that people know; with `asked`, by its owner, one that only the charger knows is replaced
    too, and it is tried where it was refused before. Not where the key is older than its owner, nor while a transfer is
    at work; a pending key of another purpose that the charger may hold stays good beside the old one.
    """
    keys = await lock_keys(session, charge_point_id)
    current, pending = keys.current, keys.pending
    people = keys.known_to is KnownTo.PEOPLE
    if current is None or (people and not keys.is_owners(current)):
        return None
    if not asked and (not people or keys.holder.rotates is False):
        return None
    if await transfers.at_charger(session, charge_point_id) is not None:
        return None
    if pending is not None and pending.withdrawn_at is None:
        if pending.purpose not in OWN:
            return None
        if asked and pending.answer in _TAKEN:  # the owner asks again: it is to be sent again
            await turn(session, pending, answer=None, maybe_taken=True)
        return KeyPurpose(pending.purpose)
    if pending is not None:
        await _set_aside(session, keys, pending, now)
    purpose = KeyPurpose.ENROLMENT if people else KeyPurpose.ROTATION
    session.add(_fresh(vault, charge_point_id, keys, purpose, now))
    await session.flush()
    return purpose


async def _set_aside(session: AsyncSession, keys: Keys, pending: Credential, now: datetime) -> None:
    """Make room for another pending key: what the charger may hold opens what its present one opens."""
    if _may_be_taken(pending) or pending.purpose == KeyPurpose.TYPED:
        await put_beside(session, keys, pending, now)
    else:
        await revoke(session, pending, now)


async def _open_by(session: AsyncSession, charge_point_id: ChargePointId, until_new_key: UntilNewKey | None) -> None:
    """Say what keys that are older than the owner open from now on."""
    await session.execute(
        update(ChargePoint).where(ChargePoint.id == charge_point_id).values(until_new_key=until_new_key),
        execution_options={"synchronize_session": False},
    )


# --- sending ------------------------------------------------------------------------------------------------------


async def record_sent(
    session: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    connection: Connection,
    now: datetime,
    order_id: str | None = None,
) -> PendingKey | None:
    """Record that the pending key is being sent, and give it: commit before a single byte of it leaves.

    None where there is none to send: proven, withdrawn or dropped, not that of `order_id`, or one that somebody is to
    type. Nor is one sent over a connection that has lost its place, or that a former owner may have opened. Always the
    same key. The time of the first sending stays: the grace period counts from it.
    """
    keys = await lock_keys(session, charge_point_id)
    pending = keys.pending
    if pending is None or pending.withdrawn_at is not None or pending.sealed_key is None:
        return None
    if order_id is not None and pending.order_id != order_id:
        return None
    if not await _may_be_sent(session, charge_point_id, keys, pending, connection):
        return None
    first = pending.sent_over in {None, connection.generation}
    await turn(
        session,
        pending,
        sent_at=pending.sent_at or now,
        last_sent_at=now,
        sent_over=pending.sent_over or connection.generation,
        sent_elsewhere=pending.sent_elsewhere or not first,
        open_line=pending.open_line or connection.open_line,
        serials=sorted({*pending.serials, *connection.serials}),
        maybe_taken=_may_be_taken(pending),
        starts_with_old=0,
        answer=None if pending.answer in REFUSALS else pending.answer,
        answer_counts=False,
    )
    return PendingKey(pending.id, vault.unseal(pending.sealed_key).decode())


async def _may_be_sent(
    session: AsyncSession, charge_point_id: ChargePointId, keys: Keys, pending: Credential, connection: Connection
) -> bool:
    """Whether nobody but the charger of the present owner, or of a key that no person knows, is at the other end."""
    link = await session.get(Link, charge_point_id, populate_existing=True)
    if link is None or link.node is None or link.generation != connection.generation:
        return False
    opener = next((key for key in keys.living if key.id == link.credential_id), None)
    if opener is None:
        return False
    if pending.purpose == KeyPurpose.ENROLMENT:
        at_work = await transfers.at_charger(session, charge_point_id)
        return at_work is None and keys.is_owners(opener) and not link.quarantined
    return opener.known_to == KnownTo.CHARGER


async def record_answer(
    session: AsyncSession, charge_point_id: ChargePointId, credential_id: str, answer: KeyAnswer, *, counts: bool
) -> None:
    """Record what the charger answered; nothing where the key was proven, or lost its place, in the meantime.

    `accepted` stays, whatever comes later: it ended the old key's life at the charger. `unknown` overwrites nothing.
    `counts`: it came over a released connection.
    """
    row = (await lock_keys(session, charge_point_id)).pending
    if row is None or row.id != credential_id:
        return
    stays = row.answer == KeyAnswer.ACCEPTED or (answer is KeyAnswer.UNKNOWN and row.answer is not None)
    await turn(
        session,
        row,
        answer=row.answer if stays else answer.value,
        answer_counts=row.answer_counts if stays else counts,
        maybe_taken=row.maybe_taken or answer.value not in REFUSALS,
    )


async def record_start(
    session: AsyncSession, charge_point_id: ChargePointId, opened_with: str, now: datetime
) -> KeyPurpose | None:
    """Count that the charger has started anew with its old key, on a released connection opened with `opened_with`.

    The purpose of the pending key where that shows that it was not taken, and it ended: twice after the last sending,
    of a key that replaces the present owner's own or was withdrawn. One that somebody is to type stays, and so does one
    that waits for its proof. What a connection says that people may have opened shows it for enrolment only.
    """
    keys = await lock_keys(session, charge_point_id)
    pending = keys.pending
    opener = next((key for key in keys.living if key.id == opened_with), None)
    if pending is None or opener is None or pending.id == opened_with or pending.last_sent_at is None:
        return None
    own = pending.purpose in OWN and pending.answer in _TAKEN
    withdrawn = pending.withdrawn_at is not None and opener.known_to == KnownTo.CHARGER
    if not own and not withdrawn:
        return None
    starts = pending.starts_with_old + 1
    if starts < STARTS:
        await turn(session, pending, starts_with_old=starts)
        return None
    await revoke(session, pending, now)
    if own:
        await note_rotates(session, charge_point_id, rotates=False)
    return KeyPurpose(pending.purpose)


async def refuse_own(session: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> bool:
    """End a key that was to replace the present owner's own and was refused; whether one was.

    One that an earlier sending may have given to the charger stays good beside the old key.
    """
    keys = await lock_keys(session, charge_point_id)
    pending = keys.pending
    if pending is None or pending.purpose not in OWN or pending.answer not in REFUSALS:
        return False
    await _set_aside(session, keys, pending, now)
    await note_rotates(session, charge_point_id, rotates=False)
    return True


async def note_rotates(session: AsyncSession, charge_point_id: ChargePointId, *, rotates: bool) -> None:
    """Keep whether the charger takes a key that it is sent."""
    await session.execute(
        update(ChargePoint).where(ChargePoint.id == charge_point_id).values(rotates=rotates),
        execution_options={"synchronize_session": False},
    )


# --- calling off --------------------------------------------------------------------------------------------------


async def withdraw(session: AsyncSession, charge_point_id: ChargePointId, order_id: str, now: datetime) -> None:
    """Call an order's rotation off before its proof, or after the charger refused it; nothing where it is proven.

    A key that the charger can't hold (never sent, or each sending refused) is dropped. Otherwise either key opens an
    ordinary connection until the charger has shown which one it uses. One that its new owner was given to type stays.
    """
    keys = await lock_keys(session, charge_point_id)
    pending = keys.pending
    if pending is None or pending.order_id != order_id or pending.withdrawn_at is not None:
        return
    if pending.purpose != KeyPurpose.TYPED:
        await _call_off(session, pending, now)


async def leave_due(session: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> None:
    """Leave an order's key to the gateway: its transfer ends before the proof; nothing where it is proven or withdrawn.

    From now on the old key opens no more than a quarantined connection.
    """
    pending = (await lock_keys(session, charge_point_id)).pending
    if pending is not None and pending.order_id == order_id and pending.withdrawn_at is None:
        await turn(session, pending, quarantines_old=True, unattended=True)


async def await_new_key(
    session: AsyncSession, charge_point_id: ChargePointId, order_id: str, until_new_key: UntilNewKey, now: datetime
) -> None:
    """Turn an order's rotation, which the charger refused, into the wait for the new owner's key.

    The old key opens what `until_new_key` says; nothing where the rotation is proven, withdrawn or handed out.
    """
    keys = await lock_keys(session, charge_point_id)
    pending = keys.pending
    if pending is None or pending.order_id != order_id or pending.purpose == KeyPurpose.TYPED:
        return
    await _set_aside(session, keys, pending, now)
    await _open_by(session, charge_point_id, until_new_key)


async def refuse_unattended(session: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> bool:
    """Turn a key that nobody waits for, and that the charger refused, into the new owner's to type; whether one was.

    What the old key opens from then on is what was chosen as its transfer was accepted.
    """
    pending = (await lock_keys(session, charge_point_id)).pending
    if pending is None or not pending.unattended or pending.order_id is None or pending.answer not in REFUSALS:
        return False
    choice = await transfers.await_new_key(session, TransferId(pending.order_id))
    await await_new_key(session, charge_point_id, pending.order_id, choice, now)
    return True


async def restore(session: AsyncSession, charge_point_id: ChargePointId, until_new_key: UntilNewKey | None) -> None:
    """Say after a roll-back what keys open that are older than the owner who has it again."""
    await lock_keys(session, charge_point_id)
    await _open_by(session, charge_point_id, until_new_key)


async def revoke_all(session: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> None:
    """Revoke every key: the charge point's connection is deleted."""
    keys = await lock_keys(session, charge_point_id)
    for row in keys.living:
        await revoke(session, row, now)
    await _open_by(session, charge_point_id, None)


# --- keys that people know ----------------------------------------------------------------------------------------


async def set_current(
    session: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    key: str,
    now: datetime,
    *,
    purpose: KeyPurpose,
) -> None:
    """Make `key`, as somebody types it into the charger, its key; whatever else there was is revoked.

    Of hex digits (`typed`) the charger may use the bytes that they stand for: both forms open, until one has. A repeat
    with the key that is current already changes nothing.
    """
    keys = await lock_keys(session, charge_point_id)
    match = find_match(vault, keys, key.encode())
    if keys.pending is None and not keys.beside and match is not None and match.key is keys.current:
        return
    await revoke_all(session, charge_point_id, now)
    session.add(_typed(vault, charge_point_id, keys, KeyState.CURRENT, key, purpose, now))
    await session.flush()


async def hand_out(
    session: AsyncSession, vault: Vault, charge_point_id: ChargePointId, key: str, order_id: str, now: datetime
) -> None:
    """Make `key`, which the new owner types into the charger, the pending one of a transfer that is not proven.

    Older typed ones end; one made here that the charger may have taken opens what the old key opens.
    """
    keys = await lock_keys(session, charge_point_id)
    if keys.pending is not None and keys.pending.purpose == KeyPurpose.TYPED:
        await revoke(session, keys.pending, now)
    elif keys.pending is not None:
        await _set_aside(session, keys, keys.pending, now)
    row = _typed(vault, charge_point_id, keys, KeyState.PENDING, key, KeyPurpose.TYPED, now)
    row.order_id = order_id
    row.quarantines_old = True
    session.add(row)
    await session.flush()


def _typed(
    vault: Vault,
    charge_point_id: ChargePointId,
    keys: Keys,
    state: KeyState,
    key: str,
    purpose: KeyPurpose,
    now: datetime,
) -> Credential:
    row = new_key(
        charge_point_id, state, vault.mac(PURPOSE, key.encode()), now, purpose=purpose, version=keys.holder.version
    )
    if purpose is KeyPurpose.TYPED:
        row.mac_decoded = vault.mac(PURPOSE, bytes.fromhex(key))
    return row


async def is_shown(session: AsyncSession, vault: Vault, charge_point_id: ChargePointId, key: str) -> bool:
    """Whether `key`, hex digits that somebody types, is its key still, or the one that is waited for. Only reads."""
    keys = await read_keys(session, charge_point_id)
    forms = (key.encode(), bytes.fromhex(key))
    wanted = keys.pending if keys.pending is not None and keys.pending.purpose == KeyPurpose.TYPED else keys.current
    found = (find_match(vault, keys, form) for form in forms)
    return any(match is not None and match.key is wanted for match in found)


# --- reading ------------------------------------------------------------------------------------------------------


async def status(session: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> CredentialStatus:
    """Say how far an order's rotation is; of an order without a key: nothing happened. Only reads."""
    query = select(Credential).where(Credential.charge_point_id == charge_point_id, Credential.order_id == order_id)
    rows = (await session.scalars(query.order_by(Credential.created_at.desc(), Credential.id))).all()
    if not rows:
        return CredentialStatus()
    proven = any(row.proved_at is not None and row.withdrawn_at is None for row in rows)
    pending = next((row for row in rows if row.state == KeyState.PENDING), None)
    made = next((row for row in rows if row.purpose != KeyPurpose.TYPED), rows[0])
    return CredentialStatus(
        has_key=True,
        answer=made.answer or (KeyAnswer.UNKNOWN.value if made.sent_at else None),
        answer_counts=made.answer_counts,
        proven=proven,
        old_key_returns=made.old_key_returns,
        handed_out=not proven and pending is not None and pending.purpose == KeyPurpose.TYPED,
    )


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
    found = await status(session, charge_point_id, order_id)
    return not found.proven and found.answer in REFUSALS


async def enrolment_sent_at(session: AsyncSession, charge_point_id: ChargePointId) -> datetime | None:
    """Give when a key was last sent that replaces the present owner's own, and that is still to be answered.

    None where there is none, it was refused, or it waits for a restart. Only reads.
    """
    query = select(Credential.last_sent_at).where(
        Credential.charge_point_id == charge_point_id,
        Credential.state == KeyState.PENDING,
        Credential.purpose.in_(OWN),
        Credential.answer.is_(None) | Credential.answer.in_((KeyAnswer.ACCEPTED.value, KeyAnswer.UNKNOWN.value)),
    )
    return (await session.execute(query)).scalar_one_or_none()


async def _has_key_of(session: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> bool:
    repeated = exists().where(Credential.charge_point_id == charge_point_id, Credential.order_id == order_id)
    return bool((await session.execute(select(repeated))).scalar_one())


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
