"""When a session happened, and whose it is, by our clock where the charger's can't be believed."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.charge_point import Holding, Period
from domain.charging import TOLERANCE, ChargerTime, Presence, book
from domain.ids import GroupId, UserId
from gateway.charger_clock import ChargerClock

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def held(name: str, since: datetime, until: datetime | None = None) -> Period:
    return Period(Holding(UserId(name), GroupId(f"group-{name}")), since, until)


def there(*, was_there: bool = False, first: float | None = -50, left: float | None = -10) -> Presence:
    """Of a charger whose present connection is an hour old."""
    first_seen, left_at = (NOW + hours * HOUR if hours is not None else None for hours in (first, left))
    return Presence(NOW - HOUR, was_there, first_seen, left_at)


TWO = (held("ann", NOW - 99 * HOUR, NOW - 5 * HOUR), held("ben", NOW - 5 * HOUR))


@pytest.mark.parametrize(
    ("at", "presence", "owner", "late", "doubtful"),
    [
        (-0.5, there(), "ben", False, False),
        (0, there(), "ben", False, False),
        (TOLERANCE / HOUR, there(), "ben", False, False),
        (TOLERANCE / HOUR + 0.1, there(), "ben", False, True),
        (-1, there(), "ben", False, False),
        (-1.1, there(), "ben", True, False),
        (-5, there(), "ben", True, False),
        (-5.1, there(), "ann", True, False),
        (-5.1, there(was_there=True), "ben", False, False),
        (-50, there(), "ann", True, False),
        (-50.1, there(), "ben", False, True),
        (-50.1, there(left=-4), "ben", False, False),
        (-6, there(first=None, left=None), "ben", False, True),
        (-99.5, there(first=-200), "ben", False, True),
        (-480000, there(), "ben", False, True),
    ],
)
def test_only_what_happened_while_it_was_away_is_booked_by_its_time(
    at: float, presence: Presence, owner: str, late: bool, doubtful: bool
) -> None:
    booking = book(NOW + at * HOUR, NOW, presence, TWO)
    assert (booking.holding.owner_id, booking.late, booking.doubtful) == (owner, late, doubtful)
    period = next(period for period in TWO if period.holding == booking.holding)
    assert period.started_at <= booking.at <= NOW, "what is booked lies in its holder's time"
    assert period.ended_at is None or booking.at < period.ended_at


@pytest.mark.parametrize("at", [-480000, -99.5, -51, -3, -0.5, 0, 30])
def test_of_one_holder_nothing_is_doubtful(at: float) -> None:
    for presence in (there(), there(was_there=True), there(first=None, left=None)):
        booking = book(NOW + at * HOUR, NOW, presence, (held("ann", NOW - 99 * HOUR),))
        assert (booking.holding.owner_id, booking.doubtful) == ("ann", False)


def test_a_clock_is_off_by_the_median_of_what_was_heard_since_it_was_set() -> None:
    clock, boot = ChargerClock(), NOW
    assert clock.read(NOW) == ChargerTime(NOW, None, None)
    for off in (5, 1, 1):
        clock.hear(NOW - off * HOUR, NOW)
    assert clock.read(NOW - HOUR).corrected == NOW
    clock.hear(None, NOW)
    clock.is_set(boot)
    assert clock.read(NOW - HOUR).corrected == NOW - HOUR, "what was heard before says nothing any more"
    clock.hear(NOW - 2 * HOUR, NOW)
    assert clock.read(NOW - HOUR).corrected == NOW + HOUR
    assert clock.read(NOW - 3 * HOUR).corrected == NOW - 3 * HOUR, "it is of times after the clock was set alone"
