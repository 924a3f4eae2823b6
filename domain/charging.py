"""When a charging session happened, and whose it is: by our own clock where the charger's can't be believed.

A charger's clock gives no rights. Only what happened while it was away is judged by when it happened; everything else
by who has the charge point now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.charge_point import Holding, Period, holding_at

#: So far ahead of ours a charger's clock may be, once it is corrected, and counts as now.
TOLERANCE: Final = timedelta(minutes=5)

#: How long it is kept when chargers were connected, where the settings do not say.
CONNECTIONS_KEPT: Final = timedelta(days=90)


class Doubt(StrEnum):
    """What of a session somebody has to look at."""

    HOLDER = "holder"
    """Its time can't be believed, and the charge point changed hands when it may have happened."""


@dataclass(frozen=True)
class ChargerTime:
    """A time as a charger says it, and what is known of its clock in its present connection."""

    said: datetime
    offset: timedelta | None = None
    """What has to be added to its times; None where nothing was heard by which to tell."""
    set_at: datetime | None = None
    """When our answer to its BootNotification set its clock: the offset is of times after that alone."""

    @property
    def corrected(self) -> datetime:
        """The time by our clock, as far as that can be told."""
        if self.offset is None:
            return self.said
        ours = self.said + self.offset
        return ours if self.set_at is None or ours >= self.set_at else self.said


@dataclass(frozen=True)
class Presence:
    """Where a charger was, by our clock, as far as that bears on one moment."""

    since: datetime
    """When its present connection was released."""
    was_there: bool
    """Whether it had an earlier released connection at the moment."""
    first_seen: datetime | None
    """When the first connection began that is kept, be it the present one; None: none is."""
    left_at: datetime | None
    """When its last released connection before the present one ended."""


@dataclass(frozen=True)
class Booking:
    """What a session is booked to, and when by our clock it counts as begun."""

    holding: Holding
    at: datetime
    late: bool
    """It happened while the charger was away, and is judged by its time."""
    doubtful: bool


def book(at: datetime, arrived: datetime, presence: Presence, periods: Sequence[Period]) -> Booking:
    """Book a session that began `at`, by the charger's corrected time, and was reported when it `arrived`.

    `periods` are the ledger's, in order and not empty; `presence` is of the moment `at`.
    """
    present = periods[-1]
    believed = presence.first_seen is not None and presence.first_seen <= at < presence.since
    if believed and not presence.was_there:
        if at >= periods[0].started_at or len(periods) == 1:
            return Booking(holding_at(periods, at), at, late=True, doubtful=False)
        return Booking(present.holding, arrived, late=False, doubtful=True)
    lives = believed or presence.since <= at <= arrived + TOLERANCE
    if lives:
        return Booking(present.holding, min(max(at, present.started_at), arrived), late=False, doubtful=False)
    one_holder = presence.left_at is not None and present.started_at <= presence.left_at
    return Booking(present.holding, arrived, late=False, doubtful=not one_holder and len(periods) > 1)
