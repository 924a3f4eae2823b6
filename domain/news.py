"""What the owners of a charge point are told of it, apart from its transfers."""

from enum import StrEnum


class OwnerNews(StrEnum):
    """A piece of news about a charge point."""

    RESET = "reset"
    """New credentials were made for it, by somebody else or while a transfer of it is under way."""
    TWO_HOLDERS = "two_holders"
    """Two are connected with its key."""
    ENDED_KEY_TRIED = "ended_key_tried"
    """Something came with a key that has ended."""
    LATE_SESSIONS = "late_sessions"
    """Charging sessions were booked to a former owner, who is told."""
