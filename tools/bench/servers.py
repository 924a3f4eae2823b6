"""The processes that are measured: one gateway node, and a bare `websockets` server to compare it with."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from domain.ids import ChargePointId, NodeId
from gateway.facts import Fact
from gateway.server import Gateway
from persistence.chargers.upgrades import OldKeys
from persistence.session import PATIENT_LOCK_WAIT_SECONDS, Database
from persistence.vault import Vault
from process import stop_requested
from telemetry.logs import start_logging
from tools.bench.database import SERVER_KEY
from tools.bench.limits import allow_sockets

HOST: Final = "127.0.0.1"
_FIXED_ANSWER: Final = '[3,"1",{"currentTime":"2026-01-01T00:00:00Z"}]'

#: Serves until a stop is requested; says on which port through the callable.
Server = Callable[[Callable[[int], None]], Awaitable[None]]


def gateway_server(database_url: str) -> Server:
    """Give the gateway as `worker.py` runs it, but for Temporal: what happens at chargers is told to nobody."""
    return partial(_serve_gateway, database_url)


def bare_server() -> Server:
    """Give the server that answers every frame with the same one; like the gateway it pings, and compresses nothing."""
    return _serve_bare


def run(server: Server, sockets: int, parent: "Connection[int, Any]") -> None:
    """Be a process that serves, and tells its parent the port."""
    start_logging("warning")
    allow_sockets(sockets)
    uvloop.run(_main(server, parent))


async def _main(server: Server, parent: "Connection[int, Any]") -> None:
    await server(parent.send)


async def _serve_gateway(database_url: str, listening: Callable[[int], None]) -> None:
    database = Database(database_url, lock_wait=PATIENT_LOCK_WAIT_SECONDS)
    gateway = Gateway(
        database,
        Vault([SERVER_KEY]),
        host=HOST,
        port=0,
        node=NodeId("bench"),
        call_timeout=timedelta(seconds=30),
        old_keys=OldKeys(timedelta(minutes=10)),
        on_fact=_tell_nobody,
    )
    await gateway.start()
    try:
        listening(gateway.port)
        await stop_requested().wait()
    finally:
        await gateway.stop()
        await database.close()


async def _tell_nobody(_charge_point_id: ChargePointId, _fact: Fact) -> None:
    pass


async def _serve_bare(listening: Callable[[int], None]) -> None:
    async with serve(_answer, HOST, 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None) as server:
        listening(next(iter(server.sockets)).getsockname()[1])
        await stop_requested().wait()


async def _answer(socket: ServerConnection) -> None:
    try:
        async for _ in socket:
            await socket.send(_FIXED_ANSWER)
    except ConnectionClosed:
        pass
