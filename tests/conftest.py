"""The real parts that tests run on: both databases, a vault, a Temporal dev server."""

import asyncio
import gc
import os
import shutil
import subprocess
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvloop
from sqlalchemy import make_url
from temporalio.client import Client

from engine.connection import read_connection
from engine.namespace import register_search_attributes
from persistence.migrating import migrate
from persistence.session import LOCK_WAIT_SECONDS, Database
from persistence.vault import Vault
from process import leave
from tests.postgres import NoPostgres, postgres
from tools.stage import devserver
from tools.stage.ports import free_port
from tools.stage.stage import without_profile

SERVER_KEY = "0123456789abcdef0123456789abcdef-test"
BOTH = ("sqlite", "postgresql")
PASSED: Counter[str] = Counter()
#: The role on PostgreSQL that processes have: its name, and its password.
PROCESSES = "processes"
ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make record` write the histories that the replay tests read."""
    parser.addoption("--record-histories", action="store_true", help="write the histories of tests marked `recorded`")
    parser.addoption("--every-fault", action="store_true", help="try every fault at every step, not a third of them")
    parser.addoption(
        "--production-timings",
        action="store_true",
        help="with the faults of a rotation: wait as long as production does",
    )
    parser.addoption(
        "--every-attack", action="store_true", help="try every combination of an attack, and many chargers"
    )
    parser.addoption("--write-tables", action="store_true", help="write the tables of docs/ from what is found")
    parser.addoption("--screenshots", action="store_true", help="take the screenshots of docs/ anew, with chromium")
    parser.addoption("--every-death", action="store_true", help="kill at every boundary of every step, not at some")
    parser.addoption(
        "--contract-seconds", default="40", help="how long, in seconds, calls are made up against the OpenAPI document"
    )


def pytest_configure() -> None:
    """Reach servers of this run's own whatever this machine's profile says; a given one is reached by it."""
    if devserver.given_address() is None:
        os.environ.update(without_profile())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count what passed on each kind of database.

    The report of a failure parses source code. CPython up to 3.11.7 raises a SystemError, and the report is lost, where
    that is interrupted by what runs when memory is tidied up (gh-106905).
    """
    gc.disable()
    try:
        report = yield
    finally:
        gc.enable()
    if report.when == "call" and report.passed and (kind := database_kind(item)):
        PASSED[kind] += 1
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the test that looks back at the others for the end."""
    items.sort(key=lambda item: item.get_closest_marker("looks_back") is not None)


def database_kind(item: pytest.Item) -> str | None:
    """Say on which kind of database a test runs."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("database_url") if callspec else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave cleanly: interpreter shutdown after Temporal clients may abort (see process.leave)."""
    status = getattr(config, "_handover_exit", None)
    if status is not None:
        leave(int(status))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember the exit code for the way out."""
    session.config._handover_exit = exitstatus  # type: ignore[attr-defined]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Have the tests' own loop be the one that our processes run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def vault() -> Vault:
    return Vault([SERVER_KEY])


# --- databases ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL that this run started."""
    try:
        with postgres() as url:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # it need not outlive the run
                wait_for(administer(url, f"ALTER SYSTEM SET {setting} = off"))
            wait_for(administer(url, "SELECT pg_reload_conf()"))
            wait_for(administer(url, f"CREATE ROLE {PROCESSES} LOGIN PASSWORD '{PROCESSES}'"))
            yield url
    except NoPostgres as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(f"not run: {missing}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    file = tmp_path_factory.mktemp("template") / "handover.db"
    wait_for(migrate(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """A migrated PostgreSQL database, to be copied."""
    wait_for(administer(postgres_server, "CREATE DATABASE template_handover"))
    wait_for(migrate(in_database(postgres_server, "template_handover"), PROCESSES))
    return "template_handover"


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a migrated, empty SQLite database, for what one kind of database is enough for."""
    shutil.copy(sqlite_template, tmp_path / "handover.db")
    return f"sqlite+aiosqlite:///{tmp_path / 'handover.db'}"


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database, for what one kind of database is enough for.

    By the role of the processes; its tables belong to that of `owners`.
    """
    name = f"test_{uuid.uuid4().hex}"
    wait_for(administer(postgres_server, f"CREATE DATABASE {name} {copy_of(postgres_template)}"))
    url = make_url(postgres_server).set(database=name, username=PROCESSES, password=PROCESSES)
    yield url.render_as_string(hide_password=False)
    wait_for(administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database: each test runs on SQLite and on PostgreSQL."""
    return str(request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]))


@pytest.fixture
def lock_wait() -> float:
    """How long, in seconds, a test's database waits for a lock; some tests say otherwise."""
    return LOCK_WAIT_SECONDS


@pytest.fixture
async def database(database_url: str, lock_wait: float) -> AsyncIterator[Database]:
    db = Database(database_url, lock_wait=lock_wait)
    yield db
    await db.close()


def wait_for(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` beside the tests' own event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def copy_of(template: str) -> str:
    return f"TEMPLATE {template} STRATEGY FILE_COPY"  # twice as fast as by the log


def in_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", "", 1))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


# --- Temporal -----------------------------------------------------------------------------------------------------

# A run is deleted only once the server has noted that its end was worked off: by default every 30 s.
_DELETES_SOON = [
    part
    for queue in ("transfer", "visibility")
    for part in ("--dynamic-config-value", f'history.{queue}ProcessorUpdateAckInterval="1s"')
]


@pytest.fixture(scope="session")
async def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a dev server of this run, with the search attributes registered."""
    if given := devserver.given_address():
        yield given
        return
    folder = tmp_path_factory.mktemp("temporal")
    binary = await asyncio.to_thread(devserver.find_or_build, print)
    port = free_port()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [*devserver.command(binary, db_file=folder / "temporal.db", port=port, ui_port=None), *_DELETES_SOON],
            stdout=log,
            stderr=log,
        )
    try:
        assert await devserver.ready(f"127.0.0.1:{port}", alive=lambda: server.poll() is None)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
async def temporal(temporal_address: str) -> Client:
    client = await read_connection(temporal_address).open()
    await register_search_attributes(client)
    return client
