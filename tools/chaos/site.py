"""Every part of a run, each a process of its own, and the links between them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from temporalio.client import Client

from domain.ids import UserId
from domain.rights import Scope
from engine.namespace import register_search_attributes
from persistence.importing.imports import import_lines
from persistence.migrating import migrate
from persistence.people import api_keys
from persistence.session import Database
from persistence.vault import Vault
from tools.chaos.links import Link
from tools.chaos.town import ENROLLED_MODEL, OPERATOR, Town
from tools.stage import devserver, parts, postgres
from tools.stage.ports import HOST, Ports
from tools.stage.readiness import answers, listens, when
from tools.stage.stage import Stage
from tools.stage.supervisor import Part, Report, Supervisor

#: Waits short enough for a run of minutes to see their ends.
SETTINGS: Final[Mapping[str, str]] = {
    "HANDOVER_COOL_DOWN": "PT0S",
    "HANDOVER_DEFAULT_EXPIRY": "PT60S",
    "HANDOVER_SHORTEST_EXPIRY": "PT1S",
    "HANDOVER_CALL_TIMEOUT": "PT5S",
    "HANDOVER_GATEWAY_PING_EVERY": "PT5S",
    "HANDOVER_GATEWAY_PING_TIMEOUT": "PT5S",
    "HANDOVER_POLICY__SESSION_DEADLINE": "PT20S",
    "HANDOVER_POLICY__OFFLINE_DEADLINE": "PT20S",
    "HANDOVER_POLICY__PROOF_DEADLINE": "PT20S",
    "HANDOVER_POLICY__RECONNECT_AFTER": "PT3S",
    "HANDOVER_POLICY__RETRIES_USED_UP": "PT90S",
    "HANDOVER_POLICY__OPERATOR_RETRIES_EVERY": "PT2M",
    "HANDOVER_POLICY__LOOK_AGAIN": "PT3S",
    "HANDOVER_POLICY__ENROLMENT_PATIENCE": "PT10S",
    "HANDOVER_ENROLMENT": ENROLLED_MODEL,
    "HANDOVER_GATEWAY_WITHOUT_SUBPROTOCOL": "1.6",
}
_KINDS: Final = ("worker", "gateway", "api")


@dataclass(frozen=True)
class ChaosStage(Stage):
    """The demo's stage, with PostgreSQL, short waits, and chargers that connect through a link."""

    url: str = ""
    chargers: int = 0
    """The port at which chargers connect."""

    @property
    def database_url(self) -> str:
        """PostgreSQL itself, without a link."""
        return self.url

    @property
    def gateway(self) -> str:
        """The link that leads to either gateway node."""
        return f"ws://{HOST}:{self.chargers}/ocpp"

    @property
    def environment(self) -> dict[str, str]:
        """Add the waits."""
        return {**super().environment, **SETTINGS}


@dataclass(frozen=True)
class Site:
    """A running Handover, with two of each part."""

    stage: ChaosStage
    town: Town
    server: postgres.Server
    db: Database
    """Of the run itself, without a link."""
    client: Client
    supervisor: Supervisor
    keys: Mapping[str, str]
    apis: list[str]
    links: Mapping[str, Link] = field(default_factory=dict)
    gateways: Sequence[int] = ()
    """The ports of both gateway nodes, without a link."""

    def repair_stations(self) -> None:
        """Take every fault out of the stations, from their next start on."""
        parts.stations(self.stage, self.town.charge_points, self.db, {}, models=self.town.models)


@asynccontextmanager
async def running(folder: Path, town: Town, chance: Random, report: Report) -> AsyncIterator[Site]:
    """Have every part up inside the block; raises PartFailed, FolderProblem, devserver.NoServer, postgres.NoServer."""
    program = await asyncio.to_thread(devserver.find_or_build, report)
    ports, more = Ports.free(), Ports.free()
    stage = ChaosStage(folder, ports, f"{HOST}:{ports.temporal}", own_temporal=True)
    with stage.fresh():
        async with AsyncExitStack() as stack:
            report("Starting postgres …")
            server = await stack.enter_async_context(postgres.running(stage.logs, report, more.temporal))
            links = await _lay_links(stack, stage, more, server, chance)
            stage = ChaosStage(
                stage.folder,
                ports,
                stage.temporal,
                own_temporal=True,
                url=server.url(),
                chargers=links["charger-gateway"].port,
            )
            db = Database(stage.database_url)
            stack.push_async_callback(db.close)
            keys = await _fill(db, stage, town)
            supervisor = Supervisor(stage.logs, report)
            stack.push_async_callback(supervisor.stop)
            client = await _start_temporal(supervisor, stage, program, report)
            for part in _parts(stage, more, server, links):
                report(f"Starting {part.name} …")
                await supervisor.start(part)
            report("Starting stations …")
            await supervisor.start(parts.stations(stage, town.charge_points, db, town.faults, models=town.models))
            apis = [f"http://{HOST}:{port}" for port in (ports.api, more.api)]
            gateways = (ports.gateway, more.gateway)
            yield Site(stage, town, server, db, client, supervisor, keys, apis, links, gateways)
            report("Stopping …")


async def _lay_links(
    stack: AsyncExitStack, stage: Stage, more: Ports, server: postgres.Server, chance: Random
) -> dict[str, Link]:
    """Lay a link from each kind of part to each server that it uses, and one from the chargers to both nodes."""
    ends = {
        **{f"{kind}-postgres": [server.port] for kind in _KINDS},
        **{f"{kind}-temporal": [stage.ports.temporal] for kind in _KINDS},
        "worker-mail": [stage.ports.smtp],
        "charger-gateway": [stage.ports.gateway, more.gateway],
    }
    return {name: await stack.enter_async_context(Link(name, to, chance).listening()) for name, to in ends.items()}


async def _start_temporal(supervisor: Supervisor, stage: Stage, program: Path, report: Report) -> Client:
    report("Starting temporal …")
    await supervisor.start(parts.temporal(stage, program))
    client = await stage.connection.open()
    await register_search_attributes(client)
    return client


def _parts(stage: Stage, more: Ports, server: postgres.Server, links: Mapping[str, Link]) -> list[Part]:
    """Give two of each part, every one behind its links."""

    def linked(made: Part, number: int, **settings: str) -> Part:
        environment = {
            **made.env,
            "HANDOVER_DATABASE_URL": server.url(links[f"{made.name}-postgres"].port),
            "HANDOVER_TEMPORAL_ADDRESS": f"{HOST}:{links[f'{made.name}-temporal'].port}",
            "HANDOVER_SMTP_PORT": str(links["worker-mail"].port),
            **settings,
        }
        return Part(f"{made.name}-{number}", made.argv, made.ready, environment)

    gateway, api = parts.gateway(stage), parts.api(stage)
    second_gateway = Part(gateway.name, gateway.argv, when(lambda: listens(more.gateway)), gateway.env)
    second_api = Part(api.name, api.argv, when(lambda: answers(f"http://{HOST}:{more.api}/readyz")), api.env)
    return [
        parts.mailbox(stage),
        linked(parts.worker(stage), 1),
        linked(parts.worker(stage), 2),
        linked(gateway, 1, HANDOVER_GATEWAY_NODE="node-1"),
        linked(second_gateway, 2, HANDOVER_GATEWAY_NODE="node-2", HANDOVER_GATEWAY_PORT=str(more.gateway)),
        linked(api, 1),
        linked(second_api, 2, HANDOVER_API_PORT=str(more.api)),
    ]


async def _fill(db: Database, stage: Stage, town: Town) -> dict[str, str]:
    await migrate(stage.database_url)
    await import_lines(db, Vault([stage.secret_key]), [json.dumps(line).encode() for line in town.lines])
    async with db.writing() as rows:
        return {
            user: await api_keys.create(rows, UserId(user), _scopes(user), datetime.now(UTC))
            for user in (line["id"] for line in town.lines if line["type"] == "user")
        }


def _scopes(user: str) -> frozenset[Scope]:
    return frozenset({Scope.OPERATOR} if user == OPERATOR else {Scope.WITHOUT_ACCEPTANCE})
