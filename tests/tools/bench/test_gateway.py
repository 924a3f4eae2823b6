"""The measurement itself, short: what it counts adds up, and the gateway misses no heartbeat."""

from pathlib import Path

import pytest

from tools.bench.gateway import table
from tools.bench.measuring import Load, measure, measure_both
from tools.bench.servers import bare_server

pytestmark = pytest.mark.measured


def test_every_station_gets_in_and_every_heartbeat_is_answered_on_both_servers(tmp_path: Path) -> None:
    load = Load(stations=100, seconds=1.5, every=0.5, rest=1)
    both = measure_both(load, f"sqlite+aiosqlite:///{tmp_path / 'bench.db'}")
    for measured in both:
        assert measured.good
        assert len(measured.arrival.arrivals) == len(measured.comeback.arrivals) == 100
        assert measured.beats.sent == len(measured.beats.answers) == 100 * 3
    assert table(load, *both).row_count == 19


@pytest.mark.parametrize("late", ["answers", "arrivals"])
def test_what_comes_too_late_is_no_success(late: str) -> None:
    in_no_time = {"limit": 0.0} if late == "answers" else {"patience": 0.0}
    measured = measure(bare_server(), Load(stations=3, seconds=1, every=1, rest=0.1, **in_no_time))
    counted = (measured.beats.missed, measured.arrival.absent, measured.comeback.absent)
    assert counted == ((3, 0, 0) if late == "answers" else (0, 3, 3))
    assert not measured.good
