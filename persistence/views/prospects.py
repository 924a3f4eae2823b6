"""To whom, and where, somebody may transfer a charge point: the rules, asked of everybody who could be meant."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, assert_never

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import rights
from domain.charge_point import ChargePoint
from domain.errors import NotPossible, Refusal
from domain.ids import ChargePointId, GroupId, UserId
from domain.kinds import TransferKind, rules_of
from domain.rights import ADMINS, Role, Sender
from persistence.chargers import charge_points
from persistence.people import accounts
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import Group, Membership, User

#: Nobody chooses among more by a list; whoever has more gives the group by the API.
_MOST: Final = 500


class NoOtherGroup(NotPossible):
    """There is no other group in which the sender is an owner or admin."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("There is no other group of which you are an owner or admin; have its owner make you one.")


class NoOtherAdmin(NotPossible):
    """The group has no other owner or admin."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("The group has no other owner or admin who could own it; make somebody one first.")


@dataclass(frozen=True)
class Target:
    """A group, or a user, that a charge point may go to."""

    id: str
    name: str
    owner_changes: bool
    personal: bool = False


@dataclass(frozen=True)
class Prospect:
    """Whether a kind of transfer is open to somebody, and to which targets; none where an address is typed."""

    kind: TransferKind
    refusal: Refusal | None
    targets: tuple[Target, ...] = ()


class Prospects:
    """Answers one caller; only reads. Raises Unavailable where the database is away."""

    def __init__(self, db: Database, cool_down: timedelta) -> None:
        """Take the database, and how long an owner change cools down."""
        self._db = db
        self._cool_down = cool_down

    async def of(self, caller: Caller, charge_point_id: ChargePointId) -> tuple[Prospect, ...]:
        """Say of each kind of transfer whether it is open to the caller, who sees the charge point."""
        async with self._db.reading() as rows:
            point = await charge_points.get(rows, charge_point_id)
            role = (await accounts.roles(rows, [caller.id], [point.holding.group_id])).get(
                (caller.id, point.holding.group_id)
            )
            sender = Sender(caller.id, role, scopes=caller.scopes)
            found = [await self._of_kind(rows, kind, point, sender) for kind in TransferKind]
        try:
            rights.check_cool_down(point, sender, datetime.now(UTC), self._cool_down)
        except Refusal as refusal:
            return tuple(Prospect(one.kind, one.refusal or refusal) for one in found)
        return tuple(found)

    async def _of_kind(self, rows: AsyncSession, kind: TransferKind, point: ChargePoint, sender: Sender) -> Prospect:
        match kind:
            case TransferKind.MOVE_TO_GROUP:
                targets, refusals = await _groups(rows, point, sender)
                none = NoOtherGroup() if sender.role in ADMINS else rights.NotAdminOfBoth()
                return Prospect(kind, None if targets else next(iter(refusals), none), targets)
            case TransferKind.TRANSFER_OWNERSHIP:
                refusal = _refusal(lambda: rights.check_disposes(point, sender))
                targets = () if refusal else await _admins(rows, point, sender)
                return Prospect(kind, None if targets else refusal or NoOtherAdmin(), targets)
            case TransferKind.TRANSFER_TO_USER:
                return Prospect(kind, _refusal(lambda: rights.check_to_user(point, sender, rules_of(kind).acceptance)))
            case _:
                assert_never(kind)


async def _groups(rows: AsyncSession, point: ChargePoint, sender: Sender) -> tuple[tuple[Target, ...], list[Refusal]]:
    """Give the groups that it can be moved to, and why it can't to others of which the sender is an admin."""
    wanted = (
        select(Group.id, Group.name, Group.personal_of, Membership.role)
        .join(Membership, Membership.group_id == Group.id)
        .where(Membership.user_id == sender.id, Membership.role.in_(ADMINS), Group.id != point.holding.group_id)
        .order_by(Group.name, Group.id)
        .limit(_MOST)
    )
    groups = (await rows.execute(wanted)).all()
    owner = point.holding.owner_id
    owners_roles = await accounts.roles(rows, [owner], [GroupId(group.id) for group in groups])
    targets, refusals = list[Target](), list[Refusal]()
    for group_id, name, personal_of, role in groups:
        there = replace(sender, role_in_target=Role(role))
        try:
            after = rights.check_move(point, there, GroupId(group_id), owners_roles.get((owner, GroupId(group_id))))
        except Refusal as refusal:
            refusals.append(refusal)
        else:
            changes = after.owner_id != owner
            targets.append(Target(group_id, name, owner_changes=changes, personal=personal_of is not None))
    return tuple(targets), refusals


async def _admins(rows: AsyncSession, point: ChargePoint, sender: Sender) -> tuple[Target, ...]:
    """Give the users that it can be given to within its group."""
    wanted = (
        select(User.id, User.name, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.group_id == point.holding.group_id, Membership.role.in_(ADMINS), User.status == "active")
        .order_by(User.name, User.id)
        .limit(_MOST)
    )
    return tuple(
        Target(user_id, name, owner_changes=True)
        for user_id, name, role in (await rows.execute(wanted)).all()
        if _refusal(partial(rights.check_ownership, point, sender, UserId(user_id), Role(role))) is None
    )


def _refusal(check: Callable[[], object]) -> Refusal | None:
    try:
        check()
    except Refusal as refusal:
        return refusal
    return None
