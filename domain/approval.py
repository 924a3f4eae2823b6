"""Who must decide on a transfer, and by when."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import isodate

from domain.errors import InvalidRequest, NotAllowed
from domain.ids import UserId
from domain.transfer import Acceptance, TransferKind

DEFAULT_EXPIRY: Final = timedelta(days=7)
SHORTEST_EXPIRY: Final = timedelta(hours=1)
LONGEST_EXPIRY: Final = timedelta(days=60)
LAST_REMINDER: Final = timedelta(hours=24)


class Decision(StrEnum):
    """What ends the wait for the recipient; expiry is the clock's."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    EXPIRE = "expire"


def default_acceptance(kind: TransferKind) -> Acceptance:
    """Whether the recipient is asked where the request does not say."""
    return Acceptance.REQUIRED if kind is TransferKind.TRANSFER_TO_USER else Acceptance.NOT_REQUIRED


def check_expiry(
    expires_in: timedelta | None,
    default: timedelta = DEFAULT_EXPIRY,
    shortest: timedelta = SHORTEST_EXPIRY,
) -> timedelta:
    """Give the time to decide; raises InvalidRequest outside `shortest` to LONGEST_EXPIRY."""
    if expires_in is None:
        return default
    if not shortest <= expires_in <= LONGEST_EXPIRY:
        bounds = f"{isodate.duration_isoformat(shortest)} and {isodate.duration_isoformat(LONGEST_EXPIRY)}"
        raise InvalidRequest(f"expires_in must be between {bounds}; correct it, or leave it out.")
    return expires_in


def reminders(asked_at: datetime, expires_at: datetime) -> list[datetime]:
    """When the recipient is reminded: half-way, and 24 h before the end where that is later."""
    half = asked_at + (expires_at - asked_at) / 2
    last = expires_at - LAST_REMINDER
    return [half, last] if last > half else [half]


def check_resender(actor_id: UserId, sender_id: UserId) -> None:
    """Raise NotAllowed unless the actor may have the recipient asked anew: who asked for the transfer."""
    if actor_id != sender_id:
        raise NotAllowed("Only who asked for the transfer, or an operator, may have its link sent again; ask them.")


def check_decider(
    decision: Decision,
    *,
    actor_id: UserId,
    recipient_id: UserId | None,
    target_group_owners: frozenset[UserId],
    sender_id: UserId,
    present_owner_id: UserId,
    kind: TransferKind,
) -> None:
    """Raise NotAllowed unless `decision` is the actor's to take.

    Accept and decline are the recipient's (of a move to a group: any owner of the target group);
    cancel is the sender's and the present owner's; expiry is the clock's, and no actor's.
    """
    if decision is Decision.EXPIRE:
        raise NotAllowed("A transfer expires by itself; nobody can decide that.")
    if decision is Decision.CANCEL:
        if actor_id not in {sender_id, present_owner_id}:
            raise NotAllowed("Only who asked for the transfer, or the present owner, may cancel it; ask one of them.")
        return
    deciders = target_group_owners if kind is TransferKind.MOVE_TO_GROUP else {recipient_id}
    if actor_id not in deciders:
        raise NotAllowed(f"Only the recipient may {decision.value} this transfer; ask them.")
