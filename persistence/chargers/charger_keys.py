"""The keys of one charge point as rows: read, locked, compared, changed, ended."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, CursorResult, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.charger import REFUSALS
from domain.errors import NotFound, Unavailable
from domain.ids import ChargePointId
from domain.keys import KeyPurpose, KnownTo
from domain.trail import TrailAction, of_charge_point
from domain.transfer import UntilNewKey
from persistence.tables import ChargePoint, Credential
from persistence.transfers import audit
from persistence.vault import Vault

#: The vault's purpose of every MAC of a key.
PURPOSE: Final = "credential"
#: How many ended keys of a charge point are remembered, and how many that it may hold beside the current one.
ENDED_KEPT: Final = 8
BESIDE_KEPT: Final = 4
#: Compared with where there is no key: whoever asks costs the same work.
_NOBODYS_MAC: Final = "0" * 64


class KeyState(StrEnum):
    """Where one key is in its life."""

    CURRENT = "current"
    PENDING = "pending"
    BESIDE = "beside"
    """The charger may hold it instead of the current one: it opens what that opens, until one is proven."""
    REVOKED = "revoked"


@dataclass(frozen=True)
class Holder:
    """What of its charge point a key's rights rest on."""

    version: int = 0
    owner_version: int = 0
    until_new_key: UntilNewKey | None = None
    """What keys that are older than the owner open; None where none does."""
    rotates: bool | None = None


@dataclass(frozen=True)
class Keys:
    """A charge point's living keys, and the last of its ended ones."""

    current: Credential | None = None
    pending: Credential | None = None
    beside: tuple[Credential, ...] = ()
    ended: tuple[Credential, ...] = ()
    holder: Holder = Holder()

    @property
    def living(self) -> Iterator[Credential]:
        """Each key that opens something."""
        yield from (key for key in (self.current, self.pending) if key is not None)
        yield from self.beside

    @property
    def known_to(self) -> KnownTo:
        """Who may know the key in use: people, too, where it is not certain which one that is."""
        if self.current is None or self.beside:
            return KnownTo.PEOPLE
        return KnownTo(self.current.known_to)

    @property
    def charger_awaited(self) -> bool:
        """Whether no charger has come yet with the key in use: in which form it comes is on record from then on."""
        return self.current is not None and self.current.decoded is None

    def is_owners(self, key: Credential) -> bool:
        """Whether a key was made under the present owner; any other may be known to a former one."""
        return key.version >= self.holder.owner_version


@dataclass(frozen=True)
class Match:
    """The key that a password is, and in which form; `ended`: it was once."""

    key: Credential
    decoded: bool
    ended: bool = False


def remembered() -> ColumnElement[bool]:
    """Give the condition on credentials that are compared: of an ended key that is forgotten no MAC is left."""
    return or_(Credential.state != KeyState.REVOKED, Credential.mac != "")


def sort_keys(rows: Sequence[Credential], holder: Holder) -> Keys:
    """Tell the keys among `rows` apart."""
    by_state: dict[str, list[Credential]] = {}
    for row in rows:
        by_state.setdefault(row.state, []).append(row)
    [current] = by_state.get(KeyState.CURRENT, [None])
    [pending] = by_state.get(KeyState.PENDING, [None])
    beside = sorted(by_state.get(KeyState.BESIDE, []), key=lambda row: row.created_at)
    ended = sorted(by_state.get(KeyState.REVOKED, []), key=_end, reverse=True)
    return Keys(current, pending, tuple(beside), tuple(ended), holder)


def _end(row: Credential) -> datetime:
    return row.revoked_at or row.created_at


async def lock_keys(rows: AsyncSession, charge_point_id: ChargePointId) -> Keys:
    """Read the keys and keep others from changing them, or making one, until the transaction ends.

    The charge point's row is locked first: it is there where no key is. Raises NotFound.
    """
    holder = select(*HOLDER).where(ChargePoint.id == charge_point_id)
    found = (await rows.execute(holder.with_for_update(key_share=True))).one_or_none()
    if found is None:
        raise NotFound("There is no such charge point.")
    query = (  # another one: it sees what was committed while the first one waited
        select(Credential)
        .where(Credential.charge_point_id == charge_point_id, remembered())
        .order_by(Credential.id)
        .execution_options(populate_existing=True)
    )
    return sort_keys((await rows.scalars(query.with_for_update())).all(), holder_of(*found))


async def read_keys(rows: AsyncSession, charge_point_id: ChargePointId) -> Keys:
    """Read the keys. Only reads; raises NotFound."""
    listed = await read_where(rows, ChargePoint.id == charge_point_id)
    if listed is None:
        raise NotFound("There is no such charge point.")
    return listed[1]


async def read_where(rows: AsyncSession, which: ColumnElement[bool]) -> tuple[ChargePointId, Keys] | None:
    """Read the keys of the charge point for which `which` holds; None: there is no such one. One query; only reads."""
    known = and_(Credential.charge_point_id == ChargePoint.id, remembered())
    query = select(ChargePoint.id, *HOLDER, Credential).outerjoin(Credential, known).where(which)
    listed = (await rows.execute(query.order_by(Credential.id).execution_options(populate_existing=True))).all()
    if not listed:
        return None
    keys = [row[-1] for row in listed if row[-1] is not None]
    return ChargePointId(listed[0][0]), sort_keys(keys, holder_of(*listed[0][1:-1]))


#: The columns that `holder_of` takes.
HOLDER: Final = (ChargePoint.version, ChargePoint.owner_version, ChargePoint.until_new_key, ChargePoint.rotates)


def holder_of(version: int, owner_version: int, until_new_key: str | None, rotates: bool | None) -> Holder:
    """Make a Holder of its columns."""
    return Holder(version, owner_version, UntilNewKey(until_new_key) if until_new_key else None, rotates)


def find_match(vault: Vault, keys: Keys, password: bytes) -> Match | None:
    """Find the key that a password is, a living one first; whoever asks, it takes the same comparisons.

    Of a living key whose form is known only that form opens; of an ended one either is told.
    """
    slots: list[tuple[Credential | None, bool]] = [(keys.pending, False), (keys.current, False)]
    slots += [(row, False) for row in _filled(keys.beside, BESIDE_KEPT)]
    slots += [(row, True) for row in _filled(keys.ended, ENDED_KEPT)]
    macs = [mac for row, ended in slots for mac in _forms(row, ended=ended)]
    same = vault.tell(PURPOSE, password, [mac or _NOBODYS_MAC for mac in macs])
    found = None
    for place, (row, ended) in enumerate(slots):
        for decoded in (False, True):
            if same[2 * place + decoded] and row is not None and found is None:
                found = Match(row, decoded, ended)
    return found


def _filled(rows: Sequence[Credential], size: int) -> list[Credential | None]:
    return [*rows[:size], *[None] * (size - len(rows))]


def _forms(row: Credential | None, *, ended: bool) -> tuple[str | None, str | None]:
    if row is None:
        return None, None
    either = ended or row.decoded is None
    return (row.mac if either or not row.decoded else None), (row.mac_decoded if either or row.decoded else None)


def is_settled(match: Match, vault: Vault, password: bytes) -> bool:
    """Whether a key is on record as it came: its form known, and its MAC under the server's first key."""
    row = match.key
    mac = row.mac_decoded if match.decoded else row.mac
    return row.decoded is match.decoded and mac == vault.mac(PURPOSE, password)


async def settle_form(rows: AsyncSession, match: Match, vault: Vault, password: bytes, **values: Any) -> None:
    """Write in which form a key came, its MAC under the server's first key, and `values` beside it."""
    form = "mac_decoded" if match.decoded else "mac"
    await turn(rows, match.key, decoded=match.decoded, **{form: vault.mac(PURPOSE, password)}, **values)


async def turn(rows: AsyncSession, seen: Credential, **values: Any) -> None:
    """Change a key that is still in the state in which it was seen; raises Unavailable where another was faster."""
    statement = update(Credential).where(Credential.id == seen.id, Credential.state == seen.state).values(**values)
    result = await rows.execute(statement, execution_options={"synchronize_session": False})
    if cast("CursorResult[Any]", result).rowcount != 1:
        raise Unavailable("The charger's credentials changed at this moment; try again.")


async def revoke(rows: AsyncSession, row: Credential, now: datetime) -> None:
    """End a key's life and erase its sealed copy; of the last ENDED_KEPT that ended, the MACs stay to know them by.

    One that was never sent nobody can come with.
    """
    known = row.sent_at is not None or row.purpose in {KeyPurpose.GIVEN, KeyPurpose.TYPED}
    values = {} if known else {"mac": "", "mac_decoded": None}
    await turn(rows, row, state=KeyState.REVOKED, revoked_at=now, sealed_key=None, **values)
    await note(rows, ChargePointId(row.charge_point_id), TrailAction.KEY_ENDED, {"purpose": row.purpose})
    ended = and_(Credential.charge_point_id == row.charge_point_id, Credential.state == KeyState.REVOKED)
    last = select(Credential.id).where(ended, Credential.mac != "").order_by(Credential.revoked_at.desc())
    forgotten = (await rows.scalars(last.offset(ENDED_KEPT))).all()
    if forgotten:
        await rows.execute(
            update(Credential).where(Credential.id.in_(forgotten)).values(mac="", mac_decoded=None),
            execution_options={"synchronize_session": False},
        )


async def note(
    rows: AsyncSession, charge_point_id: ChargePointId, action: TrailAction, detail: Mapping[str, Any]
) -> None:
    """Write into the charge point's trail what became of a key."""
    await audit.append(rows, of_charge_point(charge_point_id), actor=SYSTEM, action=action, detail=dict(detail))


async def set_aside(rows: AsyncSession, keys: Keys, pending: Credential, now: datetime) -> None:
    """Make room for another pending key: what the charger may hold opens what its present one opens."""
    if may_be_taken(pending) or pending.purpose == KeyPurpose.TYPED:
        await _put_beside(rows, keys, pending, now)
    else:
        await revoke(rows, pending, now)


def may_be_taken(pending: Credential) -> bool:
    """Whether the charger may hold the key: some sending of it was not refused."""
    return pending.maybe_taken or (pending.sent_at is not None and pending.answer not in REFUSALS)


async def _put_beside(rows: AsyncSession, keys: Keys, row: Credential, now: datetime) -> None:
    """Let a pending key that the charger may hold open what the current one opens; the oldest such one may end.

    It is no younger than the current one from then on: what a former owner's key opens, it opens.
    """
    if len(keys.beside) >= BESIDE_KEPT:
        await revoke(rows, keys.beside[0], now)
    version = row.version if keys.current is None else min(row.version, keys.current.version)
    await turn(rows, row, state=KeyState.BESIDE, known_to=KnownTo.PEOPLE, version=version, sealed_key=None)


def new_key(
    charge_point_id: ChargePointId,
    state: KeyState,
    mac: str,
    now: datetime,
    *,
    purpose: KeyPurpose,
    version: int,
    known_to: KnownTo = KnownTo.PEOPLE,
) -> Credential:
    """Give the row of a key of which nothing but its MAC is known, made while the charge point has this `version`."""
    return Credential(
        id=str(uuid.uuid4()),
        charge_point_id=charge_point_id,
        state=state.value,
        known_to=known_to.value,
        purpose=purpose.value,
        version=version,
        mac=mac,
        successor=False,
        created_at=now,
        sent_elsewhere=False,
        open_line=False,
        serials=[],
        answer_counts=False,
        maybe_taken=False,
        starts_with_old=0,
        quarantines_old=False,
        unattended=False,
        old_key_returns=0,
    )
