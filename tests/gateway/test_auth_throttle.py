"""How often somebody may guess, counted in a memory that has an end."""

import pytest

from gateway import auth_throttle
from gateway.auth_throttle import Tallies


def test_who_came_last_is_remembered_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_throttle, "_MOST", 2)
    tallies = Tallies(1, lambda: 0.0)
    for who in ("ann", "ben", "ann", "cat"):
        tallies.count(who)
    assert [bool(tallies.wait(who)) for who in ("ann", "ben", "cat")] == [True, False, True]
