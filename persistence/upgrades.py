"""What a charger's key opens: the decision at a WebSocket upgrade, and the proof that may come with it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ChargePointId
from persistence.charger_keys import PURPOSE, Keys, KeyState, lock_keys, revoke, sort_keys, turn
from persistence.credentials import KeyAnswer
from persistence.tables import ChargePoint, Credential
from persistence.vault import Vault

#: Compared with where there is no key, so that a stranger costs the same work as an owner.
_NOBODYS_MAC: Final = "0" * 64
#: After so many returns with the old key a charger is parked for an operator.
PARKED_AFTER: Final = 3


class Entry(StrEnum):
    """What an upgrade leads to."""

    REFUSED = "refused"
    CURRENT = "current"
    PROVED = "proved"
    """It came with the pending key, which is its key from now on."""
    SETTLED = "settled"
    """The pending key was withdrawn; the one it came with is its key from now on."""
    QUARANTINED = "quarantined"
    """It came with the old key, which opens no more than a connection to be given the new one."""


class RefusedFor(StrEnum):
    """Why no key opens a connection: for our numbers; whoever is refused is not told which."""

    UNKNOWN_IDENTITY = "unknown_identity"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason
    REVOKED = "revoked"
    """No key of the charge point is good."""


@dataclass(frozen=True)
class Admission:
    """The decision at an upgrade. `credential_id` is the key it came with; it must be current still at the claim."""

    entry: Entry
    charge_point_id: ChargePointId | None = None
    credential_id: str | None = None
    returned: bool = False
    """It came back with the old key after it had accepted the new one."""
    parked: bool = False
    """It did so too often: nothing more is sent."""
    refused_for: RefusedFor | None = None


@dataclass(frozen=True)
class Recognised:
    """Whose upgrade this is. `admission` where no row has to change for it, None where `admit` decides."""

    charge_point_id: ChargePointId | None
    admission: Admission | None


@dataclass(frozen=True)
class _Match:
    current: bool
    literal: bool
    decoded: bool


async def recognise(session: AsyncSession, vault: Vault, identity: str, password: bytes) -> Recognised:
    """Check a password; an unknown identity costs the same query and the same comparisons. Only reads."""
    living = and_(Credential.charge_point_id == ChargePoint.id, Credential.state != KeyState.REVOKED)
    query = select(ChargePoint.id, Credential).outerjoin(Credential, living).where(ChargePoint.identity == identity)
    rows = (await session.execute(query)).all()
    keys = sort_keys([key for _, key in rows if key is not None])
    match = _compare(vault, keys, password)
    if not rows or not (match.current or match.literal or match.decoded):
        return Recognised(None, _refused(keys, known=bool(rows)))
    found = ChargePointId(rows[0][0])
    if match.current and keys.current and keys.pending is None and _is_settled(keys.current, vault, password):
        return Recognised(found, Admission(Entry.CURRENT, found, keys.current.id))
    return Recognised(found, None)


async def admit(
    session: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    password: bytes,
    *,
    grace: timedelta,
    now: datetime,
) -> Admission:
    """Decide what the password opens, and in the same transaction do what follows: the proof, the count of a return.

    Reads the keys anew under their locks, so of two upgrades at once the second decides by what the first left.
    """
    keys = await lock_keys(session, charge_point_id)
    match = _compare(vault, keys, password)
    if keys.pending is not None and (match.literal or match.decoded):
        return await _take_on(session, vault, keys, keys.pending, password, now)
    if keys.current is None or not match.current:
        return _refused(keys, known=True)
    if not _is_settled(keys.current, vault, password):
        await turn(session, keys.current, mac=vault.mac(PURPOSE, password), mac_decoded=None)
    if keys.pending is None:
        return Admission(Entry.CURRENT, charge_point_id, keys.current.id)
    return await _come_with_old(session, keys.current, keys.pending, grace, now)


def quarantines(pending: Credential | None, grace: timedelta, now: datetime) -> bool:
    """Whether the old key opens no more than a quarantined connection, given what is pending."""
    if pending is None or pending.withdrawn_at is not None:
        return False
    if pending.quarantines_old or pending.answer == KeyAnswer.ACCEPTED:
        return True
    return pending.sent_at is not None and now - pending.sent_at > grace


async def still_quarantines(
    session: AsyncSession, charge_point_id: ChargePointId, grace: timedelta, now: datetime
) -> bool:
    """Whether a connection with the old key would be quarantined if it were opened now. Only reads."""
    query = select(Credential).where(
        Credential.charge_point_id == charge_point_id, Credential.state == KeyState.PENDING
    )
    return quarantines((await session.execute(query)).scalar_one_or_none(), grace, now)


async def may_connect(session: AsyncSession, credential_id: str) -> bool:
    """Whether a key is still its charger's current one; keeps it from changing until the transaction ends."""
    query = select(Credential.state).where(Credential.id == credential_id).with_for_update()
    return (await session.execute(query)).scalar_one_or_none() == KeyState.CURRENT


async def has_key(session: AsyncSession, charge_point_id: ChargePointId) -> bool:
    """Whether any key opens a connection for the charge point; none does once its connection is deleted."""
    query = select(Credential.id).where(
        Credential.charge_point_id == charge_point_id, Credential.state != KeyState.REVOKED
    )
    return (await session.execute(query.limit(1))).first() is not None


def _is_settled(current: Credential, vault: Vault, password: bytes) -> bool:
    """Whether the current key is on record as it came: in that form alone, and under the server's first key."""
    return current.mac_decoded is None and current.mac == vault.mac(PURPOSE, password)


def _refused(keys: Keys, *, known: bool) -> Admission:
    reason = RefusedFor.WRONG_PASSWORD if keys.current or keys.pending else RefusedFor.REVOKED
    return Admission(Entry.REFUSED, refused_for=reason if known else RefusedFor.UNKNOWN_IDENTITY)


def _compare(vault: Vault, keys: Keys, password: bytes) -> _Match:
    """Compare with both forms of the current key and of the pending one: always four comparisons."""

    def same(mac: str | None) -> bool:
        return vault.matches(PURPOSE, password, mac or _NOBODYS_MAC)

    current, pending = keys.current, keys.pending
    forms = [same(current.mac if current else None), same(current.mac_decoded if current else None)]
    return _Match(
        current=any(forms),
        literal=same(pending.mac if pending else None),
        decoded=same(pending.mac_decoded if pending else None),
    )


async def _take_on(
    session: AsyncSession, vault: Vault, keys: Keys, pending: Credential, password: bytes, now: datetime
) -> Admission:
    """Make the pending key current, in the form in which it came; the old one first, as only one may be current."""
    if keys.current is not None:
        await revoke(session, keys.current, now)
    await turn(
        session,
        pending,
        state=KeyState.CURRENT,
        mac=vault.mac(PURPOSE, password),
        mac_decoded=None,
        sealed_key=None,
        proved_at=now,
    )
    entry = Entry.PROVED if pending.withdrawn_at is None else Entry.SETTLED
    return Admission(entry, ChargePointId(pending.charge_point_id), pending.id)


async def _come_with_old(
    session: AsyncSession, current: Credential, pending: Credential, grace: timedelta, now: datetime
) -> Admission:
    charge_point_id = ChargePointId(current.charge_point_id)
    if pending.withdrawn_at is not None:
        await revoke(session, pending, now)
        return Admission(Entry.SETTLED, charge_point_id, current.id)
    if not quarantines(pending, grace, now):
        return Admission(Entry.CURRENT, charge_point_id, current.id)
    returned = pending.answer == KeyAnswer.ACCEPTED
    returns = pending.old_key_returns + returned
    if returned:
        await turn(session, pending, old_key_returns=returns)
    return Admission(Entry.QUARANTINED, charge_point_id, current.id, returned=returned, parked=returns >= PARKED_AFTER)
