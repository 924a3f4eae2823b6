"""One run of the demo: the parts up, the data in, whatever is to happen, the parts down again."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.namespace import register_search_attributes
from persistence.session import Database
from tools.demo.seed import Seeded, seed
from tools.stage import devserver, parts
from tools.stage.ports import HOST, Ports
from tools.stage.stage import Stage
from tools.stage.supervisor import Part, PartFailed, Report, Supervisor


@dataclass(frozen=True)
class Play:
    """A demo that runs."""

    stage: Stage
    seeded: Seeded
    db: Database
    supervisor: Supervisor


def set_up(folder: Path, *, free_ports: bool, quick: bool = True) -> Stage:
    """Decide where everything is, and how long it waits; raises PortProblem where a port can't be used."""
    given = devserver.given_address()
    ports = Ports.free() if free_ports else Ports.from_environment(os.environ)
    ports.check(without=frozenset({"temporal", "temporal_ui"}) if given else frozenset())
    return Stage(folder.resolve(), ports, given or f"{HOST}:{ports.temporal}", own_temporal=given is None, quick=quick)


@asynccontextmanager
async def running(stage: Stage, report: Report, *, with_stations: bool) -> AsyncIterator[Play]:
    """Have every part up and ready inside the block, on fresh data.

    Raises FolderProblem, PartFailed, devserver.NoServer.
    """
    program = await asyncio.to_thread(devserver.find_or_build, report) if stage.own_temporal else None
    with stage.fresh():
        db = Database(stage.database_url)
        supervisor = Supervisor(stage.logs, report)
        try:
            seeded = await _start(stage, db, supervisor, report, program, with_stations=with_stations)
            stage.write_facts(seeded.keys, seeded.charge_points)
            yield Play(stage, seeded, db, supervisor)
        finally:
            report("Stopping …")
            await supervisor.stop()
            await db.close()


async def _start(
    stage: Stage, db: Database, supervisor: Supervisor, report: Report, program: Path | None, *, with_stations: bool
) -> Seeded:
    """Put the data in and start the parts, each once what it needs is ready, and beside what it does not."""

    async def start(*following: Part) -> None:
        for part in following:
            report(f"Starting {part.name} …")
            await supervisor.start(part)

    async def start_temporal() -> None:
        if program is not None:
            await start(parts.temporal(stage, program))
        await register_search_attributes(await stage.connection.open())

    try:
        async with asyncio.TaskGroup() as first:
            first.create_task(start_temporal())
            first.create_task(start(parts.mailbox(stage)))
            seeding = first.create_task(seed(stage))
        seeded = seeding.result()
        stations = [parts.stations(stage, seeded.charge_points, db)] if with_stations else []
        async with asyncio.TaskGroup() as rest:
            rest.create_task(start(parts.worker(stage)))
            rest.create_task(start(parts.api(stage)))
            rest.create_task(start(parts.gateway(stage), *stations))
    except* PartFailed as failed:
        raise failed.exceptions[0] from None
    return seeded
