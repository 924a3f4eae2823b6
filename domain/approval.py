"""Who must decide on a transfer, and by when."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import isodate

from domain.errors import InvalidRequest

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
