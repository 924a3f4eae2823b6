"""Clients that say nothing, say it byte by byte, or don't read, and those who call meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from api.connections import ConnectionLimits, Crowd, Dropped
from persistence.session import Database
from persistence.vault import Vault
from tests.api.listeners import PATIENCE, application, listening, say, slow_reader
from tests.api.listeners import served as serve
from tests.api.world import add_transfer, bearer
from tools.stage import plain_http

QUICK, LONG = timedelta(milliseconds=300), timedelta(hours=1)
ASK = b"GET /healthz HTTP/1.1\r\nHost: here\r\n"
ACCEPT = b"POST /v1/transfers/trf_1/accept HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nAuthorization: "
ACCEPT += bearer("rita")["Authorization"].encode() + b"\r\nContent-Length: "


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    """Which kind of database there is makes no difference to a connection."""
    found = Database(sqlite_url)
    yield found
    await found.close()


class Site:
    """A served application, and what its connections did."""

    def __init__(self, database: Database, vault: Vault, limits: ConnectionLimits) -> None:
        self.app = application(database, vault)
        self.dropped: list[Dropped] = []
        self.crowd = Crowd(limits, self.dropped.append)
        self.address = ""

    async def knock(self, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        url = httpx.URL(self.address)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(said)
        return reader, writer

    async def call(self) -> int:
        async with plain_http.client(self.address, timeout=PATIENCE) as http:
            return (await http.get("/healthz")).status_code


@asynccontextmanager
async def site(
    database: Database, vault: Vault, patience: timedelta = QUICK, at_once: int = 100
) -> AsyncIterator[Site]:
    found = Site(database, vault, ConnectionLimits(patience, at_once))
    async with serve(found.app, http=found.crowd.protocol()) as found.address:
        yield found


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Wait until the other side closes; give what it said."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    """Say the same byte by byte again and again, until nobody is there."""
    while not writer.is_closing():
        for byte in text:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("said", "dripped"),
    [
        (b"", b""),
        (ASK, b""),
        (ASK, b"X-More: and more\r\n"),
        (ACCEPT + b"60000\r\n\r\n{", b" "),
        (ACCEPT + b"9\r\n\r\n{}", b""),
        (ACCEPT.replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n\r\n"), b"1\r\n \r\n"),
    ],
)
async def test_a_call_that_does_not_come_whole_in_time_is_closed_and_not_done(
    database: Database, vault: Vault, said: bytes, dripped: bytes
) -> None:
    await add_transfer(database)
    async with site(database, vault) as here:
        reader, writer = await here.knock(said)
        dripping = asyncio.create_task(drip(writer, dripped)) if dripped else None
        assert await end_of(reader) == b""
        assert here.dropped == [Dropped.LATE]
        assert await here.call() == 200
        writer.close()
        if dripping:
            await asyncio.gather(dripping, return_exceptions=True)
    assert not here.app.state.backend.transfers.decided
    assert not here.crowd.waiting


@pytest.mark.parametrize("after", [ASK, b"G", b""])
async def test_what_follows_an_answer_has_to_come_in_time_as_well(
    database: Database, vault: Vault, after: bytes
) -> None:
    async with site(database, vault) as here:
        reader, writer = await here.knock(ASK + b"\r\n")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.write(after)
        if not after:  # the rest of a body that was refused
            writer.write(ACCEPT + b"100000\r\n\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 413")
            writer.write(b" ")
        assert await end_of(reader) == b""
        assert here.dropped == [Dropped.LATE]
        writer.close()


async def test_a_call_in_pieces_that_comes_in_time_is_answered_and_its_connection_rests(
    database: Database, vault: Vault
) -> None:
    async with site(database, vault) as here:
        reader, writer = await here.knock()
        for _ in range(3):
            for piece in (ASK[:9], ASK[9:], b"\r\n"):
                writer.write(piece)
                await writer.drain()
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        silent, other = await here.knock()
        await end_of(silent)  # so long it has been at rest
        writer.write(ASK + b"\r\n")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.close()
        other.close()


async def test_a_stream_outlives_its_call_and_one_that_nobody_reads_does_not(database: Database, vault: Vault) -> None:
    await add_transfer(database)
    async with site(database, vault) as here, listening(here.address) as stream:
        with slow_reader(here.address):
            silent, writer = await here.knock()
            await end_of(silent)
            await say(database)
            assert await stream.take(1) == [1]
            async with asyncio.timeout(PATIENCE):
                while Dropped.UNREAD not in here.dropped:
                    await say(database, 100, much="m" * 8192)
                    assert len(await stream.take(100)) == 100
        writer.close()


async def test_the_many_who_say_nothing_keep_nobody_out(database: Database, vault: Vault) -> None:
    async with site(database, vault, LONG, at_once=10) as here, AsyncExitStack() as stack:
        crowd = []
        for _ in range(35):
            reader, writer = await here.knock(ASK)
            stack.callback(writer.close)
            crowd.append(reader)
        assert await here.call() == 200
        for reader in crowd[:25]:  # the first are gone
            await end_of(reader)
        assert set(here.dropped) == {Dropped.CROWDED}
        assert len(here.dropped) <= 27  # the call took a place, too


async def test_where_all_are_at_a_call_the_newcomer_goes(database: Database, vault: Vault) -> None:
    await add_transfer(database)
    async with site(database, vault, LONG, at_once=2) as here:
        async with listening(here.address) as first, listening(here.address) as second:
            reader, writer = await here.knock(ASK + b"\r\n")
            assert await end_of(reader) == b""
            assert here.dropped == [Dropped.CROWDED]
            await say(database)
            assert await first.take(1) == await second.take(1) == [1]
            writer.close()
        async with asyncio.timeout(PATIENCE):
            while await _refused(here):
                pass
        assert here.crowd.limits.at_once == 2


async def _refused(here: Site) -> bool:
    try:
        return await here.call() != 200
    except httpx.TransportError:
        return True
