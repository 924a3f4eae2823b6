"""What a test does at a bare WebSocket in a charger's stead."""

import asyncio
import json
from typing import Any

from websockets.asyncio.client import ClientConnection

from persistence.chargers import present_connections
from persistence.chargers.present_connections import Place
from tests.gateway.world import CP, World


async def place(world: World) -> Place:
    async with world.database.reading() as rows:
        return await present_connections.whereabouts(rows, CP)


async def ask(socket: ClientConnection, action: str, **payload: Any) -> list[Any]:
    """Call the platform and give its answer, passing by what it calls meanwhile."""
    await socket.send(json.dumps([2, "ask", action, payload]))
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), 5))
        if frame[1] == "ask":
            return list(frame)


async def accept_key(socket: ClientConnection) -> str:
    """Wait for the new key, accept it, and give it."""
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), 5))
        if frame[0] == 2 and frame[2] == "ChangeConfiguration":
            await socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
            return str(frame[3]["value"])
