"""The CPU time of each part of a site, PostgreSQL's by the database that a connection is to."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import psutil

_CONNECTION: Final = re.compile(r"postgres: \S+ (\S+) \d+\.\d+\.\d+\.\d+\(")
#: Temporal's two databases are one part.
_STORES: Final = {"temporal_visibility": "temporal"}


class CpuMeter:
    """What was spent from one look to the next. Connections that have ended meanwhile are not in it."""

    def __init__(self, pids: Callable[[], Mapping[int, str]], postmaster: int) -> None:
        """Look at the processes that `pids` names then, and at the connections of a PostgreSQL."""
        self._pids, self._postmaster = pids, postmaster
        self._seen = dict(self._look())

    def spent(self) -> dict[str, float]:
        """Give the CPU seconds of each part since the last look."""
        now = dict(self._look())
        spent: defaultdict[str, float] = defaultdict(float)
        for pid, (part, seconds) in now.items():
            spent[part] += seconds - self._seen.get(pid, (part, 0.0))[1]
        self._seen = now
        return dict(spent)

    def _look(self) -> Iterator[tuple[int, tuple[str, float]]]:
        named = dict(self._pids())
        for process in psutil.Process(self._postmaster).children():
            named[process.pid] = _part(process)
        for pid, part in named.items():
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.NoSuchProcess:
                continue
            yield pid, (part, times.user + times.system)


def _part(process: psutil.Process) -> str:
    try:
        found = _CONNECTION.match(" ".join(process.cmdline()))
    except psutil.NoSuchProcess:
        return "postgres"
    if found is None:
        return "postgres"
    return f"postgres of {_STORES.get(found[1], found[1])}"
