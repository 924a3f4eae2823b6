"""The PostgreSQL of a run: the machine's own programs, else a container; it can be crashed."""

import asyncio
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import docker.errors
from sqlalchemy import text
from testcontainers.community.postgres import PostgresContainer

from domain.errors import Unavailable
from persistence.session import Database
from tools.stage.finding_postgres import engine_answers, image, programs, unprivileged
from tools.stage.machine import HERE, Machine
from tools.stage.readiness import when
from tools.stage.supervisor import Part, Report, Supervisor

_USER: Final = "test"
_MISSING: Final = (
    "PostgreSQL is needed: install its programs (Debian: postgresql), or start a container engine that can have "
    "the image that HANDOVER_TEST_POSTGRES_IMAGE names."
)

_MISSING_PROGRAMS: Final = "PostgreSQL's own programs are needed: install them (Debian: postgresql)."


class NoServer(Exception):
    """PostgreSQL is not to be had here; the text says what to do."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that runs."""

    port: int
    pid: int
    """Of its first process: those of its connections are its children."""
    crash: Callable[[], Awaitable[None]]
    """Shut it down in `immediate` mode, which is a crash that needs recovery, and have it started again."""
    machine: Machine = HERE

    def url(self, port: int | None = None) -> str:
        """Give its URL, or that of a link to it that is at `port`."""
        return _url(port or self.port, self.machine)

    def dsn(self, database: str) -> str:
        """Give the URL of one of its databases as asyncpg takes it."""
        return f"postgresql://{_USER}:{_USER}@{self.machine.address}:{self.port}/{database}"


def _url(port: int, machine: Machine = HERE) -> str:
    return f"postgresql+asyncpg://{_USER}:{_USER}@{machine.address}:{port}/postgres"


@asynccontextmanager
async def running(
    logs: Path, report: Report, port: int, settings: Mapping[str, str] | None = None, machine: Machine = HERE
) -> AsyncIterator[Server]:
    """Have a PostgreSQL with an empty database at `port` inside the block, `settings` in force; raises NoServer.

    On another machine than this one: its own programs alone, and whoever reaches it there is let in.
    """
    settings = settings or {}
    if found := programs():
        supervisor = Supervisor(logs, report)
        with tempfile.TemporaryDirectory(prefix="handover-chaos-") as folder:
            try:
                yield await _own(supervisor, found, Path(folder), port, settings, machine)
            finally:
                await supervisor.stop()  # before its folder goes
    elif machine is not HERE:
        raise NoServer(_MISSING_PROGRAMS)
    else:
        container = await asyncio.to_thread(_container, port)
        try:
            if settings:
                await _set(port, settings)
                await asyncio.to_thread(container.get_wrapped_container().restart)
                await when(lambda: _answers(_url(port)))(lambda: True)
            pid = await asyncio.to_thread(_first_process, container)
            yield Server(port, pid, lambda: asyncio.to_thread(_crash, container))
        finally:
            await asyncio.to_thread(container.stop)


async def _own(
    supervisor: Supervisor, found: Path, folder: Path, port: int, settings: Mapping[str, str], machine: Machine
) -> Server:
    """Start the machine's own, as its own user where we are root; the supervisor starts it again after a crash."""
    as_user = unprivileged(folder)
    # changing the user forgets whom a process is to die with
    dies_with_us = [*as_user, "--pdeathsig=QUIT"] if as_user else []
    data = folder / "data"
    make = [*as_user, str(found / "initdb"), "-U", _USER, "-A", "trust", "-D", str(data)]
    await asyncio.to_thread(subprocess.run, make, check=True, capture_output=True, cwd=folder)
    if machine is not HERE:
        with (data / "pg_hba.conf").open("a") as who:
            who.write("host all all all trust\n")
    server = [str(found / "postgres"), "-D", str(data), "-p", str(port), "-c", f"listen_addresses={machine.address}"]
    server += ["-c", f"unix_socket_directories={folder}"]
    server += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    url = _url(port, machine)
    part = Part("postgres", [*dies_with_us, *server], when(lambda: _answers(url)))
    await supervisor.start(machine.runs(part))

    async def crash() -> None:
        supervisor.signal("postgres", signal.SIGQUIT)

    return Server(port, supervisor.pid("postgres"), crash, machine)


async def _answers(url: str) -> bool:
    db = Database(url)
    try:
        async with db.reading() as rows:
            await rows.execute(text("SELECT 1"))
    except Unavailable:
        return False
    finally:
        await db.close()
    return True


def _container(port: int) -> PostgresContainer:
    if not engine_answers():
        raise NoServer(_MISSING)
    container = PostgresContainer(image(), username=_USER, password=_USER, dbname="postgres")
    try:
        return container.with_bind_ports(5432, port).start()
    except docker.errors.APIError:
        raise NoServer(_MISSING) from None


async def _set(port: int, settings: Mapping[str, str]) -> None:
    """Have settings in force from its next start on."""
    connection = await asyncpg.connect(_url(port).replace("+asyncpg", ""))
    try:
        for name, value in settings.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    finally:
        await connection.close()


def _first_process(container: PostgresContainer) -> int:
    wrapped = container.get_wrapped_container()
    wrapped.reload()
    return int(wrapped.attrs["State"]["Pid"])


def _crash(container: PostgresContainer) -> None:
    wrapped = container.get_wrapped_container()
    wrapped.kill("SIGQUIT")
    wrapped.wait(timeout=30)
    wrapped.start()
