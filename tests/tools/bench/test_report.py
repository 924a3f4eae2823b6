"""What a bench's figures become: medians, goals that are met or missed, a page, its plots."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

from tools.bench.contenders import CONTENDERS
from tools.bench.goals import GOALS
from tools.bench.laps import Lap, medians, percentile
from tools.bench.plots import bars, stacks
from tools.bench.report import table, write

_THROUGHPUT = {
    "in_flight": 50,
    "medians": {
        name: {"per_second": rate, "registered_p50": 1000 / rate}
        for name, rate in zip(CONTENDERS, (30.0, 10.0, 25.0, 20.0), strict=True)
    },
    "rounds": [],
}


def test_rounds_are_summed_up_by_their_medians_however_deep() -> None:
    rounds = [{"a": {"rate": rate, "states": {"done": 2}}, "name": str(rate)} for rate in (1.0, 9.0, 3.0)]
    assert medians(rounds) == {"a": {"rate": 3.0, "states": {"done": 2}}, "name": "3.0"}


def test_percentiles_of_few_values_are_there_too() -> None:
    assert percentile([], 50) == 0
    assert percentile([4.0], 99) == 4
    assert percentile([1.0, 3.0], 50) == 2


def test_cpu_is_shared_by_the_transfers_that_ended() -> None:
    lap = Lap(seconds=2, ends=[0.5, 0.5], cpu={"worker": 0.1})
    assert lap.figures()["cpu"] == {"worker": 50}
    assert lap.per_second == 1


def test_a_goal_is_met_or_missed_by_its_own_bound() -> None:
    rows = [row for row in table({"throughput": _THROUGHPUT}) if row.startswith("| moves")]
    assert rows == [
        "| moves a second, beside DBOS by hand | 1.50 x | ≥ 1 x | met |",
        "| moves a second, beside plain Temporal by hand | 3.00 x | ≥ 2.9 x | met |",
    ]
    slower = {**_THROUGHPUT, "medians": {**_THROUGHPUT["medians"], "DBOS": {"per_second": 60.0}}}  # type: ignore[dict-item]
    assert any("| 0.50 x | ≥ 1 x | missed |" in row for row in table({"throughput": slower}))


def test_what_was_not_reached_is_missed() -> None:
    never = {"expiry": {"expired_after": None, "told_after": 12.0}}
    rows = list(table({"waiting": never}))
    assert rows[-2].endswith("| not reached | ≤ 30 s | missed |")
    assert rows[-1].endswith("| 12.00 s | ≤ 90 s | met |")


def test_no_goal_is_named_twice() -> None:
    assert len({goal.name for goal in GOALS}) == len(GOALS)


def test_plots_are_well_formed_and_show_every_value() -> None:
    drawn = ET.fromstring(bars("Rates & such", {"ours <now>": 3, "theirs": 6}, "/s"))  # noqa: S314 - our own
    assert len([one for one in drawn if one.tag.endswith("rect")]) == 2
    drawn = ET.fromstring(stacks("CPU", {"a": {"x": 1, "y": 2}, "b": {"x": 3}}, "ms"))  # noqa: S314 - our own
    assert len([one for one in drawn if one.tag.endswith("rect")]) == 3 + 2


def test_the_page_and_the_readme_are_written_again_in_their_place(tmp_path: Path) -> None:
    raw = tmp_path / "docs/benchmarks/raw"
    raw.mkdir(parents=True)
    (raw / "throughput.json").write_text(json.dumps(_THROUGHPUT))
    (tmp_path / "README.md").write_text("# A page\n\nIts text.\n")
    write(tmp_path)
    first = (tmp_path / "README.md").read_text()
    write(tmp_path)
    assert (tmp_path / "README.md").read_text() == first
    assert first.startswith("# A page\n\nIts text.\n\n## How fast it is\n")
    assert "| Handover | 30.0 |" in first
    assert "| plain Temporal | 10.0 | 100 |  | 3.00 |" in (raw.parent / "README.md").read_text()
    assert (raw.parent / "throughput.svg").exists()
