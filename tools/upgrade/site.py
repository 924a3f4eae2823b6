"""The parts of a drill, two of each kind, each of which can be replaced by that of another release."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy import update
from temporalio.client import Client

from domain.ids import UserId
from domain.keys import KnownTo
from domain.rights import Scope
from persistence.importing.imports import import_lines
from persistence.migrating import migrate
from persistence.people import api_keys
from persistence.session import Database
from persistence.tables import Credential
from persistence.vault import Vault
from tools.bench import temporal_programs, temporal_server
from tools.chaos.links import Link
from tools.stage import parts, plain_http, postgres
from tools.stage.ports import HOST, Ports, free_port
from tools.stage.readiness import answers, when
from tools.stage.stage import Stage
from tools.stage.supervisor import Part, Report, Supervisor
from tools.upgrade.releases import Release
from tools.upgrade.waiting import OPERATOR, Town

#: Who waits, waits for the drill alone; what is tried again is given up soon, but not while a gateway is replaced.
SETTINGS: Final[Mapping[str, str]] = {
    "HANDOVER_COOL_DOWN": "PT0S",
    "HANDOVER_ENROLMENT": "off",
    "HANDOVER_DEFAULT_EXPIRY": "PT2H",
    "HANDOVER_POLICY__SESSION_DEADLINE": "PT2H",
    "HANDOVER_POLICY__OFFLINE_DEADLINE": "PT2H",
    "HANDOVER_POLICY__PROOF_DEADLINE": "PT2H",
    "HANDOVER_POLICY__RETRIES_USED_UP": "PT1M",
    "HANDOVER_POLICY__OPERATOR_RETRIES_EVERY": "PT2H",
}
#: Temporal's server, six processes of ours and a drill have more connections to one PostgreSQL than its 100.
POSTGRES_SETTINGS: Final[Mapping[str, str]] = {"max_connections": "300"}
#: In the order in which they are replaced.
PARTS: Final = ("worker-1", "worker-2", "gateway-1", "gateway-2", "api-1", "api-2")
#: What docker-compose.yml gives a process to end what it is at.
STOP_GRACE: Final = 35.0
#: Seconds.
_ENDS_WITHIN: Final = 120.0


@dataclass(frozen=True)
class UpgradeStage(Stage):
    """The demo's stage, with PostgreSQL, and chargers that come in at either gateway."""

    url: str = ""
    chargers: int = 0
    """The port at which chargers connect."""

    @property
    def database_url(self) -> str:
        """PostgreSQL."""
        return self.url

    @property
    def gateway(self) -> str:
        """What leads to either gateway node."""
        return f"ws://{HOST}:{self.chargers}/ocpp"

    @property
    def environment(self) -> dict[str, str]:
        """Add what makes waits long."""
        return {**super().environment, **SETTINGS}


@dataclass
class Site:
    """A running Handover."""

    stage: UpgradeStage
    town: Town
    db: Database
    client: Client
    supervisor: Supervisor
    temporal_metrics: str
    keys: Mapping[str, str]
    ports: Mapping[str, int]
    """The part's own, by its name."""
    health: Mapping[str, int]
    """Where a worker or a gateway says whether it is ready."""
    sdk: Mapping[str, int]
    """Where the SDK of a worker tells what it measures."""

    @property
    def apis(self) -> list[str]:
        """Where both API processes are."""
        return [f"http://{HOST}:{self.ports[name]}" for name in ("api-1", "api-2")]

    async def run(self, release: Release, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program of a release to its end."""
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, *argv],
            cwd=release.folder,
            env={**os.environ, **self.stage.environment},
            timeout=_ENDS_WITHIN,
            capture_output=True,
            text=True,
            check=False,
        )

    def part(self, name: str, release: Release, patches: Sequence[str]) -> Part:
        """Give one part of a release."""
        kind, number = name.split("-")
        env = {**self.stage.environment, "HANDOVER_PATCHES": ",".join(patches)}
        if kind == "api":
            url = f"http://{HOST}:{self.ports[name]}/readyz"
            env["HANDOVER_API_PORT"] = str(self.ports[name])
            return Part(name, [sys.executable, "-m", "api"], when(lambda: answers(url)), env, release.folder)
        url = f"http://{HOST}:{self.health[name]}/readyz"
        env["HANDOVER_METRICS_PORT"] = str(self.health[name])
        env["HANDOVER_SDK_METRICS_PORT"] = str(self.sdk[name])
        argv = [sys.executable, "worker.py"]
        if kind == "gateway":
            argv.append("--gateway")
            env |= {"HANDOVER_GATEWAY_NODE": f"node-{number}", "HANDOVER_GATEWAY_PORT": str(self.ports[name])}
        return Part(name, argv, when(lambda: answers(url)), env, release.folder)

    async def roll(
        self,
        release: Release,
        patches: Sequence[str] = (),
        *,
        which: Sequence[str] = PARTS,
        between: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Replace one part after the other, each once the one before is ready; `between` is called after each."""
        for name in which:
            await self.supervisor.replace(self.part(name, release, patches), STOP_GRACE)
            if between is not None:
                await between(name)

    def stations(self, there: Sequence[Mapping[str, Any]]) -> Part:
        """Give the chargers that are there, with what is wrong with them."""
        return parts.stations(self.stage, there, self.db, self.town.faults, enrolled=True)

    async def metrics(self) -> str:
        """Give what Temporal's server counts, and its SDK in the workers."""
        places = [self.temporal_metrics]
        places += [f"http://{HOST}:{self.sdk[name]}/metrics" for name in PARTS if name.startswith("worker")]
        async with plain_http.client(timeout=10) as http:
            return "\n".join([(await http.get(place)).text for place in places])

    async def bring_everything_back(self) -> None:
        """Have each charger switched on, with nothing wrong."""
        part = parts.stations(self.stage, self.town.charge_points, self.db, {}, enrolled=True)
        await self.supervisor.replace(part)


@asynccontextmanager
async def running(folder: Path, town: Town, release: Release, report: Report) -> AsyncIterator[Site]:
    """Have every part of a release up inside the block; raises PartFailed, FolderProblem, NoServer of either server."""
    programs = await temporal_programs.find_or_build(report)
    ports = Ports.free()
    own = {name: free_port() for name in PARTS}
    health = {name: free_port() for name in PARTS}
    sdk = {name: free_port() for name in PARTS}
    bare = Stage(folder, ports, f"{HOST}:{ports.temporal}", own_temporal=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(bare.fresh())
        report("Starting PostgreSQL and Temporal's server …")
        server = await stack.enter_async_context(postgres.running(bare.logs, report, free_port(), POSTGRES_SETTINGS))
        nodes = [own["gateway-1"], own["gateway-2"]]
        link = await stack.enter_async_context(Link("chargers", nodes, Random(1)).listening())  # noqa: S311 - balances
        stage = UpgradeStage(folder, ports, bare.temporal, own_temporal=True, url=server.url(), chargers=link.port)
        db = Database(stage.database_url)
        stack.push_async_callback(db.close)
        keys = await _fill(db, stage, town)
        supervisor = Supervisor(stage.logs, report)
        stack.push_async_callback(supervisor.stop)
        temporal = await temporal_server.start(supervisor, programs, stage.data, ports.temporal, server.port)
        client = await stage.connection.open()
        site = Site(stage, town, db, client, supervisor, temporal.metrics, keys, own, health, sdk)
        report("Starting two of each part …")
        await supervisor.start(parts.mailbox(stage))
        for name in PARTS:
            await supervisor.start(site.part(name, release, ()))
        report("Starting the chargers …")
        await supervisor.start(site.stations(town.there))
        yield site
        report("Stopping …")


async def _fill(db: Database, stage: Stage, town: Town) -> dict[str, str]:
    await migrate(stage.database_url)
    await import_lines(db, Vault([stage.secret_key]), [json.dumps(line).encode() for line in town.lines])
    async with db.writing() as rows:
        own = update(Credential).values(known_to=KnownTo.CHARGER)
        await rows.execute(own.where(Credential.charge_point_id.not_in(town.known)))
        return {
            user: await api_keys.create(rows, UserId(user), _scopes(user), datetime.now(UTC)) for user in town.users
        }


def _scopes(user: str) -> frozenset[Scope]:
    return frozenset({Scope.OPERATOR} if user == OPERATOR else {Scope.WITHOUT_ACCEPTANCE})
