"""Every part of a run, each a process of its own, and the links between them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
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
from tools.chaos import machines
from tools.chaos.links import Link
from tools.chaos.machines import Network
from tools.chaos.town import ENROLLED_MODEL, OPERATOR, Town
from tools.stage import devserver, parts, postgres
from tools.stage.machine import HERE, Machine
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
#: The dev server's own services reach each other at 127.0.0.1.
_EVERYWHERE: Final = "0.0.0.0"
_LOOPBACK: Final = "127.0.0"
#: Where the first client of a former owner comes from, in its network.
FIRST_ATTACKER: Final = 11


@dataclass(frozen=True)
class ChaosStage(Stage):
    """The demo's stage, with PostgreSQL, short waits, and chargers that connect through a link."""

    url: str = ""
    chargers: int = 0
    """The port at which chargers connect."""
    core: str = HOST
    """The address of PostgreSQL, Temporal and the mailbox."""

    @property
    def database_url(self) -> str:
        """PostgreSQL itself, without a link."""
        return self.url

    @property
    def gateway(self) -> str:
        """The link that leads to either gateway node."""
        return f"ws://{HOST}:{self.chargers}/ocpp"

    @property
    def mailbox(self) -> str:
        """Where mails are read."""
        return f"http://{self.core}:{self.ports.mailbox}"

    @property
    def environment(self) -> dict[str, str]:
        """Add the waits."""
        return {**super().environment, **SETTINGS, "HANDOVER_SMTP_HOST": self.core}


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
    gateways: Sequence[tuple[str, int]] = ()
    """Both gateway nodes, without a link."""
    street: str = _LOOPBACK
    """The network that chargers come from, at its first address, and clients of former owners, at later ones."""
    network: Network | None = None
    """Between the machines, where there are two."""

    @property
    def chargers_from(self) -> str:
        """The address that the gateways see chargers come from."""
        return f"{self.street}.1"

    def repair_stations(self) -> None:
        """Take every fault out of the stations, from their next start on."""
        parts.stations(self.stage, self.town.charge_points, self.db, {}, models=self.town.models)


@asynccontextmanager
async def running(
    folder: Path, town: Town, chance: Random, report: Report, *, apart: bool = False
) -> AsyncIterator[Site]:
    """Have every part up inside the block; raises PartFailed, FolderProblem, devserver.NoServer, postgres.NoServer.

    `apart`: one of each part on either of two machines, and what both use on a third; raises machines.Missing.
    """
    program = await asyncio.to_thread(devserver.find_or_build, report)
    street = machines.STREET if apart else _LOOPBACK
    comers = [f"{street}.{number}" for number in (1, *range(FIRST_ATTACKER, FIRST_ATTACKER + len(town.attacked)))]
    network = await machines.lay(comers) if apart else None
    one, other, core = (network.a, network.b, network.c) if network else (HERE, HERE, HERE)
    ports, more = Ports.free(), Ports.free()
    stage = ChaosStage(folder, ports, f"{core.address}:{ports.temporal}", own_temporal=True, core=core.address)
    gateways = ((one.address, ports.gateway), (other.address, more.gateway))
    with stage.fresh():
        async with AsyncExitStack() as stack:
            report("Starting postgres …")
            server = await stack.enter_async_context(postgres.running(stage.logs, report, more.temporal, machine=core))
            ends: dict[str, Sequence[tuple[str, int]]] = {"charger-gateway": gateways}
            if network is None:
                ends |= _ends(stage, server)
            links = {name: Link(name, to, chance, f"{street}.1" if apart else None) for name, to in ends.items()}
            for link in links.values():
                await stack.enter_async_context(link.listening())
            stage = replace(stage, url=server.url(), chargers=links["charger-gateway"].port)
            db = Database(stage.database_url)
            stack.push_async_callback(db.close)
            keys = await _fill(db, stage, town)
            supervisor = Supervisor(stage.logs, report)
            stack.push_async_callback(supervisor.stop)
            client = await _start_temporal(supervisor, stage, program, core, report)
            for part in _parts(stage, more, server, links, (one, other, core)):
                report(f"Starting {part.name} …")
                await supervisor.start(part)
            report("Starting stations …")
            await supervisor.start(parts.stations(stage, town.charge_points, db, town.faults, models=town.models))
            apis = [f"http://{one.address}:{ports.api}", f"http://{other.address}:{more.api}"]
            yield Site(stage, town, server, db, client, supervisor, keys, apis, links, gateways, street, network)
            report("Stopping …")


def _ends(stage: Stage, server: postgres.Server) -> dict[str, Sequence[tuple[str, int]]]:
    """Say where the links lead to from each kind of part: to each server that it uses."""
    return {
        **{f"{kind}-postgres": [(HOST, server.port)] for kind in _KINDS},
        **{f"{kind}-temporal": [(HOST, stage.ports.temporal)] for kind in _KINDS},
        "worker-mail": [(HOST, stage.ports.smtp)],
    }


async def _start_temporal(
    supervisor: Supervisor, stage: Stage, program: Path, machine: Machine, report: Report
) -> Client:
    report("Starting temporal …")
    await supervisor.start(machine.runs(parts.temporal(stage, program, HOST if machine is HERE else _EVERYWHERE)))
    client = await stage.connection.open()
    await register_search_attributes(client)
    return client


def _parts(
    stage: ChaosStage,
    more: Ports,
    server: postgres.Server,
    links: Mapping[str, Link],
    machines: tuple[Machine, Machine, Machine],
) -> list[Part]:
    """Give two of each part, every one behind its links, where there are any, and on its machine."""
    one, other, core = machines

    def linked(made: Part, number: int, **settings: str) -> Part:
        machine = (one, other)[number - 1]
        environment = {
            **made.env,
            "HANDOVER_API_HOST": machine.address,
            "HANDOVER_GATEWAY_HOST": machine.address,
            "HANDOVER_DATABASE_URL": server.url(),
            **settings,
        }
        if machine is HERE:
            environment |= {
                "HANDOVER_DATABASE_URL": server.url(links[f"{made.name}-postgres"].port),
                "HANDOVER_TEMPORAL_ADDRESS": f"{HOST}:{links[f'{made.name}-temporal'].port}",
                "HANDOVER_SMTP_PORT": str(links["worker-mail"].port),
            }
        return machine.runs(Part(f"{made.name}-{number}", made.argv, made.ready, environment))

    def gateway(port: int, machine: Machine) -> Part:
        made = parts.gateway(stage)
        return replace(made, ready=when(lambda: listens(port, machine.address)))

    def api(port: int, machine: Machine) -> Part:
        made = parts.api(stage)
        return replace(made, ready=when(lambda: answers(f"http://{machine.address}:{port}/readyz")))

    return [
        core.runs(parts.mailbox(stage, core.address)),
        linked(parts.worker(stage), 1),
        linked(parts.worker(stage), 2),
        linked(gateway(stage.ports.gateway, one), 1, HANDOVER_GATEWAY_NODE="node-1"),
        linked(
            gateway(more.gateway, other), 2, HANDOVER_GATEWAY_NODE="node-2", HANDOVER_GATEWAY_PORT=str(more.gateway)
        ),
        linked(api(stage.ports.api, one), 1),
        linked(api(more.api, other), 2, HANDOVER_API_PORT=str(more.api)),
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
