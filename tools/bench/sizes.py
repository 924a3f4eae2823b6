"""`python -m tools.bench.sizes`: how large a register's tables are, and what a node's sweep of them costs."""

import tempfile
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer
import uvloop
from sqlalchemy import text

from domain.ids import NodeId
from persistence.chargers import present_connections
from persistence.session import Database
from tools.bench.register import fill
from tools.stage import postgres
from tools.stage.ports import Ports

_TABLES: Final = text(
    "SELECT relname, reltuples::bigint, pg_relation_size(oid), pg_indexes_size(oid) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples >= 1000 ORDER BY relname"
)
#: The node that holds nine in ten of the register's charge points.
_NODE: Final = NodeId("n1")
_SWEEPS: Final = 20


async def _sizes(points: int) -> None:
    with tempfile.TemporaryDirectory(prefix="handover-sizes-") as folder:
        async with postgres.running(Path(folder), print, Ports.free().api) as server:
            await fill(server.url(), points)
            db = Database(server.url())
            print("| table | rows | bytes a row | with its indexes |\n|---|---|---|---|")
            async with db.reading() as rows:
                for name, number, heap, indexes in await rows.execute(_TABLES):
                    print(f"| `{name}` | {number:,} | {heap / number:.0f} | {(heap + indexes) / number:.0f} |")
            claims, seconds = await _sweep(db)
            await db.close()
    print(f"\nA sweep: {seconds / claims * 1e6:.2f} µs of PostgreSQL's CPU a claim, of {claims:,} claims.")


async def _sweep(db: Database) -> tuple[int, float]:
    """Give how many claims a sweep reads, and how long the server computes for it: others' work doesn't count."""
    async with db.reading() as rows:
        claims = len(await present_connections.good_at(rows, _NODE))
        backend = psutil.Process(await rows.scalar(text("SELECT pg_backend_pid()")))
        before = sum(backend.cpu_times()[:2])
        for _ in range(_SWEEPS):
            await present_connections.good_at(rows, _NODE)
        return claims, (sum(backend.cpu_times()[:2]) - before) / _SWEEPS


def main(charge_points: Annotated[int, typer.Option(min=5000, help="How many there are.")] = 100_000) -> None:
    """Make a register as it is after some years, with 0.9 claims a charge point, and print both."""
    uvloop.run(_sizes(charge_points))


if __name__ == "__main__":
    typer.run(main)
