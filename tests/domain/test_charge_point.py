"""The ledger: who had a charge point when."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charge_point import Holding, Period, holding_at
from domain.ids import GroupId, UserId

START = datetime(2026, 3, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def ledger(*days: int) -> list[Period]:
    """Periods that begin on the given days, each ending where the next begins."""
    begins = [START + timedelta(days=day) for day in days]
    return [
        Period(Holding(UserId(f"u{place}"), GroupId(f"g{place}")), begin, end)
        for place, (begin, end) in enumerate(zip(begins, [*begins[1:], None], strict=True))
    ]


@pytest.mark.parametrize(
    ("moment", "owner"),
    [
        (START - timedelta(days=400), "u0"),
        (START, "u0"),
        (START + timedelta(days=10) - TICK, "u0"),
        (START + timedelta(days=10), "u1"),
        (START + timedelta(days=20) - TICK, "u1"),
        (START + timedelta(days=20), "u2"),
        (START + timedelta(days=4000), "u2"),
    ],
)
def test_a_session_belongs_to_who_had_it_when_it_started(moment: datetime, owner: str) -> None:
    assert holding_at(ledger(0, 10, 20), moment).owner_id == owner


def test_of_periods_that_begin_together_the_later_one_counts() -> None:
    assert holding_at(ledger(0, 5, 5), START + timedelta(days=5)).owner_id == "u2"


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8, unique=True).map(sorted), st.integers(-10, 1100))
def test_every_moment_is_in_exactly_the_period_that_covers_it(days: list[int], day: int) -> None:
    periods, moment = ledger(*days), START + timedelta(days=day)
    covering = [p.holding for p in periods if p.started_at <= moment and (p.ended_at is None or moment < p.ended_at)]
    assert [holding_at(periods, moment)] == (covering or [periods[0].holding])
