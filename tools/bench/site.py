"""What is measured, each a process of its own: PostgreSQL, Temporal's own server on it, and our parts."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg
from temporalio.client import Client

from persistence.session import Database
from tools.bench import temporal_programs, temporal_server
from tools.bench.people import CONNECTED, fill
from tools.bench.temporal_server import TemporalServer
from tools.stage import parts, postgres
from tools.stage.ports import HOST, Ports
from tools.stage.readiness import connected, when
from tools.stage.stage import Stage
from tools.stage.supervisor import Part, Report, Supervisor

OURS: Final = "handover"
"""The database of the register."""
BY_HAND: Final = "by_hand"
"""A copy of it, on which what is written by hand works."""
DBOS_SYSTEM: Final = "dbos"
"""Where DBOS keeps its workflows."""
FRESH: Final = "TEMPLATE template0 ENCODING 'UTF8'"
"""How a database is made, whatever the server's own encoding is."""
POSTGRES_SETTINGS: Final = {
    "synchronous_commit": "on",
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": "300",
}
#: As in production, but: nothing is refused for being too much, nothing runs now and then, and no charger is enrolled.
SETTINGS: Final[Mapping[str, str]] = {
    "HANDOVER_LIMITS__TRANSFERS_PER_HOUR": "0",
    "HANDOVER_LIMITS__MESSAGES_PER_DAY": "0",
    "HANDOVER_LIMITS__MISSES_PER_MINUTE": "0",
    "HANDOVER_LIMITS__REFUSALS_PER_HOUR": "0",
    "HANDOVER_COOL_DOWN": "PT0S",
    "HANDOVER_SHORTEST_EXPIRY": "PT1S",
    "HANDOVER_ENROLMENT": "off",
    "HANDOVER_RECONCILE_EVERY": "PT24H",
    "HANDOVER_LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True)
class SpeedStage(Stage):
    """The demo's stage on PostgreSQL, with the waits of production."""

    url: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """The register's."""
        return self.url

    @property
    def environment(self) -> dict[str, str]:
        """Add what a measurement wants."""
        return {**super().environment, **SETTINGS, **self.settings}


@dataclass(frozen=True)
class Site:
    """A Handover that runs, and what it runs on."""

    stage: SpeedStage
    postgres: postgres.Server
    temporal: TemporalServer
    supervisor: Supervisor
    client: Client
    """To look into Temporal with."""
    keys: Mapping[str, str]
    """Everybody's API key."""
    report: Report

    def pids(self) -> dict[int, str]:
        """Give the process of each part, but for PostgreSQL's."""
        return {self.supervisor.pid(name): name for name in ("worker", "api", "gateway", "temporal", "mailbox")}


@asynccontextmanager
async def running(folder: Path, report: Report, settings: Mapping[str, str] | None = None) -> AsyncIterator[Site]:
    """Have every part up inside the block; raises PartFailed, FolderProblem, devserver.NoServer, postgres.NoServer."""
    programs = await temporal_programs.find_or_build(report)
    ports, more = Ports.free(), Ports.free()
    stage = SpeedStage(folder, ports, f"{HOST}:{ports.temporal}", own_temporal=True, quick=False)
    async with AsyncExitStack() as stack:
        stack.enter_context(stage.fresh())
        report("Starting PostgreSQL, and Temporal on it …")
        server = await stack.enter_async_context(postgres.running(stage.logs, report, more.temporal, POSTGRES_SETTINGS))
        stage = SpeedStage(
            folder,
            ports,
            stage.temporal,
            own_temporal=True,
            quick=False,
            url=server.dsn(OURS).replace("postgresql:", "postgresql+asyncpg:"),
            settings=settings or {},
        )
        keys = await _make_databases(server, stage)
        supervisor = Supervisor(stage.logs, report)
        stack.push_async_callback(supervisor.stop)
        temporal = await temporal_server.start(supervisor, programs, stage.data, ports.temporal, server.port)
        report("Starting our own parts …")
        for part in (parts.mailbox, parts.worker, parts.gateway, parts.api):
            await supervisor.start(part(stage))
        await supervisor.start(await _stations(stack, stage))
        yield Site(stage, server, temporal, supervisor, await stage.connection.open(), keys, report)


async def _make_databases(server: postgres.Server, stage: SpeedStage) -> dict[str, str]:
    """Fill the register, and copy it for what is written by hand."""
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        await connection.execute("CREATE EXTENSION pg_stat_statements")
        await connection.execute(f"CREATE DATABASE {OURS} {FRESH}")
        keys = await fill(stage.database_url, stage.secret_key)
        await connection.execute(f"CREATE DATABASE {BY_HAND} TEMPLATE {OURS}")
        await connection.execute(f"CREATE DATABASE {DBOS_SYSTEM} {FRESH}")
    finally:
        await connection.close()
    return keys


async def _stations(stack: AsyncExitStack, stage: SpeedStage) -> Part:
    """Give the stations, which are ready once each is connected."""
    db = Database(stage.database_url)
    stack.push_async_callback(db.close)
    argv = [sys.executable, "-m", "tools.bench.rotating_stations", str(stage.ports.gateway), str(CONNECTED)]
    return Part("stations", argv, when(lambda: connected(db, CONNECTED)), stage.environment)
