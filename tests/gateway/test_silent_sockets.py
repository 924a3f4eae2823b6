"""Who connects to the gateway and does not ask for an upgrade, or says it byte by byte."""

import asyncio
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from domain.proxies import NO_PROXIES, Proxies
from gateway.socket_limits import SocketLimits
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.world import World, gateway_world, seed

PROXIED = b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 9000\r\n"
UPGRADE = b"GET /ocpp/STATION-1 HTTP/1.1\r\nHost: here\r\nX-More: "


async def knock(world: World, said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port)
    writer.write(said)
    return reader, writer


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Wait until the other side closes; give what it said."""
    async with asyncio.timeout(30):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def drip(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.02)


@pytest.fixture
async def seeded(database: Database, vault: Vault) -> Database:
    await seed(database, vault)
    return database


@pytest.mark.parametrize("said", [b"", UPGRADE])
async def test_who_does_not_ask_in_time_is_closed(seeded: Database, vault: Vault, tmp_path: Path, said: bytes) -> None:
    limits = SocketLimits(upgrade_within=timedelta(milliseconds=300))
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world:
        reader, writer = await knock(world, said)
        dripping = asyncio.create_task(drip(writer)) if said else None
        assert await end_of(reader) == b""
        async with world.client():
            pass
        writer.close()
        if dripping:
            await asyncio.gather(dripping, return_exceptions=True)


async def test_the_many_who_say_nothing_keep_no_charger_out(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    limits = SocketLimits(silent_at_once=5, upgrade_within=timedelta(hours=1))
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world, world.client() as before:
        crowd = [await knock(world, UPGRADE) for _ in range(20)]
        async with world.client():
            pass
        for reader, _ in crowd[:15]:  # the first are gone
            assert await end_of(reader) == b""
        await (await before.ping())  # whoever was let in counts no more
        for _, writer in crowd:
            writer.close()


@pytest.mark.parametrize("proxies", [NO_PROXIES, Proxies((ip_network("127.0.0.0/8"),))])
async def test_a_gateway_that_stops_waits_for_nobody_who_says_nothing(
    seeded: Database, vault: Vault, tmp_path: Path, proxies: Proxies
) -> None:
    options = {"limits": SocketLimits(upgrade_within=timedelta(hours=1)), "proxies": proxies}
    async with asyncio.timeout(30):
        async with gateway_world(seeded, vault, tmp_path, proxy_protocol=True, **options) as world:
            reader, writer = await knock(world, b"PROXY")
            other, asked = await knock(world, (PROXIED if proxies.networks else b"") + b"GET / HTTP/1.1\r\n\r\n")
            assert (await end_of(other)).startswith(b"HTTP/1.1 426")  # so the one before it is there
            asked.close()
        assert await end_of(reader) == b""
    writer.close()
