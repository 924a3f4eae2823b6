"""Who may ask for which transfer, and what it would change."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.charge_point import ChargePoint, Holding
from domain.errors import CoolingDown, NotAllowed, NotPossible
from domain.ids import GroupId, UserId
from domain.kinds import FoundBy, TransferKind, rules_of
from domain.transfer import Acceptance


class Role(StrEnum):
    """Of a member in a group."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class Scope(StrEnum):
    """What an API key may do beyond its user's own roles."""

    WITHOUT_ACCEPTANCE = "transfers:without-acceptance"
    OPERATOR = "operator"


ADMINS: Final = frozenset({Role.OWNER, Role.ADMIN})
DEFAULT_COOL_DOWN: Final = timedelta(hours=24)
#: Why a charge point that is reserved can't be transferred.
UNDER_WAY: Final = "The charge point has a transfer under way; wait for its end, or cancel it."


class ToOneself(NotPossible):
    """The recipient is the sender."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("You can't transfer a charge point to yourself; choose somebody else.")


class NotItsOwner(NotAllowed):
    """The sender does not dispose of the charge point."""

    def __init__(self) -> None:
        """Say whom to ask."""
        super().__init__("Only the charge point's owner, or an owner of its group, may transfer it; ask one of them.")


class NotAdminOfBoth(NotAllowed):
    """The sender lacks the role in one of the groups of a move."""

    def __init__(self) -> None:
        """Say who can do it."""
        super().__init__(
            "Moving a charge point takes the role owner or admin in both groups; have somebody do it who has both."
        )


class MoveChangesOwner(NotAllowed):
    """The move would change the owner, which is not the sender's to do."""

    def __init__(self) -> None:
        """Say whom to ask."""
        super().__init__(
            "The owner is not an owner or admin of the target group, so the move would change the owner: "
            "only the charge point's owner or an owner of its group may ask for that; ask one of them."
        )


class CoolingDownUntil(CoolingDown):
    """The owner changed recently."""

    def __init__(self, until: datetime) -> None:
        """Say from when on it can be transferred again."""
        text = "The charge point's owner changed recently; it can be transferred again from"
        super().__init__(f"{text} {until:%Y-%m-%dT%H:%M:%SZ}.")
        self.until = until


@dataclass(frozen=True)
class Sender:
    """Who asks, with their role in the charge point's group and in the target group (None: not a member)."""

    id: UserId
    role: Role | None
    role_in_target: Role | None = None
    scopes: frozenset[Scope] = frozenset()

    @property
    def operator(self) -> bool:
        """Whether they are staff."""
        return Scope.OPERATOR in self.scopes


def _owns(sender: Sender, charge_point: ChargePoint) -> bool:
    """Whether the sender disposes of the charge point: its owner, an owner of its group, or an operator."""
    return sender.operator or sender.id == charge_point.holding.owner_id or sender.role is Role.OWNER


def check_disposes(charge_point: ChargePoint, sender: Sender) -> None:
    """Raise NotItsOwner unless the sender disposes of the charge point."""
    if not _owns(sender, charge_point):
        raise NotItsOwner


def check_move(
    charge_point: ChargePoint, sender: Sender, target: GroupId, owner_role_in_target: Role | None
) -> Holding:
    """Say who holds the charge point after a move to the group `target`.

    Raises NotAllowed without the roles, NotPossible for the group it is in.
    """
    if target == charge_point.holding.group_id:
        raise NotPossible("The charge point is in that group already; choose another one.")
    if not sender.operator and (sender.role not in ADMINS or sender.role_in_target not in ADMINS):
        raise NotAdminOfBoth
    if owner_role_in_target in ADMINS:
        return Holding(charge_point.holding.owner_id, target)
    if not _owns(sender, charge_point):
        raise MoveChangesOwner
    if sender.role_in_target not in ADMINS:
        raise NotPossible("The owner is not an owner or admin of the target group; make them one first.")
    return Holding(sender.id, target)


def check_ownership(
    charge_point: ChargePoint, sender: Sender, recipient: UserId, recipient_role: Role | None
) -> Holding:
    """Say who holds the charge point after its ownership went to `recipient`, within its group.

    Raises NotAllowed without the rights, NotPossible where the recipient can't have it.
    """
    check_disposes(charge_point, sender)
    if recipient == charge_point.holding.owner_id:
        raise NotPossible("That user owns the charge point already; choose somebody else.")
    if recipient == sender.id:
        raise NotPossible("You can't transfer a charge point to yourself; ask another owner of the group.")
    if recipient_role not in ADMINS:
        raise NotPossible("The recipient must be an owner or admin of the charge point's group; make them one first.")
    return Holding(recipient, charge_point.holding.group_id)


def check_to_user(charge_point: ChargePoint, sender: Sender, acceptance: Acceptance) -> None:
    """Raise NotAllowed unless the sender may give the charge point to a user."""
    check_disposes(charge_point, sender)
    if acceptance is Acceptance.NOT_REQUIRED and Scope.WITHOUT_ACCEPTANCE not in sender.scopes:
        scope = Scope.WITHOUT_ACCEPTANCE.value
        raise NotAllowed(
            f"Leaving out the acceptance takes a key with the scope {scope}; else have the recipient asked."
        )


def check_recipient(charge_point: ChargePoint, sender: Sender, recipient: UserId, personal_group: GroupId) -> Holding:
    """Say who holds the charge point after it went to the user `recipient`; raises NotPossible."""
    if recipient == sender.id:
        raise ToOneself
    if recipient == charge_point.holding.owner_id:
        raise NotPossible("That user owns the charge point already; choose somebody else.")
    if personal_group == charge_point.holding.group_id:
        raise NotPossible("The charge point is in that user's personal group already; choose somebody else.")
    return Holding(recipient, personal_group)


def check_cool_down(
    charge_point: ChargePoint, sender: Sender, now: datetime, cool_down: timedelta = DEFAULT_COOL_DOWN
) -> None:
    """Raise CoolingDown within `cool_down` after the owner last changed; operators are exempt."""
    if sender.operator or charge_point.owner_changed_at is None:
        return
    until = charge_point.owner_changed_at + cool_down
    if now < until:
        raise CoolingDownUntil(until)


def is_asked_over_owner(charge_point: ChargePoint, sender: UserId, after: Holding | None, kind: TransferKind) -> bool:
    """Whether the transfer takes the charge point from an owner who did not ask for it."""
    if sender == charge_point.holding.owner_id:
        return False
    if after is None:
        return rules_of(kind).found_by is FoundBy.RECIPIENT
    return after.owner_id != charge_point.holding.owner_id
