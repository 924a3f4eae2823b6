"""The processes that are measured: one gateway node, and bare `websockets` servers to compare it with."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from multiprocessing.connection import Connection
from typing import Any, Final

import asyncpg
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
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


def noting_server(database_url: str) -> Server:
    """Give the bare server that does by hand what no gateway can leave out: who it is, that it is here, what it says.

    A prepared read at the upgrade, a transaction once it is open, a write at its boot, one at its end, over asyncpg.
    """
    return partial(_serve_noting, database_url.replace("+asyncpg", ""))


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


_KNOWN: Final = """
    SELECT p.id, p.owner_version, k.id, k.mac, k.state
    FROM charge_points p JOIN credentials k ON k.charge_point_id = p.id
    WHERE upper(p.identity COLLATE "C") = $1 AND k.state <> 'revoked'"""
_CLAIMED: Final = """
    INSERT INTO charger_links
    (charge_point_id, node, generation, quarantined, credential_id, connected_at, contender_answered)
    VALUES ($1, 'noting', 1, false, $2, now(), false) ON CONFLICT (charge_point_id)
    DO UPDATE SET generation = charger_links.generation + 1, node = 'noting', connected_at = now()
    RETURNING generation"""
_OPENED: Final = """
    INSERT INTO charger_connections (charge_point_id, generation, node, opened_at, released_at)
    VALUES ($1, $2, 'noting', now(), now())"""
_BOOTED: Final = "UPDATE charge_points SET vendor = $2, booted_at = now() WHERE id = $1"
_ENDED: Final = "UPDATE charger_connections SET ended_at = now() WHERE charge_point_id = $1 AND generation = $2"


async def _serve_noting(dsn: str, listening: Callable[[int], None]) -> None:
    pool, known = await asyncpg.create_pool(dsn, min_size=20, max_size=20), {}

    async def let_in(socket: ServerConnection, request: Request) -> Response | None:
        row = await pool.fetchrow(_KNOWN, request.path.rpartition("/")[2].upper())
        if row is None:
            return socket.respond(HTTPStatus.UNAUTHORIZED, "unknown")
        known[socket] = row
        return None

    async def hold(socket: ServerConnection) -> None:
        point, key = known.pop(socket)[0], ""
        async with pool.acquire() as connection, connection.transaction():
            generation = await connection.fetchval(_CLAIMED, point, key)
            await connection.execute(_OPENED, point, generation)
        try:
            async for frame in socket:
                if "BootNotification" in str(frame):
                    await pool.execute(_BOOTED, point, "bench")
                await socket.send(_FIXED_ANSWER)
        except ConnectionClosed:
            pass
        await pool.execute(_ENDED, point, generation)

    options: dict[str, Any] = {"subprotocols": [Subprotocol("ocpp1.6")], "compression": None}
    async with serve(hold, HOST, 0, process_request=let_in, **options) as server:
        listening(next(iter(server.sockets)).getsockname()[1])
        await stop_requested().wait()
    await pool.close()


async def _answer(socket: ServerConnection) -> None:
    try:
        async for _ in socket:
            await socket.send(_FIXED_ANSWER)
    except ConnectionClosed:
        pass
