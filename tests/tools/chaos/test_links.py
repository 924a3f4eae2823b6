"""The links: what is sent arrives, late where they are slow, not at all while they are held up, and resets are felt."""

import asyncio
import time
from collections.abc import AsyncIterator
from random import Random

import pytest

from tools.chaos.links import Link
from tools.stage.ports import free_port


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    targets = [free_port(), server.sockets[0].getsockname()[1]]  # nobody listens at the first
    async with server, Link("link", targets, Random(1)).listening() as found:  # noqa: S311 - the same each time
        yield found


async def test_a_connection_goes_to_whoever_takes_it(link: Link) -> None:
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert link.connections == 5


async def test_a_slow_link_delivers_late(link: Link) -> None:
    link.latency = 0.1
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    began = time.monotonic()
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    assert time.monotonic() - began >= 0.2
    writer.close()


async def test_a_link_that_is_held_up_lets_nothing_through_until_it_is_healed(link: Link) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"one\n")
    assert await reader.readline() == b"one\n"
    link.hold()
    writer.write(b"two\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readline(), 0.2)
    link.heal()
    assert await reader.readline() == b"two\n"
    writer.close()


async def test_a_reset_is_felt_at_the_end(link: Link) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"one\n")
    assert await reader.readline() == b"one\n"
    assert link.reset() == 1
    with pytest.raises(ConnectionResetError):
        await reader.readline()
    writer.close()
