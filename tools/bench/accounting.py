"""What one transfer costs: SQL statements, the server's writes, history events, CPU by part. All but CPU are counts."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import asyncpg

from tools.bench.cpu import CpuMeter
from tools.bench.site import OURS, Site
from tools.bench.transfers import Shape, run

_DATABASES: Final = (OURS, "temporal", "temporal_visibility")
#: What still goes on after the last end was heard of, and how long it is looked at what goes on by itself.
_AFTERWARDS: Final = 1.5
_REST: Final = 8.0
_HISTORIES: Final = 5
_STATEMENTS: Final = """
    SELECT d.datname AS database, s.query, s.calls, s.wal_bytes FROM pg_stat_statements s
    JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = ANY($1)"""
_COMMITS: Final = "SELECT datname AS database, xact_commit FROM pg_stat_database WHERE datname = ANY($1)"
_MILLI: Final = 1e3


@dataclass(frozen=True)
class _Count:
    """What was counted in a stretch of time."""

    seconds: float
    statements: Counter[str]
    """By database."""
    queries: Counter[str]
    """The register's."""
    wal: Counter[str]
    commits: Counter[str]
    writes: Counter[str]
    """The Temporal server's, by operation."""


class _Counting:
    """Counts from its making on."""

    def __init__(self, site: Site, rows: Any, writes: Counter[str], commits: Counter[str]) -> None:
        self._site, self._rows, self._writes, self._commits = site, rows, writes, commits
        self._began = time.monotonic()

    @classmethod
    async def begin(cls, site: Site, rows: Any) -> Self:
        """Begin with nothing."""
        await rows.execute("SELECT pg_stat_statements_reset()")
        return cls(site, rows, await site.temporal.writes(), await _commits(rows))

    async def end(self) -> _Count:
        """Give what came since."""
        seconds = time.monotonic() - self._began
        statements: Counter[str] = Counter()
        queries: Counter[str] = Counter()
        wal: Counter[str] = Counter()
        for row in await self._rows.fetch(_STATEMENTS, list(_DATABASES)):
            statements[row["database"]] += row["calls"]
            wal[row["database"]] += int(row["wal_bytes"])
            if row["database"] == OURS:
                queries[" ".join(row["query"].split())] += row["calls"]
        commits, writes = await _commits(self._rows), await self._site.temporal.writes()
        return _Count(seconds, statements, queries, wal, commits - self._commits, writes - self._writes)


async def _commits(rows: Any) -> Counter[str]:
    return Counter({row["database"]: row["xact_commit"] for row in await rows.fetch(_COMMITS, list(_DATABASES))})


async def account(site: Site, shape: Shape, count: int) -> dict[str, Any]:
    """Perform `count` transfers one at a time, and give what each took; what goes on by itself is taken off."""
    await run(site, shape, 1, 2, warm_up=0)
    await asyncio.sleep(_AFTERWARDS)
    rows = await asyncpg.connect(site.postgres.dsn("postgres"))
    try:
        resting, meter = await _Counting.begin(site, rows), CpuMeter(site.pids, site.postgres.pid)
        await asyncio.sleep(_REST)
        rest, rest_cpu = await resting.end(), meter.spent()
        working = await _Counting.begin(site, rows)
        meter.spent()
        lap = await run(site, shape, 1, count, warm_up=0)
        await asyncio.sleep(_AFTERWARDS)
        work, cpu = await working.end(), meter.spent()
    finally:
        await rows.close()

    def each(of_work: Mapping[str, float], of_rest: Mapping[str, float]) -> dict[str, float]:
        share = work.seconds / rest.seconds
        found = {name: (value - of_rest.get(name, 0) * share) / count for name, value in of_work.items()}
        return {name: round(value, 2) for name, value in sorted(found.items(), key=lambda one: -one[1])}

    writes = each(work.writes, rest.writes)
    return {
        "shape": shape,
        "transfers": count,
        "lap": lap.figures(),
        "statements": each(work.statements, rest.statements)[OURS],
        "update_workflow_execution": writes.get("UpdateWorkflowExecution", 0.0),
        "by_database": {
            "statements": each(work.statements, rest.statements),
            "commits": each(work.commits, rest.commits),
            "wal_bytes": each(work.wal, rest.wal),
        },
        "server_operations": {name: value for name, value in writes.items() if value >= 0.2},
        **await _histories(site, lap.ids[:_HISTORIES]),
        "cpu_ms": each(_milli(cpu), _milli(rest_cpu)),
        "queries": [(round(calls / count, 2), query) for query, calls in work.queries.most_common(60)],
    }


def _milli(spent: Mapping[str, float]) -> dict[str, float]:
    return {part: seconds * _MILLI for part, seconds in spent.items()}


async def _histories(site: Site, ids: Sequence[str]) -> dict[str, Any]:
    """Give what the transfers' histories hold, on average."""
    kinds: Counter[str] = Counter()
    size = 0
    for id_ in ids:
        history = await site.client.get_workflow_handle(f"transfer-{id_}").fetch_history()
        for event in history.events:
            size += event.ByteSize()
            kinds[str(event.WhichOneof("attributes")).removesuffix("_event_attributes")] += 1
    return {
        "events": round(kinds.total() / len(ids), 2),
        "history_bytes": size // len(ids),
        "events_by_kind": {kind: round(times / len(ids), 2) for kind, times in kinds.most_common()},
    }
