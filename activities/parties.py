"""Who is asked and who is told of a transfer, and what they may know: docs/rules.md's rules over the rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from domain.contact import Address, Channel
from domain.ids import GroupId, TransferId, UserId
from domain.kinds import Decider, TransferKind, rules_of
from domain.recipient import Standing
from domain.rights import ADMINS, Role
from domain.transfer import Acceptance, TransferState
from notices.letters import Addressee
from persistence.links.approvals import EMAIL_CHANNEL, owner_channel
from persistence.people import accounts
from persistence.tables import ChargePoint, Transfer, User
from persistence.transfers import recipients, transfers
from persistence.transfers.parties import TransferFacts, changed_ownership, changes_owner, read_active
from persistence.vault import Vault
from persistence.views.visibility import hides_recipient, read_active_readers

COMPLETED = frozenset({TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS})


@dataclass(frozen=True)
class Asked:
    """Somebody who is asked: on which channel of the transfer, where they are reached, in which language."""

    channel: str
    address: Address | None
    """None where the account has no e-mail address, or is not usable any more."""
    locale: str
    standing: Standing = Standing.ACCOUNT


@dataclass(frozen=True)
class Told:
    """Somebody who is told, with what they have to do with the transfer."""

    user_id: UserId
    addressee: Addressee
    address: Address
    locale: str
    hidden: bool = False
    """On the side of a recipient whom the others may not know."""
    sees: bool = True
    """Whether they may see the transfer, as each of its parties may."""


async def find_asked(rows: AsyncSession, vault: Vault, facts: TransferFacts) -> list[Asked]:
    """Find who is asked at this moment: addresses as they are now, owners as they are now.

    Every owner of the target group where these decide, else the recipient. An account is reached by its e-mail address
    alone: a phone number may be somebody else's by now.
    """
    transfer = facts.transfer
    decider = rules_of(TransferKind(transfer.kind)).decider
    match decider:
        case Decider.TARGET_GROUP_OWNERS:
            owners = await accounts.members(rows, GroupId(transfer.to_group_id or ""), Role.OWNER)
            found = await read_active(rows, owners)
            return [Asked(owner_channel(user_id), _email(owner), owner.locale) for user_id, owner in found.items()]
        case Decider.RECIPIENT:
            return await _asked_recipient(rows, vault, facts)
        case _:
            assert_never(decider)


async def _asked_recipient(rows: AsyncSession, vault: Vault, facts: TransferFacts) -> list[Asked]:
    """Take the recipient's account, else the address itself; nobody where an account was found, and is of no use now.

    Without an account nobody's language is known: the sender's is the likeliest.
    """
    request = (await transfers.requested(rows, vault, TransferId(facts.transfer.id))).request
    found = await recipients.find(rows, facts.transfer, request)
    if found.account is not None:
        return [Asked(EMAIL_CHANNEL, _email(found.account), found.account.locale, found.standing)]
    if facts.transfer.to_owner_id is not None or request.address is None:
        return []
    return [Asked(request.address.channel.value, request.address, facts.sender.locale, found.standing)]


async def find_told_of_request(rows: AsyncSession, transfer: Transfer) -> list[Told]:
    """Find who is told at the request: a present owner who did not ask."""
    if not transfer.asked_over_owner:
        return []
    return await _reachable(rows, {UserId(transfer.from_owner_id): Addressee.OWNER})


async def find_told_of_acceptance(rows: AsyncSession, transfer: Transfer) -> list[Told]:
    """Find who is told that it was accepted: the sender and the present owner, but not whoever accepted."""
    addressees = {UserId(transfer.from_owner_id): Addressee.OWNER, UserId(transfer.requested_by): Addressee.SENDER}
    addressees.pop(UserId(transfer.accepted_by or ""), None)
    return await _reachable(rows, addressees)


async def find_told_of_end(rows: AsyncSession, transfer: Transfer) -> list[Told]:
    """Find who is told of the end, each once: recipient, sender, present owner, the groups' owners and admins.

    The target's side is told only if it was asked, or if the charge point ever changed hands.
    """
    if transfer.state == TransferState.REFUSED:
        return []
    involved = transfer.acceptance == Acceptance.REQUIRED or transfer.state in COMPLETED
    involved = involved or await changed_ownership(rows, TransferId(transfer.id))
    addressees: dict[UserId, Addressee] = {}
    if involved and transfer.to_owner_id is not None and _gains_owner(transfer):
        addressees[UserId(transfer.to_owner_id)] = Addressee.RECIPIENT
    addressees.setdefault(UserId(transfer.requested_by), Addressee.SENDER)
    addressees.setdefault(UserId(transfer.from_owner_id), Addressee.OWNER)
    groups = [GroupId(transfer.from_group_id), *([GroupId(transfer.to_group_id)] if transfer.to_group_id else ())]
    admins = await accounts.members_of(rows, groups, ADMINS)
    for admin_id in admins[groups[0]]:
        addressees.setdefault(admin_id, Addressee.GROUP)
    others = {user_id for user_id, addressee in addressees.items() if addressee is not Addressee.RECIPIENT}
    if involved:
        for admin_id in admins[groups[-1]]:
            addressees.setdefault(admin_id, Addressee.GROUP)
    hides = hides_recipient(transfer)
    readers = await read_active_readers(rows, TransferId(transfer.id), addressees.keys())
    return [
        replace(person, hidden=hides and person.user_id not in others, sees=readers[person.user_id][1])
        for person in _with_addresses({user_id: user for user_id, (user, _) in readers.items()}, addressees)
    ]


async def find_told_of_new_key(rows: AsyncSession, transfer: Transfer) -> list[Told]:
    """Find who is told that the charger needs a key: its new owner."""
    return await _reachable(rows, {UserId(transfer.to_owner_id or ""): Addressee.RECIPIENT})


async def find_owner(rows: AsyncSession, point: ChargePoint) -> list[Told]:
    """Find who is told of what concerns a charge point: its owner of this moment."""
    return await _reachable(rows, {UserId(point.owner_id): Addressee.OWNER})


async def find_users(rows: AsyncSession, users: Iterable[UserId]) -> list[Told]:
    """Find how users are reached who have owned a charge point."""
    return await _reachable(rows, dict.fromkeys(users, Addressee.OWNER))


def _gains_owner(transfer: Transfer) -> bool:
    """Whether `to_owner_id` is a recipient: where a group decides, once it is done (it was the sender till then)."""
    decider = rules_of(TransferKind(transfer.kind)).decider
    match decider:
        case Decider.TARGET_GROUP_OWNERS:
            return changes_owner(transfer) and transfer.state in COMPLETED
        case Decider.RECIPIENT:
            return True
        case _:
            assert_never(decider)


async def _reachable(rows: AsyncSession, addressees: dict[UserId, Addressee]) -> list[Told]:
    return _with_addresses(await read_active(rows, addressees.keys()), addressees)


def _with_addresses(users: Mapping[UserId, User], addressees: Mapping[UserId, Addressee]) -> list[Told]:
    return [
        Told(user_id, addressees[user_id], address, user.locale)
        for user_id, user in users.items()
        if (address := _email(user)) is not None
    ]


async def find_new_owner(rows: AsyncSession, transfer: Transfer) -> str | None:
    """Give the name of who is to own the charge point; None where nobody may know it yet, or nobody does.

    A recipient whom the kind hides stays hidden until acceptance.
    """
    hidden = rules_of(TransferKind(transfer.kind)).hides_recipient and not (
        transfer.accepted_by is not None or transfer.state in COMPLETED
    )
    if hidden or transfer.to_owner_id is None:
        return None
    owner = await rows.get(User, transfer.to_owner_id)
    return None if owner is None else owner.name


def _email(user: User) -> Address | None:
    return Address(Channel.EMAIL, user.email) if user.email else None
