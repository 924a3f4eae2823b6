"""Who acts, as the audit trail and the orders name them."""

from enum import StrEnum
from typing import Final

from domain.ids import LinkId, UserId


class ActorKind(StrEnum):
    """What somebody acts as."""

    USER = "user"
    OPERATOR = "operator"
    LINK = "link"
    """Whoever holds an approval link."""
    SYSTEM = "system"
    """Handover by itself: a step, the clock."""
    TEMPORAL_UI = "temporal-ui"
    """Whoever acts at Temporal without an order on record."""
    COMMAND_LINE = "command-line"
    """Whoever works on the database itself by `./handover`."""


class Actor(str):
    """`user:<id>`, `operator:<id>`, `link:<id>`, `system`, `temporal-ui` or `command-line`; no id holds a colon."""

    __slots__ = ()

    @property
    def kind(self) -> ActorKind:
        """What they act as; raises ValueError for what is no actor."""
        return ActorKind(self.partition(":")[0])

    @property
    def id(self) -> str:
        """Of the user or the link; empty where there is none."""
        return self.partition(":")[2]


SYSTEM: Final = Actor(ActorKind.SYSTEM.value)
TEMPORAL_UI: Final = Actor(ActorKind.TEMPORAL_UI.value)
COMMAND_LINE: Final = Actor(ActorKind.COMMAND_LINE.value)


def user(user_id: UserId) -> Actor:
    """Give a user who acts for themselves."""
    return Actor(f"{ActorKind.USER.value}:{user_id}")


def operator(user_id: UserId) -> Actor:
    """Give a user who acts as an operator."""
    return Actor(f"{ActorKind.OPERATOR.value}:{user_id}")


def link(link_id: LinkId) -> Actor:
    """Give whoever holds a link."""
    return Actor(f"{ActorKind.LINK.value}:{link_id}")
