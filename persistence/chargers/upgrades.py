"""What a charger's key opens: the decision at a WebSocket upgrade, and the proof that may come with it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger import KeyAnswer
from domain.ids import ChargePointId
from domain.keys import OWN, KeyPurpose, KnownTo
from domain.trail import TrailAction
from domain.transfer import UntilNewKey
from persistence.caseless import Caseless
from persistence.chargers.charger_keys import (
    Keys,
    KeyState,
    Match,
    find_match,
    is_settled,
    lock_keys,
    note,
    read_keys,
    read_where,
    revoke,
    settle_form,
    turn,
)
from persistence.chargers.key_sending import note_rotates
from persistence.tables import ChargePoint, Credential
from persistence.vault import Vault

#: After so many returns with the old key a charger is parked for an operator.
PARKED_AFTER: Final = 3


class Entry(StrEnum):
    """What an upgrade leads to."""

    REFUSED = "refused"
    CURRENT = "current"
    PROVED = "proved"
    """It came with the pending key, which is its key from now on."""
    SETTLED = "settled"
    """It came with another key that it may hold, which is its key from now on."""
    QUARANTINED = "quarantined"
    """It came with an old key, which opens no more than a connection in quarantine."""


#: What has its place at once, whoever else is connected: it came with another key than whoever is.
NEVER_HELD: Final = frozenset({Entry.PROVED, Entry.SETTLED})


class RefusedFor(StrEnum):
    """Why no key opens a connection: for our numbers; whoever is refused is not told which."""

    UNKNOWN_IDENTITY = "unknown_identity"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason
    ENDED = "ended"
    """It was a key of the charge point once."""
    REVOKED = "revoked"
    """No key of the charge point is good."""


@dataclass(frozen=True)
class Admission:
    """The decision at an upgrade. `credential_id` is the key it came with; it must be good still at the claim.

    Of a refused one it is the ended key that it came with, and `ended_at` says when that ended.
    """

    entry: Entry
    charge_point_id: ChargePointId | None = None
    credential_id: str | None = None
    known_to: KnownTo = KnownTo.PEOPLE
    returned: bool = False
    """It came back with the old key after it had accepted the new one."""
    parked: bool = False
    """It did so too often: nothing more is sent."""
    refused_for: RefusedFor | None = None
    ended_at: datetime | None = None
    owner_version: int = 0
    """Of a refused one: the version with which the present owner's time began."""
    charger_awaited: bool = False
    """Of a refused one: no charger has come yet with the key in use, so it may be the charger itself."""


@dataclass(frozen=True)
class OldKeys:
    """How long, and for what, a charger's old key is good once it was sent a new one."""

    grace: timedelta
    """It opens ordinary connections for so long after the first sending."""
    strict: bool = False
    """It opens nothing any more once the charger has accepted the new one (A01.FR.03)."""


@dataclass(frozen=True)
class Recognised:
    """Whose upgrade this is. `admission` where no row has to change for it, None where `admit` decides."""

    charge_point_id: ChargePointId | None
    admission: Admission | None


async def recognise(rows: AsyncSession, vault: Vault, identity: str, password: bytes) -> Recognised:
    """Check a password; an unknown identity costs the same query and the same comparisons. Only reads.

    `identity` is in the one case that all are compared in (domain.caseless).
    """
    found, keys = await read_where(rows, Caseless(ChargePoint.identity) == identity) or (None, Keys())
    match = find_match(vault, keys, password)
    if found is None or match is None or match.ended:
        return Recognised(None, _refused(keys, found, match))
    key = match.key
    if key is keys.current and keys.pending is None and not keys.beside and is_settled(match, vault, password):
        return Recognised(found, _come_with_old(keys, key, OldKeys(timedelta()), None))
    return Recognised(found, None)


async def admit(
    rows: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    password: bytes,
    *,
    old_keys: OldKeys,
    now: datetime,
    address: str = "",
) -> Admission:
    """Decide what the password opens, and in the same transaction do what follows: the proof, the count of a return.

    Reads the keys anew under their locks, so of two upgrades at once the second decides by what the first left.
    """
    keys = await lock_keys(rows, charge_point_id)
    match = find_match(vault, keys, password)
    if match is None or match.ended:
        return _refused(keys, charge_point_id, match)
    if match.key is keys.pending:
        return await _take_on(rows, vault, keys, match, password, now, address)
    if not is_settled(match, vault, password):
        await settle_form(rows, match, vault, password)
    if match.key in keys.beside and keys.holder.until_new_key is None and not _is_awaited(keys):
        return await _take_up(rows, keys, match.key, now, address)
    admission = _come_with_old(keys, match.key, old_keys, now)
    if admission.returned and keys.pending is not None:
        returns = keys.pending.old_key_returns + 1
        await turn(rows, keys.pending, old_key_returns=returns)
    return admission


def opens_quarantine(keys: Keys, old_keys: OldKeys, now: datetime) -> bool:
    """Whether the keys but the pending one open no more than a quarantined connection."""
    pending = keys.pending
    if keys.holder.until_new_key is not None:  # all of them are older than its owner
        return keys.holder.until_new_key is UntilNewKey.QUARANTINE
    if pending is None or pending.withdrawn_at is not None or pending.purpose in OWN:
        return False
    if pending.quarantines_old or pending.answer == KeyAnswer.ACCEPTED:
        return True
    return pending.sent_at is not None and now - pending.sent_at > old_keys.grace


async def still_quarantines(
    rows: AsyncSession, charge_point_id: ChargePointId, credential_id: str, old_keys: OldKeys, now: datetime
) -> bool:
    """Whether a connection with this key would be quarantined if it were opened now. Only reads."""
    keys = await read_keys(rows, charge_point_id)
    key = next((key for key in keys.living if key.id == credential_id), None)
    return key is not None and key is not keys.pending and opens_quarantine(keys, old_keys, now)


async def may_connect(rows: AsyncSession, credential_id: str) -> bool:
    """Whether a key is still good for its charger; keeps it from changing until the transaction ends."""
    query = select(Credential.state).where(Credential.id == credential_id).with_for_update()
    return (await rows.execute(query)).scalar_one_or_none() in {KeyState.CURRENT, KeyState.BESIDE}


async def has_key(rows: AsyncSession, charge_point_id: ChargePointId) -> bool:
    """Whether any key opens a connection for the charge point; none does once its connection is deleted."""
    query = select(Credential.id).where(
        Credential.charge_point_id == charge_point_id, Credential.state != KeyState.REVOKED
    )
    return (await rows.execute(query.limit(1))).first() is not None


def _is_awaited(keys: Keys) -> bool:
    """Whether somebody is to type a key, so that what came before it opens what the old key opens."""
    return keys.pending is not None and keys.pending.purpose == KeyPurpose.TYPED


def _refused(keys: Keys, charge_point_id: ChargePointId | None, match: Match | None) -> Admission:
    if match is not None:
        ended = match.key
        return Admission(
            Entry.REFUSED,
            charge_point_id,
            ended.id,
            KnownTo(ended.known_to),
            refused_for=RefusedFor.ENDED,
            ended_at=ended.revoked_at,
            owner_version=keys.holder.owner_version,
            charger_awaited=keys.charger_awaited,
        )
    reason = RefusedFor.REVOKED if next(keys.living, None) is None else RefusedFor.WRONG_PASSWORD
    return Admission(Entry.REFUSED, refused_for=reason if charge_point_id else RefusedFor.UNKNOWN_IDENTITY)


async def _take_on(
    rows: AsyncSession, vault: Vault, keys: Keys, match: Match, password: bytes, now: datetime, address: str
) -> Admission:
    """Make the pending key current, in the form in which it came; the old ones first, as only one may be current."""
    pending = match.key
    for other in (keys.current, *keys.beside):
        if other is not None:
            await revoke(rows, other, now)
    known_to = KnownTo(pending.known_to)
    if pending.purpose != KeyPurpose.TYPED:
        if pending.sent_elsewhere and not pending.successor:
            known_to = KnownTo.PEOPLE
        if keys.holder.rotates is not True:
            await note_rotates(rows, ChargePointId(pending.charge_point_id), rotates=True)
    values = {"state": KeyState.CURRENT, "known_to": known_to, "sealed_key": None, "proved_at": now}
    await settle_form(rows, match, vault, password, **values)
    detail = {
        "purpose": pending.purpose,
        "known_to": known_to.value,
        "serials": pending.serials,
        "open_line": pending.open_line,
        "address": address,
    }
    await note(rows, ChargePointId(pending.charge_point_id), TrailAction.KEY_PROVEN, detail)
    if keys.is_owners(pending) and keys.holder.until_new_key is not None:
        await _nothing_awaited(rows, ChargePointId(pending.charge_point_id))
    entry = Entry.PROVED if pending.withdrawn_at is None else Entry.SETTLED
    return Admission(entry, ChargePointId(pending.charge_point_id), pending.id, known_to)


async def _nothing_awaited(rows: AsyncSession, charge_point_id: ChargePointId) -> None:
    point = await rows.get_one(ChargePoint, charge_point_id, populate_existing=True)
    point.until_new_key = None
    await rows.flush()


async def _take_up(rows: AsyncSession, keys: Keys, key: Credential, now: datetime, address: str) -> Admission:
    """Make a key current that the charger was known to hold perhaps; people may know it, and it proves nothing."""
    if keys.current is not None:
        await revoke(rows, keys.current, now)
    await turn(rows, key, state=KeyState.CURRENT)
    detail = {"purpose": key.purpose, "known_to": key.known_to, "address": address}
    await note(rows, ChargePointId(key.charge_point_id), TrailAction.OLD_KEY_TAKEN_UP, detail)
    return Admission(Entry.SETTLED, ChargePointId(key.charge_point_id), key.id, KnownTo(key.known_to))


def _come_with_old(keys: Keys, key: Credential, old_keys: OldKeys, now: datetime | None) -> Admission:
    """Say what a good key opens that is not the pending one; `now` may be None where none is pending."""
    charge_point_id = ChargePointId(key.charge_point_id)
    known_to = KnownTo(key.known_to)
    pending = keys.pending
    if not opens_quarantine(keys, old_keys, now or key.created_at):
        return Admission(Entry.CURRENT, charge_point_id, key.id, known_to)
    awaited = keys.holder.until_new_key is not None or pending is None or _is_awaited(keys)
    returned = not awaited and pending is not None and pending.answer == KeyAnswer.ACCEPTED
    if returned and old_keys.strict:
        return Admission(Entry.REFUSED, charge_point_id, key.id, known_to, refused_for=RefusedFor.ENDED)
    returns = (pending.old_key_returns if pending is not None else 0) + returned
    parked = not awaited and returns >= PARKED_AFTER
    return Admission(Entry.QUARANTINED, charge_point_id, key.id, known_to, returned=returned, parked=parked)
