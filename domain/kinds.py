"""The kinds of transfer, and what they differ in.

Elsewhere nobody compares kinds: code asks `rules_of` for what it goes by, or is a `match` with `assert_never`, so that
another kind is a type error wherever it is forgotten.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from domain.transfer import Acceptance


class TransferKind(StrEnum):
    """The three kinds of transfer."""

    MOVE_TO_GROUP = "move_to_group"
    TRANSFER_OWNERSHIP = "transfer_ownership"
    TRANSFER_TO_USER = "transfer_to_user"


class FoundBy(StrEnum):
    """What the target is found by: the request's field of this name."""

    GROUP_ID = "group_id"
    USER_ID = "user_id"
    RECIPIENT = "recipient"
    """By an address, which may have no account yet."""


class Decider(StrEnum):
    """Whose it is to accept or to decline."""

    RECIPIENT = "recipient"
    TARGET_GROUP_OWNERS = "target_group_owners"
    """Any one of them."""


@dataclass(frozen=True)
class KindRules:
    """What a kind goes by."""

    found_by: FoundBy
    decider: Decider
    acceptance: Acceptance
    """Where the request does not say."""
    hides_recipient: bool = False
    """Until they accept nobody else may know who it is: an address must not tell whose it is."""
    may_delete: bool = False
    """The connection may be deleted with the change."""


def rules_of(kind: TransferKind) -> KindRules:
    """Give what a kind goes by (docs/rules.md)."""
    match kind:
        case TransferKind.MOVE_TO_GROUP:
            return KindRules(FoundBy.GROUP_ID, Decider.TARGET_GROUP_OWNERS, Acceptance.NOT_REQUIRED)
        case TransferKind.TRANSFER_OWNERSHIP:
            return KindRules(FoundBy.USER_ID, Decider.RECIPIENT, Acceptance.NOT_REQUIRED)
        case TransferKind.TRANSFER_TO_USER:
            return KindRules(
                FoundBy.RECIPIENT, Decider.RECIPIENT, Acceptance.REQUIRED, hides_recipient=True, may_delete=True
            )
        case _:
            assert_never(kind)


def kinds_that(which: Callable[[KindRules], bool]) -> frozenset[str]:
    """Give the words of the kinds of which something is so: what a condition on rows goes by."""
    return frozenset(kind.value for kind in TransferKind if which(rules_of(kind)))
