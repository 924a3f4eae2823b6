"""Finds a PostgreSQL (15 or later) for the tests: a container where an engine answers, else the machine's programs."""

import gc
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker.errors
from sqlalchemy import make_url
from testcontainers.community.postgres import PostgresContainer

from tools.stage.finding_postgres import engine_answers, image, programs, unprivileged
from tools.stage.ports import free_port

#: Whom the databases' tables belong to, and who may do everything: the name, and the password.
OWNER = "test"


class NoPostgres(Exception):
    """Neither a container engine nor PostgreSQL's programs are here."""


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL and give its URL (`postgresql+asyncpg://…/postgres`); raises NoPostgres."""
    with _sockets_left():
        container, why = _container()
    if container is not None:
        try:
            yield container.get_connection_url()
        finally:
            with _sockets_left():
                container.stop()
    elif found := programs():
        with _own(found) as url:
            yield url
    else:
        raise NoPostgres(f"{why}, and PostgreSQL's initdb is not installed.")


@contextmanager
def _sockets_left() -> Iterator[None]:
    """Tidy up the sockets that the engine's client forgets to close: some test would be blamed for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def as_owner(url: str) -> str:
    """Give a database's URL for whom its tables belong to."""
    return make_url(url).set(username=OWNER, password=OWNER).render_as_string(hide_password=False)


def _container() -> tuple[PostgresContainer | None, str]:
    """Start a container; None, and why, where no engine answers or it can't have the image."""
    if not engine_answers():
        return None, "No container engine answers"
    try:
        container = PostgresContainer(
            image(), username=OWNER, password=OWNER, driver="asyncpg", docker_client_kw={"timeout": 600}
        )
        # in memory: a database is made for each test, and need not outlive it
        return container.with_tmpfs_mount("/var/lib/postgresql/data").start(), ""
    except docker.errors.APIError:
        return None, f"The container engine can't have the image {image()}"


@contextmanager
def _own(found: Path) -> Iterator[str]:
    """Run the machine's own PostgreSQL in a new folder."""
    with tempfile.TemporaryDirectory(prefix="handover-postgres-") as folder:
        port = free_port()
        as_user = unprivileged(Path(folder))
        run = [*as_user, str(found / "initdb"), "-U", OWNER, "-A", "trust", "--no-sync", "-D", f"{folder}/data"]
        subprocess.run(run, check=True, capture_output=True, cwd=folder)
        flags = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = [*as_user, str(found / "pg_ctl"), "-D", f"{folder}/data", "-w"]
        subprocess.run(
            [*control, "-o", flags, "-l", f"{folder}/log", "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder
        )
        try:
            yield f"postgresql+asyncpg://{OWNER}@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=folder)
