"""How long a charge point rests after its owner changed."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.charge_point import ChargePoint
from domain.errors import CoolingDown
from domain.rights import (
    Role,
    Scope,
    Sender,
    check_cool_down,
)
from tests.domain.cases import OWNER, POINT, outcome

CHANGED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def cooling(after: timedelta, *, operator: bool = False, cool_down: timedelta | None = None) -> object:
    point = ChargePoint(POINT.id, POINT.holding, 3, CHANGED)
    sender = Sender(OWNER, Role.OWNER, None, frozenset({Scope.OPERATOR}) if operator else frozenset())
    given = () if cool_down is None else (cool_down,)
    return outcome(lambda: check_cool_down(point, sender, CHANGED + after, *given))


def test_the_cool_down_lasts_24_hours_to_the_microsecond() -> None:
    assert cooling(timedelta(0)) is CoolingDown
    assert cooling(timedelta(hours=24) - timedelta(microseconds=1)) is CoolingDown
    assert cooling(timedelta(hours=24)) is None


def test_the_cool_down_is_a_setting_and_may_be_none() -> None:
    assert cooling(timedelta(hours=1), cool_down=timedelta(hours=1)) is None
    assert cooling(timedelta(hours=47), cool_down=timedelta(hours=48)) is CoolingDown
    assert cooling(timedelta(0), cool_down=timedelta(0)) is None


def test_operators_are_exempt_from_the_cool_down() -> None:
    assert cooling(timedelta(0), operator=True) is None


def test_an_owner_who_never_changed_cools_nothing() -> None:
    check_cool_down(POINT, Sender(OWNER, Role.OWNER), CHANGED)


def test_the_refusal_says_when_it_ends() -> None:
    point = ChargePoint(POINT.id, POINT.holding, 3, CHANGED)
    with pytest.raises(CoolingDown, match="2026-03-02T12:00:00Z"):
        check_cool_down(point, Sender(OWNER, Role.OWNER), CHANGED)
