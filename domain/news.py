"""What the owner of a charge point is told of it, apart from its transfers."""

from enum import StrEnum


class OwnerNews(StrEnum):
    """A piece of news about a charge point."""

    RESET = "reset"
    """New credentials were made for it, by somebody else or while a transfer of it is under way."""
    TWO_HOLDERS = "two_holders"
    """Two are connected with its key."""
    ENDED_KEY_TRIED = "ended_key_tried"
    """Something came with a key that has ended."""
