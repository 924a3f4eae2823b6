"""When a session happened, and whose it is, by our clock where the charger's can't be believed."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.charge_point import Holding, Period
from domain.charger_clock import TOLERANCE
from domain.charging import Presence, book, is_too_much
from domain.ids import GroupId, UserId

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def held(name: str, since: datetime, until: datetime | None = None) -> Period:
    return Period(Holding(UserId(name), GroupId(f"group-{name}")), since, until)


def there(
    *, was_there: bool = False, first: float | None = -50, left: float | None = -10, gone: float | None = None
) -> Presence:
    """Of a charger whose present connection is an hour old."""
    gone_since, first_seen, left_at = (
        NOW + hours * HOUR if hours is not None else None for hours in (gone, first, left)
    )
    return Presence(NOW - HOUR, was_there, gone_since, first_seen, left_at)


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
        (-99, there(first=-200), "ann", True, False),
        (-99.5, there(first=-200), "ben", False, True),
        (-99.5, there(first=-200, left=-4), "ben", False, True),
        (-50.1, there(left=-5), "ben", False, False),
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


def test_of_one_holder_what_is_older_than_the_ledger_is_late_too() -> None:
    assert book(NOW - 99.5 * HOUR, NOW, there(first=-200), (held("ann", NOW - 99 * HOUR),)).late


@pytest.mark.parametrize(
    ("at", "presence", "earliest"),
    [
        (-5.1, there(gone=-7), -7),
        (-5.1, there(gone=-5), -5.1),
        (-5.1, there(), -50),
        (-0.5, there(), -0.5),
        (-9, there(was_there=True), -5),
        (30, there(), -10),
        (30, there(left=None), -5),
    ],
)
def test_it_can_have_begun_no_earlier_than_the_charger_was_gone(at: float, presence: Presence, earliest: float) -> None:
    assert book(NOW + at * HOUR, NOW, presence, TWO).earliest == NOW + earliest * HOUR


@pytest.mark.parametrize(
    ("wh", "hours", "too_much"), [(800_000, 2, False), (800_001, 2, True), (0, 0, False), (1, 0, True), (-1, 2, True)]
)
def test_a_connector_gives_no_more_than_it_can(wh: int, hours: float, too_much: bool) -> None:
    assert is_too_much(wh, 400, hours * HOUR) is too_much
