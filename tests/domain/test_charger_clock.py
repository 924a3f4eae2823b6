"""What a charger's clock is off by: what arrives late is no sign of it."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.charger_clock import ChargerTime, Heard, Reading, usually_off

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: When the present connection began.
SINCE = NOW - 2 * HOUR


def heard(*offs: float) -> tuple[Heard, ...]:
    """Reports that arrive now, each off by so many hours."""
    return tuple(Heard(NOW - off * HOUR, NOW) for off in offs)


def read(
    said: float, *offs: float, usual: float | None = None, set_at: float | None = None
) -> tuple[float, float | None]:
    """Read a time; all in hours from now."""
    at = ChargerTime(NOW + said * HOUR, heard(*offs), None if set_at is None else NOW + set_at * HOUR)
    found = at.read(SINCE, None if usual is None else usual * HOUR)
    return (found.at - NOW) / HOUR, None if found.or_at is None else (found.or_at - NOW) / HOUR


@pytest.mark.parametrize(
    ("offs", "usual", "off"),
    [
        ((), None, 0),
        ((), 3, 3),
        ((5, 1, 1), None, 1),
        ((-5, 1, 1), None, 1),
        ((5, 5, 5), None, 5),
        ((1, 1), 3, 1),
        ((-1, 9, 9, 9), 0, -1),
        ((9, 4, 3), 0, 0),
        ((4,), 4, 4),
    ],
    ids=[
        "nothing is heard",
        "it goes by what it was off by before",
        "the median",
        "the median of those that are ahead, too",
        "nothing tells otherwise",
        "it is set right meanwhile",
        "what was kept arrives first",
        "what was kept is all that was heard",
        "what it was off by before says that it is of now",
    ],
)
def test_a_clock_is_off_by_what_its_live_reports_say(offs: tuple[float, ...], usual: float | None, off: float) -> None:
    assert read(-7, *offs, usual=usual) == (off - 7, None)


def test_what_agrees_on_another_clock_may_have_been_kept_or_not() -> None:
    assert read(-7, 4, 4, usual=0) == (-7, -3)
    assert read(-7, 4, 4.1, usual=0) == (-7, None), "what was kept is of many times"


def test_what_was_heard_is_of_times_after_the_clock_was_set_alone() -> None:
    assert read(-1, 1, set_at=-1) == (0, None)
    assert read(-3, 1, set_at=-1) == (-3, None)
    assert read(-3, 1, usual=0.5, set_at=-1) == (-2.5, None), "before that it is off by what it usually is"


def test_at_the_end_of_a_connection_its_live_reports_tell() -> None:
    assert usually_off(heard(1, 1, 9), SINCE, None) == HOUR
    assert usually_off(heard(9, 9), SINCE, None) == 9 * HOUR
    assert usually_off(heard(9, 9), SINCE, HOUR) == HOUR
    assert usually_off((), SINCE, HOUR) == HOUR
    assert usually_off((), SINCE, None) is None


@pytest.mark.parametrize("year", [2, 9998])
def test_a_time_at_the_end_of_the_calendar_is_read_as_any_other(year: int) -> None:
    far = datetime(year, 6, 1, tzinfo=UTC)
    off = NOW - far
    assert ChargerTime(far, (Heard(far, NOW),)).read(SINCE) == Reading(NOW)
    assert ChargerTime(far).read(SINCE, -off) == Reading(far)
