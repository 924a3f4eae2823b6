"""What each read of a large register costs, and whether a plan reads a large table from end to end."""

import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import uvloop
from sqlalchemy import event

from persistence.session import Database
from tools.bench.register import fill
from tools.bench.register_reads import Read, reads_of

__all__ = ["LARGE", "Measured", "fill", "measure"]

#: What grows with the installation: no list may read one of them from end to end.
LARGE: Final = frozenset({"charge_points", "transfers", "requests", "transfer_steps", "audit_events"})
_SCAN: Final = re.compile(r"(?:Parallel )?Seq Scan on (\w+)")


class Measured(NamedTuple):
    """How long one read takes at the median, in milliseconds, and which of LARGE its plans read from end to end."""

    name: str
    milliseconds: float
    scans: frozenset[str]


@dataclass
class _Statements:
    """What was sent to the database, with its parameters, as the driver got it."""

    sent: list[tuple[str, Any]] = field(default_factory=list)

    @contextmanager
    def of(self, database: Database) -> Iterator[None]:
        """Listen inside the block."""

        def note(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: object) -> None:
            self.sent.append((statement, parameters))

        engine = database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", note)


async def measure(url: str, *, tries: int = 21) -> list[Measured]:
    """Read each several times in a register that `fill` made."""
    database = Database(url)
    try:
        return [await _measure(database, name, read, tries) for name, read in reads_of(database).items()]
    finally:
        await database.close()


async def _measure(database: Database, name: str, read: Read, tries: int) -> Measured:
    statements, seconds = _Statements(), []
    with statements.of(database):
        await read()
    plans = [await plan(database, statement, parameters) for statement, parameters in statements.sent]
    for _ in range(tries):
        began = time.perf_counter()
        await read()
        seconds.append(time.perf_counter() - began)
    scans = frozenset(found for lines in plans for found in _SCAN.findall(lines)) & LARGE
    return Measured(name, statistics.median(seconds) * 1000, scans)


async def plan(database: Database, statement: str, parameters: Any, how: str = "") -> str:
    """Give the plan of a statement with these parameters; `how` are EXPLAIN's options."""
    async with database.reading() as rows:
        connection = await (await rows.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        found = await driver.fetch(f"EXPLAIN {how} {statement}", *parameters)
        return "\n".join(row[0] for row in found)


def _show(found: list[Measured]) -> None:
    for one in found:
        print(f"{one.name:50} {one.milliseconds:8.1f} ms  {' '.join(sorted(one.scans))}")


if __name__ == "__main__":
    import sys

    _show(uvloop.run(measure(sys.argv[1])))  # as the API runs
