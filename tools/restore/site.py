"""What the drill puts back, and what it does not: each part a process of its own, with production's database roles."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from temporalio.client import Client

from engine.namespace import register_search_attributes
from persistence.migrating import migrate
from persistence.session import Database
from tools.demo.seed import seed
from tools.restore.archived import Archived
from tools.stage import devserver, parts
from tools.stage.ports import HOST, Ports
from tools.stage.stage import Stage
from tools.stage.supervisor import Report, Supervisor

PROCESSES: Final = "handover"
_TABLES: Final = "handover_owner"
#: Looks at what disagrees as often as one watches it.
_SETTINGS: Final[Mapping[str, str]] = {"HANDOVER_RECONCILE_EVERY": "PT5S", "HANDOVER_COOL_DOWN": "PT0S"}


@dataclass(frozen=True)
class DrillStage(Stage):
    """The demo's stage, on a PostgreSQL with the roles of production."""

    url: str = ""

    @property
    def database_url(self) -> str:
        """By the processes' role."""
        return self.url

    @property
    def environment(self) -> dict[str, str]:
        """Add how often it is looked."""
        return {**super().environment, **_SETTINGS}


class Site:
    """A Handover whose parts can be stopped and started."""

    def __init__(self, stage: DrillStage, server: Archived, report: Report) -> None:
        """Nothing runs yet but the server."""
        self.stage, self.server, self._report = stage, server, report
        self.db = Database(stage.database_url)
        self.keys: dict[str, str] = {}
        self.charge_points: list[dict[str, Any]] = []
        self._supervisors: dict[str, Supervisor] = {}

    async def fill(self) -> None:
        """Make roles, database and tables, and put the demo's data in."""
        await self.server.administer(
            f"CREATE ROLE {_TABLES} LOGIN",
            f"CREATE ROLE {PROCESSES} LOGIN",
            f"CREATE DATABASE handover OWNER {_TABLES} TEMPLATE template0 ENCODING 'UTF8'",
        )
        await migrate(self.server.url(_TABLES), PROCESSES)
        seeded = await seed(self.stage)
        self.keys, self.charge_points = seeded.keys, seeded.charge_points

    async def start(self, *names: str) -> None:
        """Start parts, each once the one before is ready; raises PartFailed."""
        made = {"mailbox": parts.mailbox, "worker": parts.worker, "api": parts.api, "gateway": parts.gateway}
        for name in names:
            self._report(f"Starting {name} …")
            supervisor = self._supervisors[name] = Supervisor(self.stage.logs, self._report)
            if name == "temporal":
                program = await asyncio.to_thread(devserver.find_or_build, self._report)
                await supervisor.start(parts.temporal(self.stage, program))
                await register_search_attributes(await self.temporal())
            elif name == "stations":
                await supervisor.start(parts.stations(self.stage, self.charge_points, self.db, {}))
            else:
                await supervisor.start(made[name](self.stage))

    async def stop(self, *names: str) -> None:
        """Stop parts that run."""
        for name in names:
            if supervisor := self._supervisors.pop(name, None):
                await supervisor.stop()

    async def close(self) -> None:
        """Stop all that runs, the last started first."""
        await self.stop(*reversed(list(self._supervisors)))
        await self.db.close()

    async def temporal(self) -> Client:
        """Connect to Temporal."""
        return await self.stage.connection.open()


@asynccontextmanager
async def running(folder: Path, report: Report) -> AsyncIterator[Site]:
    """Have every part up inside the block; raises FolderProblem, PartFailed, devserver.NoServer, postgres.NoServer."""
    ports, more = Ports.free(), Ports.free()
    stage = DrillStage(folder, ports, f"{HOST}:{ports.temporal}", own_temporal=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(stage.fresh())
        folder_of_its_own = stack.enter_context(TemporaryDirectory(prefix="handover-restore-"))  # it may not see ours
        server = Archived(Path(folder_of_its_own), more.temporal)
        report("Starting postgres …")
        await server.make()
        stack.push_async_callback(server.stop)
        stage = DrillStage(folder, ports, stage.temporal, own_temporal=True, url=server.url(PROCESSES))
        site = Site(stage, server, report)
        stack.push_async_callback(site.close)
        await site.fill()
        await site.start("temporal", "mailbox", "worker", "api", "gateway", "stations")
        yield site
