"""What was promised of speed and cost, and how each figure is read from what was measured. All in one place."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import floor
from typing import Any, Final

from tools.bench.shapes import total_cpu

#: What each part has measured, by its name.
Raw = Mapping[str, Any]

SHAPE_NAMES: Final = {"a": "move", "b": "to a user", "c": "with acceptance"}


@dataclass(frozen=True)
class Goal:
    """A figure and its bound."""

    part: str
    name: str
    value: Callable[[Raw], float | None]
    bound: float
    at_least: bool = False
    unit: str = ""

    def met(self, value: float | None) -> bool:
        """Whether a figure is within the bound; one that is not there is not."""
        return value is not None and (value >= self.bound if self.at_least else value <= self.bound)

    @property
    def wanted(self) -> str:
        """The bound in words."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:,g}{self.unit}"


def _ratio(of: str, to: str, figure: str) -> Callable[[Raw], float]:
    def value(raw: Raw) -> float:
        medians = raw["medians"]
        return float(medians[of][figure]) / float(medians[to][figure])

    return value


def _at(*path: str) -> Callable[[Raw], float | None]:
    def value(raw: Raw) -> float | None:
        found: Any = raw
        for name in path:
            found = found[name]
        return None if found is None else float(found)

    return value


def _cpu(shape: str) -> Callable[[Raw], float]:
    return lambda raw: total_cpu(raw[shape]["cpu_ms"])


def _count(shape: str, figure: str) -> Callable[[Raw], float]:
    """Read a count without its fraction: that is what a retry, or something else that goes on, leaves in the mean."""
    return lambda raw: floor(raw[shape][figure])


def _per_transfer() -> Iterator[Goal]:
    bounds: dict[str, tuple[str, str, tuple[int, int, int]]] = {
        "statements": ("SQL statements", "", (55, 110, 140)),
        "update_workflow_execution": ("`UpdateWorkflowExecution`", "", (8, 25, 32)),
        "events": ("history events", "", (30, 65, 85)),
        "cpu": ("CPU of all parts", " ms", (110, 240, 290)),
    }
    for figure, (words, unit, per_shape) in bounds.items():
        for (shape, name), bound in zip(SHAPE_NAMES.items(), per_shape, strict=True):
            value = _cpu(shape) if figure == "cpu" else _count(shape, figure)
            yield Goal("accounting", f"{words}, {name}", value, bound, unit=unit)


def _beside_bare() -> Iterator[Goal]:
    bounds = {
        "memory_kib": ("memory of a connection", 1.5),
        "heartbeat_cpu_us": ("CPU of a heartbeat", 1.5),
        "arrival_cpu_us": ("CPU of an arrival", 4),
        "heartbeat_p99_ms": ("p99 of a heartbeat's answer", 3),
    }
    for figure, (words, bound) in bounds.items():
        name = f"{words}, gateway beside bare websockets"
        yield Goal("gateway", name, _at("ratios", figure), bound, unit=" x")


GOALS: Final[tuple[Goal, ...]] = (
    Goal(
        "throughput",
        "moves a second, beside DBOS by hand",
        _ratio("Handover", "DBOS", "per_second"),
        1.0,
        at_least=True,
        unit=" x",
    ),
    Goal(
        "throughput",
        "moves a second, beside plain Temporal by hand",
        _ratio("Handover", "plain Temporal", "per_second"),
        2.9,
        at_least=True,
        unit=" x",
    ),
    Goal(
        "alone",
        "a move alone, p50 until its end is in the register, beside DBOS by hand",
        _ratio("Handover", "DBOS", "registered_p50"),
        1.3,
        unit=" x",
    ),
    *_per_transfer(),
    Goal(
        "accept",
        "an accept's answer, p50, beside an update by hand",
        _ratio("Handover", "by hand", "accepts_p50"),
        1.5,
        unit=" x",
    ),
    Goal(
        "keep-alive",
        "a call on a kept connection, p50, beside bare FastAPI",
        _ratio("Handover", "bare FastAPI", "p50"),
        1.5,
        unit=" x",
    ),
    Goal("waiting", "all expired in the register after", _at("expiry", "expired_after"), 30, unit=" s"),
    Goal("waiting", "everybody told of it after", _at("expiry", "told_after"), 90, unit=" s"),
    Goal("reads", "an owner's list of transfers, p50", _at("calls", "an owner's transfers", "p50"), 8, unit=" ms"),
    Goal(
        "reads",
        "the list of a user with one charge point, p50",
        _at("calls", "the charge points of a user with one", "p50"),
        5,
        unit=" ms",
    ),
    Goal("reads", "large tables that are read whole", lambda raw: float(len(raw["sequential_scans"])), 0),
    Goal("import", "rows imported a second", _at("first", "rows_per_second"), 5000, at_least=True),
    Goal("import", "the lock of roles is held", _at("first", "role_lock_seconds"), 2, unit=" s"),
    Goal("overload", "promised starts that were lost", _at("promised_and_lost"), 0),
    Goal("overload", "kept requests that came to no end", _at("kept_and_not_ended"), 0),
    *_beside_bare(),
    Goal("start-up", "`make up`, warm", _at("medians", "all"), 4, unit=" s"),
)
