"""Who may see which transfer, and which period (docs/rules.md), as conditions on rows and ChargePoint."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, not_, or_, select, true

from domain.ids import GroupId, UserId
from domain.kinds import Decider, TransferKind, kinds_that, rules_of
from domain.rights import Role
from domain.transfer import FINAL, Acceptance, Attention, TransferState
from persistence.people.callers import Caller, groups_of
from persistence.tables import ChargePoint, OwnershipPeriod, Transfer


def transfer_in_sight(caller: Caller) -> ColumnElement[bool]:
    """Whether the caller may see a transfer; a refused one is its sender's alone."""
    if caller.operator:
        return true()
    return _seen(caller.id, _took_part(caller.id), _is_asked(caller.id), _present_side(caller.id))


def trail_in_sight(caller: Caller) -> ColumnElement[bool]:
    """Whether the caller may see its audit trail too: not who is only asked whether they accept."""
    if caller.operator:
        return true()
    return _seen(caller.id, _took_part(caller.id), _present_side(caller.id))


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


def attention_in_sight(transfer: Transfer, caller: Caller) -> Attention:
    """Give what a transfer waits for, as the caller may know it.

    How the letters to a recipient fare would tell whether the address has an account: who may not know them reads, of a
    transfer that waits for them, `recipient`, and of one that has ended nothing.
    """
    attention = Attention(transfer.attention)
    if not attention or knows_recipient(transfer, caller):
        return attention
    if transfer.state == TransferState.AWAITING_ACCEPTANCE.value:
        return Attention.RECIPIENT
    return Attention.NONE if TransferState(transfer.state) in FINAL else attention


def attention_is(attention: Attention, caller: Caller) -> ColumnElement[bool]:
    """Say in SQL whether `attention_in_sight` is this one."""
    column: ColumnElement[Any] = Transfer.attention.expression
    hidden = not_(_recipient_known(caller))
    waits = and_(Transfer.state == TransferState.AWAITING_ACCEPTANCE.value, column != Attention.NONE.value)
    over = Transfer.state.in_([state.value for state in FINAL])
    seen = case(
        (and_(hidden, waits), Attention.RECIPIENT.value), (and_(hidden, over), Attention.NONE.value), else_=column
    )
    return seen == attention.value


def of_group(caller: Caller, group_id: GroupId) -> ColumnElement[bool]:
    """Whether a transfer is from or to a group, or of a charge point that is in it now, as far as the caller may know.

    That is the group it came from; the one it goes to, to who may know the recipient; and the one that the charge point
    is in now, to that group's members.
    """
    return or_(
        Transfer.from_group_id == group_id,
        and_(Transfer.to_group_id == group_id, _recipient_known(caller)),
        now_in_group(caller, group_id),
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


def _seen(user_id: UserId, *reasons: ColumnElement[bool]) -> ColumnElement[bool]:
    return or_(Transfer.requested_by == user_id, and_(Transfer.state != TransferState.REFUSED.value, or_(*reasons)))


def _took_part(user_id: UserId) -> ColumnElement[bool]:
    """Whether they gave it, accepted it, or received it without being asked."""
    not_asked = Transfer.acceptance == Acceptance.NOT_REQUIRED.value
    return or_(
        Transfer.from_owner_id == user_id,
        Transfer.accepted_by == user_id,
        and_(Transfer.to_owner_id == user_id, not_asked),
    )


def _is_asked(user_id: UserId) -> ColumnElement[bool]:
    """Whether the decision is theirs: the recipient's, or any owner's of the target group (domain.kinds)."""
    group = Transfer.kind.in_(kinds_that(lambda rules: rules.decider is Decider.TARGET_GROUP_OWNERS))
    required = Transfer.acceptance == Acceptance.REQUIRED.value
    return and_(
        required,
        or_(
            and_(~group, Transfer.to_owner_id == user_id),
            and_(group, Transfer.to_group_id.in_(groups_of(user_id, Role.OWNER))),
        ),
    )


def _present_side(user_id: UserId) -> ColumnElement[bool]:
    """Whether they are in the charge point's group, and it was that group's before or after this transfer.

    After it only once the ownership has changed: a target group sees nothing of a transfer that it only may get.
    """
    changed = (
        select(OwnershipPeriod.version)
        .where(OwnershipPeriod.charge_point_id == Transfer.charge_point_id, OwnershipPeriod.transfer_id == Transfer.id)
        .exists()
    )
    return and_(
        ChargePoint.group_id.in_(groups_of(user_id)),
        or_(
            Transfer.from_group_id == ChargePoint.group_id,
            and_(Transfer.to_group_id == ChargePoint.group_id, changed),
        ),
    )
