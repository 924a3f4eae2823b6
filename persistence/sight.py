"""Who may see which transfer (product.md, `Who sees what`), as conditions on Transfer joined with its ChargePoint."""

from sqlalchemy import ColumnElement, and_, or_, select, true

from domain.ids import GroupId, UserId
from domain.rights import Role
from domain.transfer import Acceptance, TransferKind, TransferState
from persistence.callers import Caller, groups_of
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


def knows_recipient(transfer: Transfer, caller: Caller) -> bool:
    """Whether the caller may know to whom a transfer goes.

    Of one to a user by address only that user and operators do until it is accepted: else the sender would learn
    whether, and whose, an account it is. Without acceptance the scope that it takes covers that.
    """
    return (
        transfer.kind != TransferKind.TRANSFER_TO_USER.value
        or transfer.acceptance == Acceptance.NOT_REQUIRED.value
        or transfer.accepted_by is not None
        or transfer.to_owner_id == caller.id
        or caller.operator
    )


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
        Transfer.kind != TransferKind.TRANSFER_TO_USER.value,
        Transfer.acceptance == Acceptance.NOT_REQUIRED.value,
        Transfer.accepted_by.is_not(None),
        Transfer.to_owner_id == caller.id,
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
    """Whether the decision is theirs: the recipient's, or of a move any owner's of the target group."""
    move = Transfer.kind == TransferKind.MOVE_TO_GROUP.value
    required = Transfer.acceptance == Acceptance.REQUIRED.value
    return and_(
        required,
        or_(
            and_(~move, Transfer.to_owner_id == user_id),
            and_(move, Transfer.to_group_id.in_(groups_of(user_id, Role.OWNER))),
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
