"""What tests of two holders of one key do: two nodes over one database, sockets that answer no ping, the row itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from domain.ids import NodeId
from domain.keys import KnownTo
from domain.trail import TrailAction
from gateway.socket_limits import SocketLimits
from persistence.session import Database
from persistence.tables import AuditEvent, Finding, GatewayNode, PresentConnection
from persistence.vault import Vault
from tests.gateway.bare import ask
from tests.gateway.world import CP, OLD_KEY, World, gateway_world, seed

#: A socket that answers no ping is given up so soon.
SOON = SocketLimits(ping_timeout=timedelta(milliseconds=400))
#: A node does so only where it is told to.
NEVER = timedelta(days=1)
#: Where another source address is wanted: all of 127.0.0.0/8 is this machine.
ELSEWHERE = ("127.0.0.2", 0)
BOOT: dict[str, Any] = {"chargePointVendor": "V", "chargePointModel": "M"}


@asynccontextmanager
async def two_nodes(
    database: Database, vault: Vault, folder: Path, *, known_to: KnownTo = KnownTo.PEOPLE, **options: Any
) -> AsyncIterator[tuple[World, World]]:
    """Run two gateways over a seeded database inside the block."""
    await seed(database, vault, known_to=known_to)
    first = gateway_world(database, vault, folder, **options)
    second = gateway_world(database, vault, folder, node=NodeId("node-2"), **options)
    async with first as one, second as two:
        yield one, two


async def link(database: Database) -> PresentConnection:
    async with database.reading() as rows:
        return await rows.get_one(PresentConnection, CP)


async def eventually(true: Callable[[], Awaitable[Any]], *, seconds: float = 15) -> None:
    """Wait until it is true of the database: its own processes change that, and tell nobody."""
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.02)


async def waits(database: Database, *, address: str = "127.0.0.1") -> None:
    """Wait until a socket from there waits for the charger's place."""

    async def there() -> bool:
        row = await link(database)
        return row.contender is not None and row.contender_address == address

    await eventually(there)


async def nobody_waits(database: Database) -> None:
    async def there() -> bool:
        row = await link(database)
        return row.contender is None and row.contender_node is None and row.contended_at is None

    await eventually(there)


async def is_silent(socket: ClientConnection, *, seconds: float = 0.3) -> bool:
    """Whether the platform says nothing."""
    try:
        await asyncio.wait_for(socket.recv(), seconds)
    except TimeoutError:
        return True
    return False


def deafen(socket: ClientConnection) -> None:
    """Have it answer no ping, nor notice its end: as a connection whose network is gone."""
    socket.transport.pause_reading()


async def boots(socket: ClientConnection) -> tuple[str, int]:
    answer = await ask(socket, "BootNotification", **BOOT)
    return str(answer[2]["status"]), int(answer[2]["interval"])


async def becomes_ordinary(socket: ClientConnection) -> None:
    """Wait until its BootNotification is accepted, as a charger that is told to wait does."""

    async def accepted() -> bool:
        return (await boots(socket))[0] == "Accepted"

    await eventually(accepted)


async def call(socket: ClientConnection, message_id: str, action: str, **payload: Any) -> None:
    await socket.send(json.dumps([2, message_id, action, payload]))


async def refusal(world: World, password: str = OLD_KEY, **how: Any) -> Response:
    """Give the answer to an upgrade that is not let in."""
    with pytest.raises(InvalidStatus) as caught:
        async with world.client(password, **how):
            pass
    return caught.value.response


async def on_record(database: Database) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, int]]:
    """Give what the charge point's own trail has of keys in other hands, and how often what was found of it."""
    async with database.reading() as rows:
        trail = select(AuditEvent).where(AuditEvent.subject == f"charge_point:{CP}").order_by(AuditEvent.sequence)
        others = {TrailAction.TWO_HOLDERS, TrailAction.ENDED_KEY_TRIED}
        events = [(row.action, row.detail) for row in await rows.scalars(trail) if row.action in others]
        found = {row.kind: row.times for row in await rows.scalars(select(Finding).where(Finding.subject == CP))}
    return events, found


async def dies(database: Database, node: str, *, survivor: str) -> None:
    """Make a node's last sign so old that the other one, which has written all the time, has missed it."""
    now = datetime.now(UTC)
    async with database.writing() as rows:
        for name, seen, steady in (
            (node, now - timedelta(seconds=30), now - timedelta(minutes=2)),
            (survivor, now, now - timedelta(minutes=2)),
        ):
            values = update(GatewayNode).where(GatewayNode.node == name).values(seen_at=seen, steady_since=steady)
            await rows.execute(values)
