"""Temporal's own server on a PostgreSQL, with what it counts: the one of production, as the bench measures it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import Final

from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from engine.namespace import register_search_attributes
from tools.bench.temporal_programs import Programs
from tools.stage import devserver, plain_http
from tools.stage.devserver.programs import run
from tools.stage.ports import HOST, free_port
from tools.stage.readiness import listens, when
from tools.stage.supervisor import Part, Supervisor

_TEMPLATES: Final = Path(__file__).with_name("templates")
#: Each store with the folder of its tables' history, inside the SQL tool.
_STORES: Final = {"temporal": "postgresql/v12/temporal", "temporal_visibility": "postgresql/v12/visibility"}
_KEPT: Final = timedelta(days=1)
_SET_UP_SECONDS: Final = 120


@dataclass(frozen=True)
class TemporalServer:
    """Where it is."""

    address: str
    metrics: str

    async def writes(self) -> Counter[str]:
        """Give how often it has asked its store, by operation, since it started."""
        async with plain_http.client(timeout=10) as http:
            answer = await http.get(self.metrics)
        return Counter(dict(_operations(answer.text)))


def _operations(text: str) -> Iterator[tuple[str, int]]:
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("persistence_requests{"):
            found[line.split('operation="')[1].split('"')[0]] += int(float(line.rsplit(" ", 1)[1]))
    yield from found.items()


async def start(supervisor: Supervisor, programs: Programs, folder: Path, port: int, postgres: int) -> TemporalServer:
    """Make its tables in the PostgreSQL at `postgres`, and start it at `port`; raises PartFailed, WayFailed."""
    for store, history in _STORES.items():
        await _make_store(programs.sql, postgres, store, history)
    metrics = free_port()
    server = TemporalServer(f"{HOST}:{port}", f"http://{HOST}:{metrics}/metrics")
    config = _write_config(folder, postgres, port, metrics)
    argv = [str(programs.server), "--config-file", str(config), "--allow-no-auth", "start"]
    await supervisor.start(Part("temporal", argv, when(lambda: listens(port))))
    await _register(server.address)
    return server


async def _make_store(sql: Path, postgres: int, store: str, history: str) -> None:
    reach = ["--plugin", "postgres12", "--ep", HOST, "--port", str(postgres), "--user", "test", "--password", "test"]
    steps = (["create"], ["setup-schema", "-v", "0.0"], ["update-schema", "--schema-name", history])
    for step in steps:
        await run([str(sql), *reach, "--database", store, *step], seconds=_SET_UP_SECONDS)


def _write_config(folder: Path, postgres: int, port: int, metrics: int) -> Path:
    """Fill the templates in, and give the file to start with."""
    dynamic = folder / "temporal-dynamic.yaml"
    dynamic.write_text((_TEMPLATES / "dynamic.yaml").read_text())
    names = ("frontend_ring", "matching", "matching_ring", "history", "history_ring", "worker", "worker_ring")
    ports = {name: free_port() for name in names}
    template = Template((_TEMPLATES / "temporal.yaml").read_text())
    config = folder / "temporal.yaml"
    config.write_text(
        template.substitute(ports, postgres=postgres, frontend=port, metrics=metrics, dynamic=str(dynamic))
    )
    return config


async def _register(address: str) -> None:
    """Make the namespace `default`, with our search attributes."""

    async def registered() -> bool:
        try:
            client = await Client.connect(address)
            wanted = RegisterNamespaceRequest(namespace="default")
            wanted.workflow_execution_retention_period.FromTimedelta(_KEPT)
            await client.workflow_service.register_namespace(wanted)
        except RPCError as error:
            return error.status is RPCStatusCode.ALREADY_EXISTS
        except RuntimeError:
            return False
        return True

    async def attributes() -> bool:
        try:
            await register_search_attributes(await Client.connect(address))
        except (RPCError, RuntimeError):
            return False
        return True

    for step in (registered, attributes):
        if not await when(step)(lambda: True):
            raise devserver.NoServer("Temporal's server is up, but its namespace can't be set up; see its log.")
    await devserver.ready(address)
