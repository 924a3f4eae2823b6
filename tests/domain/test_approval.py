"""Who decides, by when, and when they are reminded."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.approval import check_expiry, reminders
from domain.errors import InvalidRequest

ASKED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize("expires_in", [HOUR, HOUR + timedelta(microseconds=1), 7 * DAY, 60 * DAY])
def test_an_hour_to_sixty_days_are_accepted(expires_in: timedelta) -> None:
    assert check_expiry(expires_in) == expires_in


@pytest.mark.parametrize(
    "expires_in",
    [timedelta(0), -DAY, HOUR - timedelta(microseconds=1), 60 * DAY + timedelta(microseconds=1), timedelta.max],
)
def test_anything_else_is_refused(expires_in: timedelta) -> None:
    with pytest.raises(InvalidRequest):
        check_expiry(expires_in)


def test_seven_days_are_the_default_and_both_ends_of_it_are_settings() -> None:
    assert check_expiry(None) == 7 * DAY
    assert check_expiry(None, default=DAY) == DAY
    assert check_expiry(timedelta(seconds=5), shortest=timedelta(seconds=5)) == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("expires_in", "after"),
    [
        (7 * DAY, [3.5 * DAY, 6 * DAY]),
        (60 * DAY, [30 * DAY, 59 * DAY]),
        (3 * DAY, [1.5 * DAY, 2 * DAY]),
        (2 * DAY, [DAY]),
        (DAY, [12 * HOUR]),
        (HOUR, [HOUR / 2]),
    ],
)
def test_reminders_are_half_way_and_a_day_before_the_end(expires_in: timedelta, after: list[timedelta]) -> None:
    assert [moment - ASKED for moment in reminders(ASKED, ASKED + expires_in)] == after


@given(st.timedeltas(min_value=HOUR, max_value=60 * DAY))
def test_reminders_come_in_order_strictly_between_question_and_end(expires_in: timedelta) -> None:
    end = ASKED + expires_in
    moments = [ASKED, *reminders(ASKED, end), end]
    assert all(earlier < later for earlier, later in itertools.pairwise(moments))
