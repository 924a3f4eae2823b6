"""`python -m tools.bench.migrations`: how long each migration keeps those who write waiting, in a large register."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop
from sqlalchemy import text

from persistence.schema import newest_revision
from persistence.session import Database
from tools.bench.register import fill
from tools.stage import postgres
from tools.stage.ports import Ports
from tools.stage.supervisor import ROOT

#: What hangs on a charge point by itself; of audit trails two entries each.
_FILLED: Final = frozenset(
    {"users", "groups", "memberships", "charge_points", "ownership_periods", "credentials"}
    | {"gateway_nodes", "charger_links", "audit_events", "audit_counters"}
)
#: What somebody writes all the time meanwhile, each in a transaction of its own.
_WRITES: Final[Mapping[str, str]] = {
    "charge_points": "UPDATE charge_points SET name = name WHERE id = 'cp-0000007'",
    "users": "UPDATE users SET name = name WHERE id = 'u-7'",
    "charger_links": "UPDATE charger_links SET generation = generation WHERE charge_point_id = 'cp-0000007'",
    "credentials": "UPDATE credentials SET sendings = sendings WHERE id = 'currentcp-0000007'",
    "audit_counters": "UPDATE audit_counters SET last = last WHERE subject = 'charge_point:cp-0000007'",
}


async def _measure(points: int, first: int) -> None:
    newest = int(newest_revision())
    with tempfile.TemporaryDirectory(prefix="handover-migrations-") as folder:
        async with postgres.running(Path(folder), print, Ports.free().api) as server:
            print(f"Making {points:,} charge points …")
            await fill(server.url(), points, _FILLED)
            await _alembic(server.url(), "downgrade", f"{first - 1:04}")
            print("| migration | took, s | kept writers waiting for, s | of |\n|---|---|---|---|")
            for revision in range(first, newest + 1):
                began = time.monotonic()
                waits = await _waits(server.url(), revision)
                longest = max(waits, key=lambda table: waits[table])
                print(f"| {revision:04} | {time.monotonic() - began:.1f} | {waits[longest]:.2f} | `{longest}` |")


async def _waits(url: str, revision: int) -> dict[str, float]:
    """Migrate by one revision, and give the longest that each write took meanwhile, in seconds."""
    db, done, longest = Database(url, lock_wait=600, migrates=True), asyncio.Event(), dict.fromkeys(_WRITES, 0.0)

    async def write(table: str) -> None:
        while not done.is_set():
            began = time.monotonic()
            async with db.writing() as rows:
                await rows.execute(text(_WRITES[table]))
            longest[table] = max(longest[table], time.monotonic() - began)

    async with asyncio.TaskGroup() as group:
        for table in _WRITES:
            group.create_task(write(table))
        await _alembic(url, "upgrade", f"{revision:04}")
        done.set()
    await db.close()
    return longest


async def _alembic(url: str, act: str, revision: str) -> None:
    environ = {**os.environ, "HANDOVER_DATABASE_URL": url}
    program = [sys.executable, "-m", "alembic", act, revision]
    await asyncio.to_thread(subprocess.run, program, cwd=ROOT, env=environ, check=True, capture_output=True)


def main(
    charge_points: Annotated[int, typer.Option(min=5000, help="How many there are.")] = 1_000_000,
    first: Annotated[int, typer.Option(min=2, help="The first migration that is measured.")] = int(newest_revision()),
) -> None:
    """Fill a PostgreSQL, and migrate it from the revision before `first` on, while others write."""
    uvloop.run(_measure(charge_points, first))


if __name__ == "__main__":
    typer.run(main)
