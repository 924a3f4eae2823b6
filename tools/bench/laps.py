"""What one run of moves or transfers showed, and how several runs of the same kind are summed up."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_MILLI: Final = 1e3


@dataclass
class Lap:
    """One run. Times are in seconds."""

    seconds: float = 0
    answers: list[float] = field(default_factory=list)
    """How long each start took to be answered."""
    accepts: list[float] = field(default_factory=list)
    """How long each accept took to be answered."""
    ends: list[float] = field(default_factory=list)
    """From the start until its end was heard of."""
    registered: list[float] = field(default_factory=list)
    """From the start until its end, as the register has it."""
    accepted: list[float] = field(default_factory=list)
    """From the accept until its end was heard of."""
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    cpu: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds, by part."""

    @property
    def per_second(self) -> float:
        """How many ended in a second."""
        return len(self.ends) / self.seconds

    def figures(self) -> dict[str, Any]:
        """Give what is kept of it: percentiles in ms, CPU in ms for each."""
        series = {name: getattr(self, name) for name in ("answers", "accepts", "ends", "registered", "accepted")}
        return {
            "count": len(self.ends),
            "per_second": round(self.per_second, 2),
            **{f"{name}_p50": milli(values, 50) for name, values in series.items() if values},
            **{f"{name}_p99": milli(values, 99) for name, values in series.items() if values},
            "statuses": dict(self.statuses),
            "states": dict(self.states),
            "refusals": self.refusals[:3],
            "cpu": {part: round(spent / max(1, len(self.ends)) * _MILLI, 1) for part, spent in self.cpu.items()},
        }


def percentile(values: Sequence[float], percent: int) -> float:
    """Give a percentile; of one value itself."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def milli(values: Sequence[float], percent: int) -> float:
    """Give a percentile in ms."""
    return round(percentile(values, percent) * _MILLI, 2)


def medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the median of each number over rounds of the same kind, of nested ones too; of anything else the last."""
    found: dict[str, Any] = {}
    for name, last in rounds[-1].items():
        values = [one[name] for one in rounds if name in one]
        if isinstance(last, Mapping):
            found[name] = medians(values)
        elif isinstance(last, int | float):
            found[name] = round(statistics.median(values), 3)
        else:
            found[name] = last
    return found
