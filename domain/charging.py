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
from domain.charger_clock import TOLERANCE

# --- what holds where the settings do not say -----------------------------------------------------------------------

#: How long it is kept when chargers were connected.
CONNECTIONS_KEPT: Final = timedelta(days=90)
#: What a connector gives at most, in kW.
CONNECTOR_POWER_LIMIT: Final[float] = 400
#: How long after its last start or connection a charger has told of every session that it kept.
LOST_AFTER: Final = timedelta(minutes=15)
#: How long a session may run before an operator is told: its stop may be lost.
OPEN_LIMIT: Final = timedelta(days=7)

# --- whose a session is ---------------------------------------------------------------------------------------------


class Doubt(StrEnum):
    """What of a session somebody has to look at."""

    HOLDER = "holder"
    """Its time can't be believed, and the charge point changed hands when it may have happened."""
    ENERGY = "energy"
    """More flowed, as the charger says, than its connector gives in all the time that it can have run; or less than
    nothing."""


@dataclass(frozen=True)
class Presence:
    """Where a charger was, by our clock, as far as that bears on one moment."""

    since: datetime
    """When its present connection was released."""
    was_there: bool
    """Whether it had an earlier released connection at the moment."""
    gone_since: datetime | None
    """Since when it may have been gone at the moment, after its last released connection; None: it had none."""
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
    earliest: datetime
    """When it can have begun by our clock at the earliest."""


def book(at: datetime, arrived: datetime, presence: Presence, periods: Sequence[Period]) -> Booking:
    """Book a session that began `at`, by the charger's corrected time, and was reported when it `arrived`.

    `periods` are the ledger's, in order and not empty; `presence` is of the moment `at`.
    """
    present = periods[-1]
    first_seen = presence.first_seen or presence.since
    believed = first_seen <= at < presence.since
    if believed and not presence.was_there and (at >= periods[0].started_at or len(periods) == 1):
        gone_since = presence.gone_since or first_seen
        return Booking(holding_at(periods, at), at, late=True, doubtful=False, earliest=min(gone_since, at))
    if presence.was_there or presence.since <= at <= arrived + TOLERANCE:
        begun = min(max(at, present.started_at), arrived)
        return Booking(present.holding, begun, late=False, doubtful=False, earliest=begun)
    one_holder = presence.left_at is not None and present.started_at <= presence.left_at
    doubtful = len(periods) > 1 and (believed or not one_holder)
    earliest = presence.left_at or present.started_at
    return Booking(present.holding, arrived, late=False, doubtful=doubtful, earliest=min(earliest, arrived))


def is_too_much(wh: int, power_limit: float, longest: timedelta) -> bool:
    """Whether a connector of `power_limit` kW can't have given `wh` in that time; or it is less than nothing."""
    return wh < 0 or wh > power_limit * 1000 * (longest / timedelta(hours=1))
