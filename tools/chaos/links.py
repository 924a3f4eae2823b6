"""The links between the parts: TCP that is passed on, and on demand slow, held up or reset."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random

from tools.stage.ports import HOST

_CHUNK = 65536
#: SO_LINGER of no seconds: what is closed so is reset, as a link that breaks looks from its ends.
_RESET = struct.pack("ii", 1, 0)


class Link:
    """One link; several targets are balanced: each new connection goes to any of them that takes it."""

    def __init__(
        self, name: str, targets: Sequence[int | tuple[str, int]], chance: Random, comes_from: str | None = None
    ) -> None:
        """Lead to `targets`: ports of 127.0.0.1, or addresses with theirs; `comes_from` is the address seen there."""
        self.name = name
        self.port = 0
        self.latency = 0.0
        """How long each piece of data is on its way, in seconds."""
        self.connections = 0
        """How many there were."""
        self._targets = [(HOST, one) if isinstance(one, int) else one for one in targets]
        self._local = (comes_from, 0) if comes_from else None
        self._chance = chance
        self._cut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Link"]:
        """Pass connections on inside the block; `port` is where."""
        server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.reset()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """Let nothing through until `heal`; whoever waits sees an open connection that says nothing."""
        self._flows.clear()

    def cut(self) -> None:
        """Break every connection, and each new one at once, until `heal`: what is behind the link is gone."""
        self._cut = True
        self.reset()

    def heal(self) -> None:
        """Let everything through again, at once."""
        self.latency, self._cut = 0.0, False
        self._flows.set()

    def reset(self) -> int:
        """Reset every connection, and say how many there were."""
        broken = len(self._open) // 2
        for writer in list(self._open):
            _reset(writer)
        return broken

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self._flows.wait()
        inner = None if self._cut else await self._reach()
        if inner is None:
            _reset(writer)
            return
        ends = {writer, inner[1]}
        self._open |= ends
        try:
            await asyncio.gather(self._pump(reader, inner[1]), self._pump(inner[0], writer))
        finally:
            self._open -= ends
            for end in ends:
                end.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for target in self._chance.sample(self._targets, len(self._targets)):
            with suppress(OSError):
                return await asyncio.open_connection(*target, local_addr=self._local)
        return None

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one direction on, to its end; an end that breaks breaks the other too."""
        try:
            while data := await reader.read(_CHUNK):
                if self.latency:
                    await asyncio.sleep(self.latency)  # the link's own slowness: there is nothing to wait on
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        found = writer.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
