"""The real API on a real database and a port, with a hand-written engine behind it; and shells that call it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from api.app import create_app
from persistence.session import Database
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import key_of, populate
from tests.commands.shell import Shell


class _Server(uvicorn.Server):
    """A server that leaves the signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    """One kind is enough: the API's own tests have both."""
    db = Database(sqlite_url)
    await populate(db)
    yield db
    await db.close()


@pytest.fixture
def engine(database: Database) -> Engine:
    return Engine(database)


@pytest.fixture
async def address(database: Database, vault: Vault, engine: Engine) -> AsyncIterator[str]:
    """Where the API is."""
    server = _Server(uvicorn.Config(create_app(database, vault, engine), log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture
def shell_of(address: str) -> Callable[[str], Shell]:
    """Give somebody's shell, with their key."""
    return lambda name: Shell({"HANDOVER_API_URL": address, "HANDOVER_API_KEY": key_of(name)})


@pytest.fixture
def shell(shell_of: Callable[[str], Shell]) -> Shell:
    """The shell of Oscar, an operator."""
    return shell_of("oscar")
