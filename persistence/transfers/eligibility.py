"""Holds the domain's rules against the facts in the database: at the request, and again just before the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from domain.charge_point import ChargePoint, Holding
from domain.errors import NotAllowed, NotFound, NotPossible
from domain.ids import GroupId, UserId
from domain.kinds import TransferKind
from domain.request import TransferRequest
from domain.rights import (
    Role,
    Sender,
    ToOneself,
    check_cool_down,
    check_move,
    check_ownership,
    check_recipient,
    check_to_user,
    is_asked_over_owner,
)
from domain.transfer import Acceptance, DeviceSteps, device_steps
from persistence.chargers import charge_points
from persistence.people import accounts
from persistence.transfers.transfers import Requested

UNUSABLE = "There is no usable account with this address; ask the recipient to open one."


@dataclass(frozen=True)
class Facts:
    """A request beside what it is about, read in one transaction."""

    charge_point: ChargePoint
    sender: Sender
    request: TransferRequest
    roles: Mapping[tuple[UserId, GroupId], Role]
    """Those of sender, present owner and wished-for owner, in the present and the wished-for group."""


async def gather(rows: AsyncSession, asked: Requested, charge_point: ChargePoint | None = None) -> Facts:
    """Read the charge point, unless it is given, and the roles of today; raises NotAllowed for an unusable sender."""
    charge_point = charge_point or await charge_points.get(rows, asked.charge_point_id)
    if not asked.sender_active:
        raise NotAllowed("The account that asked is not active any more.")
    holding, request = charge_point.holding, asked.request
    target = GroupId(request.group_id) if request.group_id else None
    users = {asked.sender_id, holding.owner_id, *([UserId(request.user_id)] if request.user_id else ())}
    roles = await accounts.roles(rows, users, {holding.group_id, *([target] if target else ())})
    sender = Sender(
        id=asked.sender_id,
        role=roles.get((asked.sender_id, holding.group_id)),
        role_in_target=roles.get((asked.sender_id, target)) if target else None,
        scopes=asked.scopes,
    )
    return Facts(charge_point, sender, request, roles)


async def check_rights(rows: AsyncSession, facts: Facts) -> Holding | None:
    """Say who will hold the charge point; None where that follows from a recipient's address.

    Refuses NotAllowed, NotPossible, NotFound (operators only: to others an unknown group is one they have no role in).
    """
    request, charge_point, sender = facts.request, facts.charge_point, facts.sender
    match request.kind:
        case TransferKind.MOVE_TO_GROUP:
            target = GroupId(request.group_id or "")
            if sender.operator and not await accounts.group_exists(rows, target):
                raise NotFound("There is no such group.")
            owner_role = facts.roles.get((charge_point.holding.owner_id, target))
            return check_move(charge_point, sender, target, owner_role)
        case TransferKind.TRANSFER_OWNERSHIP:
            recipient = UserId(request.user_id or "")
            role = facts.roles.get((recipient, charge_point.holding.group_id))
            return check_ownership(charge_point, sender, recipient, role)
        case TransferKind.TRANSFER_TO_USER:
            check_to_user(charge_point, sender, request.acceptance)
            return None
        case _:
            assert_never(request.kind)


def check_waiting_time(facts: Facts, now: datetime, cool_down: timedelta) -> None:
    """Refuse CoolingDown."""
    check_cool_down(facts.charge_point, facts.sender, now, cool_down)


async def find_recipient(rows: AsyncSession, facts: Facts) -> Holding | None:
    """Look an address up; None where it has no usable account: the transfer waits for one, like any other.

    So it does where it is the present owner's, who is told so as they are asked: else the sender would learn whose it
    is. Refuses NotPossible for the sender's own, and where nobody will be asked for any that can't be.
    """
    request, address = facts.request, facts.request.address
    if address is None:
        raise AssertionError("a request by address has one")
    own, user, group = await accounts.look_up(rows, address, facts.sender.id)
    if own:
        raise ToOneself
    if user is None or group is None:
        if request.acceptance is Acceptance.NOT_REQUIRED:
            raise NotPossible(UNUSABLE)
        return None
    if request.acceptance is Acceptance.REQUIRED and user == facts.charge_point.holding.owner_id:
        return None
    return check_recipient(facts.charge_point, facts.sender, user, group)


async def check_still_usable(rows: AsyncSession, facts: Facts, recipient: UserId) -> Holding:
    """Check a recipient who was found before, and give what they will hold; refuses NotPossible."""
    group = await accounts.usable_group(rows, recipient)
    if group is None:
        raise NotPossible(UNUSABLE)
    return check_recipient(facts.charge_point, facts.sender, recipient, group)


async def target_of(rows: AsyncSession, facts: Facts) -> Holding | None:
    """Check the rights and look up the target: what a reservation rests on."""
    return await check_rights(rows, facts) or await find_recipient(rows, facts)


def steps_for(facts: Facts, after: Holding | None) -> DeviceSteps:
    """Say which device steps a change to `after` takes; an address not looked up yet changes both."""
    before = facts.charge_point.holding
    return device_steps(
        owner_changes=after is None or after.owner_id != before.owner_id,
        group_changes=after is None or after.group_id != before.group_id,
        connection=facts.request.connection,
    )


def takes_from_owner(facts: Facts, after: Holding | None) -> bool:
    """Whether the present owner did not ask for it and is to be told."""
    return is_asked_over_owner(facts.charge_point, facts.sender.id, after, facts.request.kind)
