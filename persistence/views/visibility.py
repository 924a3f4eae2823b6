"""Who may see which transfer, and which period (docs/rules.md), as conditions on their rows."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.ids import GroupId, TransferId, UserId
from domain.kinds import Decider, TransferKind, kinds_that, rules_of
from domain.rights import Role
from domain.transfer import Acceptance, TransferState
from persistence.people.callers import Caller, groups_of
from persistence.tables import ChargePoint, OwnershipPeriod, Transfer, User
from persistence.transfers.parties import ACTIVE


@dataclass(frozen=True)
class Way:
    """One way in which transfers are found: by a column that names one of some ids, which an index has in its order.

    Those that are found so are further narrowed by `only`, of which no part is a join: it is asked of one after the
    other, until there are enough.
    """

    column: InstrumentedAttribute[Any]
    ids: UserId | GroupId | Select[str]
    """The one id that it has to name; or the question for several."""
    only: ColumnElement[bool]

    @property
    def condition(self) -> ColumnElement[bool]:
        """Whether a transfer is found so."""
        named = self.column.in_(self.ids) if isinstance(self.ids, Select) else self.column == self.ids
        return and_(named, self.only)


def ways_of(caller: Caller) -> tuple[Way, ...]:
    """Give the ways in which a caller who is no operator sees transfers; a refused one is its sender's alone."""
    return _ways(caller.id)


def transfer_in_sight(caller: Caller) -> ColumnElement[bool]:
    """Whether the caller may see a transfer."""
    return true() if caller.operator else or_(*(way.condition for way in ways_of(caller)))


def trail_in_sight(caller: Caller) -> ColumnElement[bool]:
    """Whether the caller may see its audit trail too: not who is only asked whether they accept."""
    if caller.operator:
        return true()
    return or_(*(way.condition for way in (*_took_part(caller.id), *_present_side(caller.id))))


def period_in_sight(caller: Caller) -> ColumnElement[bool]:
    """Whether the caller may see a period of the ledger, OwnershipPeriod joined with its ChargePoint.

    Members of the group see the periods in which it was their group's; a former owner their own.
    """
    if caller.operator:
        return true()
    groups = ChargePoint.group_id.in_(groups_of(caller.id)) & (OwnershipPeriod.group_id == ChargePoint.group_id)
    return or_(groups, OwnershipPeriod.owner_id == caller.id)


def knows_recipient(transfer: Transfer, caller: Caller) -> bool:
    """Whether the caller may know to whom a transfer goes.

    Of one to a user by address only that user and operators do until it is accepted: else the sender would learn
    whether, and whose, an account it is. Without acceptance the scope that it takes covers that.
    """
    return not hides_recipient(transfer) or transfer.to_owner_id == caller.id or caller.operator


def hides_recipient(transfer: Transfer) -> bool:
    """Whether there is a recipient whom the sender may not know: one by address who has not accepted."""
    return (
        rules_of(TransferKind(transfer.kind)).hides_recipient
        and transfer.acceptance == Acceptance.REQUIRED.value
        and transfer.accepted_by is None
    )


def ways_of_group(caller: Caller, group_id: GroupId) -> tuple[Way, ...]:
    """Give the ways in which a transfer is a group's: from it, to it, or of a charge point that is in it now.

    The one that it goes to counts for who may know the recipient; the one that the charge point is in now for that
    group's members. What a caller may see of transfers at all comes on top.
    """
    inside = select(ChargePoint.id).where(now_in_group(caller, group_id))
    return (
        Way(Transfer.from_group_id, group_id, true()),
        Way(Transfer.to_group_id, group_id, _recipient_known(caller)),
        Way(Transfer.charge_point_id, inside, true()),
    )


def now_in_group(caller: Caller, group_id: GroupId) -> ColumnElement[bool]:
    """Whether the charge point is in a group now, which its members and operators may know."""
    inside = ChargePoint.group_id == group_id
    return inside if caller.operator else and_(inside, ChargePoint.group_id.in_(groups_of(caller.id)))


def _recipient_known(caller: Caller) -> ColumnElement[bool]:
    """Say in SQL what `knows_recipient` says of a row."""
    if caller.operator:
        return true()
    return or_(
        Transfer.kind.not_in(kinds_that(lambda rules: rules.hides_recipient)),
        Transfer.acceptance == Acceptance.NOT_REQUIRED.value,
        Transfer.accepted_by.is_not(None),
        Transfer.to_owner_id.is_not_distinct_from(caller.id),  # of nobody it is false, not unknown
    )


_NOT_REFUSED: ColumnElement[bool] = Transfer.state != TransferState.REFUSED.value


def _ways(user_id: UserId) -> tuple[Way, ...]:
    return (*_took_part(user_id), *_is_asked(user_id), *_present_side(user_id))


def _took_part(user_id: UserId) -> tuple[Way, ...]:
    """Whether they asked for it, gave it, accepted it, or received it without being asked."""
    not_asked = Transfer.acceptance == Acceptance.NOT_REQUIRED.value
    return (
        Way(Transfer.requested_by, user_id, true()),
        Way(Transfer.from_owner_id, user_id, _NOT_REFUSED),
        Way(Transfer.accepted_by, user_id, _NOT_REFUSED),
        Way(Transfer.to_owner_id, user_id, and_(_NOT_REFUSED, not_asked)),
    )


def _is_asked(user_id: UserId) -> tuple[Way, ...]:
    """Whether the decision is theirs: the recipient's, or any owner's of the target group (domain.kinds)."""
    group = Transfer.kind.in_(kinds_that(lambda rules: rules.decider is Decider.TARGET_GROUP_OWNERS))
    asked = and_(_NOT_REFUSED, Transfer.acceptance == Acceptance.REQUIRED.value)
    return (
        Way(Transfer.to_owner_id, user_id, and_(asked, ~group)),
        Way(Transfer.to_group_id, groups_of(user_id, Role.OWNER), and_(asked, group)),
    )


def _present_side(user_id: UserId) -> tuple[Way, ...]:
    """Whether they are in the charge point's group, and it was that group's before or after this transfer.

    After it only once the ownership has changed: a target group sees nothing of a transfer that it only may get.
    """
    changed = (
        select(OwnershipPeriod.version)
        .where(OwnershipPeriod.charge_point_id == Transfer.charge_point_id, OwnershipPeriod.transfer_id == Transfer.id)
        .limit(1)
        .correlate(Transfer)
        .scalar_subquery()
    )
    present = (
        select(ChargePoint.group_id)
        .where(ChargePoint.id == Transfer.charge_point_id)
        .correlate(Transfer)
        .scalar_subquery()
    )
    mine = groups_of(user_id)
    return (
        Way(Transfer.from_group_id, mine, and_(_NOT_REFUSED, present == Transfer.from_group_id)),
        Way(Transfer.to_group_id, mine, and_(_NOT_REFUSED, present == Transfer.to_group_id, changed.is_not(None))),
    )


async def read_active_readers(
    rows: AsyncSession, transfer_id: TransferId, user_ids: Collection[UserId]
) -> dict[UserId, tuple[User, bool]]:
    """Read those of the users whose accounts are usable, in a fixed order, and whether each may see a transfer.

    One query; it is asked of what they are to the transfer, not of what staff may see.
    """
    each = cast("UserId", User.id)  # the column stands for one after the other
    sees = and_(Transfer.id == transfer_id, or_(*(way.condition for way in _ways(each))))
    wanted = select(User, Transfer.id.is_not(None)).outerjoin(Transfer, sees)
    found = await rows.execute(wanted.where(User.id.in_(user_ids), User.status == ACTIVE).order_by(User.id))
    return {UserId(user.id): (user, seeing) for user, seeing in found}
