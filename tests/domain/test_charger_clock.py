"""What a charger's clock is off by: what arrives late is no sign of it."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.charger_clock import TOLERANCE, ChargerTime, ClockShown, Heard

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MONTH = 30 * 24
#: When the present connection began.
SINCE = NOW - 2 * HOUR


def shown(*offs: float, set_at: float | None = None) -> ClockShown:
    """Reports that arrive now, each off by so many hours."""
    heard = tuple(Heard(NOW - off * HOUR, NOW) for off in offs)
    return ClockShown(heard, None if set_at is None else NOW + set_at * HOUR)


def read(said: float, *offs: float, usual: float | None = None, set_at: float | None = None) -> float:
    """Read a time; all in hours from now."""
    at = ChargerTime(NOW + said * HOUR, shown(*offs, set_at=set_at))
    return (at.by_our_clock(SINCE, None if usual is None else usual * HOUR) - NOW) / HOUR


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
        ((4, 4), 0, 0),
        ((4,), 4, 4),
        ((2 + TOLERANCE / HOUR,), 0, 2 + TOLERANCE / HOUR),
        ((2.01 + TOLERANCE / HOUR,), 0, 0),
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
        "however much it agrees",
        "what it was off by before says that it is of now",
        "it may be of now",
        "it may be of now no more",
    ],
)
def test_a_clock_is_off_by_what_its_live_reports_say(offs: tuple[float, ...], usual: float | None, off: float) -> None:
    assert read(-7, *offs, usual=usual) == pytest.approx(off - 7)
    found = shown(*offs).off(SINCE, None if usual is None else usual * HOUR)
    assert (found is not None) is bool(offs or usual is not None)
    assert (found or 0 * HOUR) / HOUR == pytest.approx(off)


def test_what_was_heard_is_of_times_after_the_clock_was_set_alone() -> None:
    assert read(-1, 1, set_at=-1) == 0
    assert read(-3, 1, set_at=-1) == -3
    assert read(-2, 1, usual=0.5, set_at=-1) == -1
    assert read(-3, 1, usual=0.5, set_at=-1) == -2.5, "before that it is off by what it usually is"


def test_what_a_clock_was_off_by_says_nothing_where_it_has_begun_anew_since() -> None:
    assert read(-7, usual=MONTH + 1) == MONTH - 6, "it has not started since"
    assert read(-7, usual=MONTH, set_at=0) == MONTH - 7, "it is no clock that begins anew"
    assert read(-7, usual=MONTH + 1, set_at=0) == -7
    assert read(-7, usual=-MONTH - 1, set_at=0) == -7
    assert shown(9, 9, set_at=0).off(SINCE, (MONTH + 1) * HOUR) == 9 * HOUR


@pytest.mark.parametrize("year", [2, 9998])
def test_a_time_at_the_end_of_the_calendar_is_read_as_any_other(year: int) -> None:
    far = datetime(year, 6, 1, tzinfo=UTC)
    assert ChargerTime(far, ClockShown((Heard(far, NOW),))).by_our_clock(SINCE) == NOW
    assert ChargerTime(far).by_our_clock(SINCE, far - NOW) == far
