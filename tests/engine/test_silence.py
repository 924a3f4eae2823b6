"""A server that nothing comes back from: a cut cable, a firewall that drops, a machine without power."""

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.approval import Decision
from domain.errors import Unavailable
from domain.ids import OrderId, TransferId
from engine import connection, runs
from engine.connection import Connection
from engine.engine import TemporalEngine
from engine.runs import Runs
from tools.stage.ports import HOST, free_port

#: How long a call may wait by what is set, and when a test gives it up.
WITHIN, PATIENCE = timedelta(milliseconds=500), 40


@contextlib.contextmanager
def hole(port: int) -> Iterator[None]:
    """Have `port` take connections up to its backlog: the kernel drops what comes after."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(0)
        for _ in range(3):
            one = sockets.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((HOST, port))
        yield


@asynccontextmanager
async def cut_off(temporal: Client) -> AsyncIterator[Client]:
    """Have a client whose server was there, and is a hole inside the block."""
    host, _, behind = temporal.service_client.config.target_host.rpartition(":")
    ends: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        with contextlib.suppress(OSError):
            while some := await reader.read(65536):
                writer.write(some)
                await writer.drain()

    async def arrive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(behind))
        await asyncio.gather(carry(reader, back), carry(there, writer))

    cable = await asyncio.start_server(arrive, HOST, port := free_port())
    client = await Connection(f"{HOST}:{port}", temporal.namespace).open()
    cable.close()
    for end in ends:
        end.transport.abort()
    with hole(port):
        yield client


@pytest.fixture(params=["was there", "never was"])
async def client(temporal: Client, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    if request.param == "was there":
        async with cut_off(temporal) as one:
            yield one
    else:
        with hole(port := free_port()):
            yield await Connection(f"{HOST}:{port}").open_later()


async def test_no_call_takes_longer_than_it_may(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_ANSWER_WITHIN", WITHIN)
    engine, one = TemporalEngine(client, WITHIN), TransferId(f"trf_{uuid.uuid4().hex}")
    async with asyncio.timeout(PATIENCE):
        assert not await engine.ready()
        with pytest.raises(Unavailable):
            await engine.start(one)
        with pytest.raises(Unavailable):
            await engine.take_up(one)
        with pytest.raises(Unavailable):
            await engine.decide(one, Decision.ACCEPT, OrderId("user:bob"))
        with pytest.raises(Unavailable):
            await Runs(client).latest(one)
        with pytest.raises(RPCError) as late:
            await client.service_client.check_health(timeout=WITHIN)
    assert late.value.status is RPCStatusCode.DEADLINE_EXCEEDED


async def test_a_process_that_finds_nobody_says_so_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_OPEN_WITHIN", 0.5)
    began = time.monotonic()
    with hole(port := free_port()), pytest.raises(Unavailable, match=r"nothing comes back.*HANDOVER_TEMPORAL_ADDRESS"):
        await Connection(f"{HOST}:{port}").open()
    assert time.monotonic() - began < PATIENCE
