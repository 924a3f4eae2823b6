"""Takes out what is kept about a person, and leaves the ids that the ledger and the audit trails point to.

Every function works in the caller's transaction and leaves the commit to it. What stays, and why: docs/privacy.md.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Delete, Update, and_, delete, exists, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from domain import actors
from domain.erasure import SHORTEST_NAME, Ties
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.kinds import TransferKind
from domain.orders import OrderAct
from domain.request import TransferRequest
from domain.rights import Role
from domain.transfer import FINAL
from persistence.tables import (
    AccountOpening,
    ApiKey,
    ApprovalLink,
    AuditEvent,
    ChargePoint,
    ChargingSession,
    Code,
    Group,
    IdempotencyKey,
    LocalList,
    Membership,
    Order,
    OutboxLetter,
    OwnershipPeriod,
    Passkey,
    PasskeyChallenge,
    Request,
    SignIn,
    SignInCode,
    Tag,
    Transfer,
    TransferStep,
    User,
)
from persistence.transfers import audit
from persistence.vault import SecretsUnreadable, Vault

#: So many sealed requests are read at once.
_AT_ONCE: Final = 1000
_UNDER_WAY: Final = Transfer.state.not_in([state.value for state in FINAL])


@dataclass(frozen=True)
class Person:
    """Somebody, as they are known here."""

    id: UserId
    name: str
    email: str | None
    phone: str | None

    @classmethod
    def of(cls, user: User) -> "Person":
        """Take what is known of a user."""
        return cls(UserId(user.id), user.name, user.email, user.phone)

    @property
    def addresses(self) -> frozenset[str]:
        """Where they are written to."""
        return frozenset(one for one in (self.email, self.phone) if one)

    @property
    def identifiers(self) -> frozenset[str]:
        """What a text that holds it names them by."""
        return self.addresses | ({self.name} if len(self.name) >= SHORTEST_NAME else set())


async def requests_to(
    rows: AsyncSession, vault: Vault, person: Person, *, since: datetime | None = None
) -> set[TransferId]:
    """Find what was asked for to give to them, by their id or an address of theirs; `since` a time. Only reads.

    Whom a request names is sealed, so each is read. What no server key reads any more names nobody.
    """
    found: set[TransferId] = set()
    wanted = select(Request.transfer_id, Request.sealed_body).where(Request.kind != TransferKind.MOVE_TO_GROUP.value)
    wanted = wanted.where(Request.requested_at >= since) if since is not None else wanted
    wanted = wanted.order_by(Request.transfer_id).limit(_AT_ONCE)
    after = ""
    while page := (await rows.execute(wanted.where(Request.transfer_id > after))).all():
        for transfer_id, sealed in page:
            request = _unsealed(vault, sealed)
            if request and (request.user_id == person.id or request.recipient in person.addresses):
                found.add(TransferId(transfer_id))
        after = page[-1][0]
    return found


def _unsealed(vault: Vault, sealed: bytes) -> TransferRequest | None:
    try:
        return TransferRequest.model_validate_json(vault.unseal(sealed))
    except SecretsUnreadable:
        return None


async def ties_of(rows: AsyncSession, person: Person, addressed: Collection[TransferId]) -> Ties:
    """Find what ties a person to what others have; `addressed`: what was asked for by an address of theirs."""
    user, other, owner = person.id, aliased(Membership), Role.OWNER.value
    owned = select(ChargePoint.id).where(ChargePoint.owner_id == user).order_by(ChargePoint.id)
    another = exists().where(
        *(other.group_id == Membership.group_id, other.role == owner, other.user_id != user),
        *(User.id == other.user_id, User.status == "active"),
    )
    alone = (
        select(Group.id)
        .join(Membership, Membership.group_id == Group.id)
        .where(Membership.user_id == user, Membership.role == owner, Group.personal_of.is_(None), ~another)
    )
    running = (ChargingSession.owner_id == user, ChargingSession.stopped_at.is_(None))
    sessions = select(ChargingSession.id).where(*running).order_by(ChargingSession.id)
    theirs = or_(took_part(person), Transfer.id.in_(addressed))
    under_way = select(Transfer.id).where(_UNDER_WAY, theirs).order_by(Transfer.id)
    asked = or_(Request.user_id == user, Request.transfer_id.in_(addressed))
    to_start = select(Request.transfer_id).where(Request.started_at.is_(None), asked).order_by(Request.transfer_id)
    starting = set(await rows.scalars(to_start))  # before those under way: what begins meanwhile is among them
    return Ties(
        charge_points=tuple(ChargePointId(one) for one in await rows.scalars(owned)),
        groups=tuple(GroupId(one) for one in await rows.scalars(alone.order_by(Group.id))),
        sessions=tuple(await rows.scalars(sessions)),
        transfers=tuple(TransferId(one) for one in sorted(starting | set(await rows.scalars(under_way)))),
    )


async def take_out(
    rows: AsyncSession, vault: Vault, person: Person, addressed: Collection[TransferId], now: datetime
) -> None:
    """Take out what is kept about somebody who is tied to nothing; a repeat takes out what has come since."""
    part = list(await rows.scalars(select(Transfer.id).where(or_(took_part(person), Transfer.id.in_(addressed)))))
    group = await rows.scalar(select(Group.id).where(Group.personal_of == person.id))
    await _ask_no_more(rows, vault, person, addressed, now)
    await _silence(rows, person, part)
    await _take_places_out(rows, person, part)
    if group is not None:
        await _take_tags_out(rows, person, GroupId(group))
    await _sign_out(rows, vault, person)
    await _do(rows, delete(Membership).where(Membership.user_id == person.id))
    await _do(rows, update(Group).where(Group.personal_of == person.id).values(name=""))


def forget(user: User, now: datetime) -> None:
    """Take their name and addresses from an account's row, and mark it; a repeat keeps when that was."""
    user.name, user.email, user.phone, user.locale = "", None, None, "en"
    user.status, user.erased_at = "deleted", user.erased_at or now


def took_part(person: Person) -> ColumnElement[bool]:
    """Whether somebody asked for a transfer, accepted it, or was to lose or to get the charge point."""
    parties = (Transfer.requested_by, Transfer.from_owner_id, Transfer.to_owner_id, Transfer.accepted_by)
    return or_(*(party == person.id for party in parties))


async def _do(rows: AsyncSession, statement: Update | Delete) -> None:
    await rows.execute(statement, execution_options={"synchronize_session": False})


# --- what was asked for -------------------------------------------------------------------------------------------


async def _ask_no_more(
    rows: AsyncSession, vault: Vault, person: Person, addressed: Collection[TransferId], now: datetime
) -> None:
    """Take out of requests by them, and to them, who was meant and what was written; a repeat is still known as one.

    Their own go where nothing is left to do. So do their API keys that no request points to; the others are ended.
    """
    to_them = or_(Transfer.to_owner_id == person.id, Transfer.accepted_by == person.id)
    wanted = (
        select(Request)
        .outerjoin(Transfer, Transfer.id == Request.transfer_id)
        .where(or_(Request.user_id == person.id, to_them, Request.transfer_id.in_(addressed)))
    )
    for request in await rows.scalars(wanted):
        request.sealed_body = _without_people(vault, request.sealed_body)
        if request.user_id == person.id:
            request.idempotency_key = None
    await rows.flush()
    open_end = or_(_UNDER_WAY, Transfer.due, Transfer.attention != "")
    is_open = exists().where(Transfer.id == Request.transfer_id, open_end)
    letters = exists().where(OutboxLetter.transfer_id == Request.transfer_id, OutboxLetter.due_at.is_not(None))
    await _do(rows, delete(Request).where(Request.user_id == person.id, ~is_open, ~letters))
    await _do(rows, delete(IdempotencyKey).where(IdempotencyKey.user_id == person.id))
    theirs = ApiKey.user_id == person.id
    await _do(rows, delete(ApiKey).where(theirs, ~exists().where(Request.api_key_id == ApiKey.id)))
    await _do(rows, update(ApiKey).where(theirs, ApiKey.revoked_at.is_(None)).values(revoked_at=now))


def _without_people(vault: Vault, sealed: bytes) -> bytes:
    """Take from a request whom it names by an address, and what was written to them."""
    request = _unsealed(vault, sealed)
    if request is None:
        return sealed
    taken = {"recipient": None, "recipient_channel": None, "message": None}
    return vault.seal(request.model_copy(update=taken).model_dump_json(exclude={"reason"}).encode())


# --- what was written ---------------------------------------------------------------------------------------------


async def _silence(rows: AsyncSession, person: Person, part: Collection[str]) -> None:
    """Take out what people typed as they acted, by them or about them, and what their letters came back with."""
    by_them = [actors.user(person.id), actors.operator(person.id)]
    about = [
        or_(
            Order.user_id == person.id, Order.actor.in_(by_them), Order.subject.in_(part), _in_their_time(person, Order)
        ),
        *(_holds(Order.reason, one) for one in person.identifiers),
    ]
    typed = (Order.reason.is_not(None), Order.act != OrderAct.ERASE.value)
    await _do(rows, update(Order).where(*typed, or_(*about)).values(reason=None))
    for table in (OutboxLetter, TransferStep):
        said = or_(table.transfer_id.in_(part), *(_holds(table.last_error, one) for one in person.identifiers))
        await _do(rows, update(table).where(table.last_error.is_not(None), said).values(last_error=None))
    links = select(ApprovalLink.id).where(ApprovalLink.transfer_id.in_(part))
    for of_link in (AccountOpening, Code):
        await _do(rows, delete(of_link).where(of_link.link_id.in_(links)))


def _holds(text: InstrumentedAttribute[str | None], said: str) -> ColumnElement[bool]:
    """Whether a text holds what somebody is called, in this spelling or in small letters."""
    small = func.lower(text).contains(said.lower(), autoescape=True)
    return or_(text.contains(said, autoescape=True), small)


def _in_their_time(person: Person, table: type[Order | AuditEvent]) -> ColumnElement[bool]:
    """Whether something is of a charge point, and of a time when it was theirs."""
    began, ended = OwnershipPeriod.started_at <= table.at, OwnershipPeriod.ended_at >= table.at
    of_point = table.subject == "charge_point:" + OwnershipPeriod.charge_point_id
    return exists().where(OwnershipPeriod.owner_id == person.id, of_point, began, ended)


async def _take_places_out(rows: AsyncSession, person: Person, part: Collection[str]) -> None:
    """Take out of audit trails where they were: the addresses of what was theirs, as long as it was."""
    await audit.take_places_out(rows, or_(AuditEvent.subject.in_(part), _in_their_time(person, AuditEvent)))


# --- what they charged with ---------------------------------------------------------------------------------------


async def _take_tags_out(rows: AsyncSession, person: Person, group_id: GroupId) -> None:
    """Take out the tags of their own group, and from charging sessions and lists what is theirs alone."""
    tags = list(await rows.scalars(select(Tag.id_tag).where(Tag.group_id == group_id).distinct()))
    points = select(OwnershipPeriod.charge_point_id).where(OwnershipPeriod.owner_id == person.id)
    booked = and_(ChargingSession.charge_point_id.in_(points), ChargingSession.group_id == group_id)
    others = exists().where(Tag.id_tag == ChargingSession.id_tag, Tag.group_id != group_id)
    elsewhere = and_(ChargingSession.id_tag.in_(tags), ~others) if tags else false()
    told = (ChargingSession.id_tag != "", or_(booked, elsewhere))
    await _do(rows, update(ChargingSession).where(*told).values(id_tag=""))
    lists = select(LocalList).where(LocalList.charge_point_id.in_(points)).with_for_update()
    for sent in await rows.scalars(lists):
        sent.entries = _but(sent.entries, tags)
        sent.replaced = None if sent.replaced is None else _but(sent.replaced, tags)
    await rows.flush()
    await _do(rows, delete(Tag).where(Tag.group_id == group_id))


def _but(entries: list[Any], tags: Collection[str]) -> list[Any]:
    return [entry for entry in entries if entry["id_tag"] not in tags]


# --- how they came in ---------------------------------------------------------------------------------------------


async def _sign_out(rows: AsyncSession, vault: Vault, person: Person) -> None:
    """Delete their sign-ins, their passkeys, and each code that was asked for with an address of theirs."""
    codes = await rows.execute(select(SignInCode.id, SignInCode.sealed_address))
    asked = [code_id for code_id, sealed in codes if _is_of(vault, sealed, person)]
    sign_ins = select(SignIn.id).where(SignIn.user_id == person.id)
    theirs = or_(SignInCode.id.in_(asked), SignInCode.user_id == person.id, SignInCode.sign_in_id.in_(sign_ins))
    await _do(rows, delete(SignInCode).where(theirs))
    for table in (SignIn, Passkey, PasskeyChallenge):
        await _do(rows, delete(table).where(table.user_id == person.id))


def _is_of(vault: Vault, sealed: bytes, person: Person) -> bool:
    try:
        return vault.unseal(sealed).decode() in person.addresses
    except SecretsUnreadable:
        return False
