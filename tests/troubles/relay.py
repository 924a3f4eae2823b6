"""What stands between a charger and the gateways: it forwards connections from its own address, and loses them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Sends each new connection to the port `target`, as one from `address`."""

    def __init__(self, target: int, address: str = "127.0.0.1") -> None:
        self.target, self.address = target, address
        self.port = 0
        self._inner: list[asyncio.StreamWriter] = []
        self._outer: list[asyncio.StreamWriter] = []
        self._lost: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where chargers connect, without their identity."""
        return f"ws://127.0.0.1:{self.port}/ocpp"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Forward inside the block."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for writer in (*self._inner, *self._outer, *self._lost):
                writer.transport.abort()
            await asyncio.gather(*self._pumps, return_exceptions=True)

    def lose(self, *, seen: bool = True) -> None:
        """Forget every connection: the gateway hears nothing of it, the charger only where it has `seen` it."""
        for pump in self._pumps:
            pump.cancel()
        self._lost += self._inner
        for inner in self._inner:
            inner.transport.pause_reading()  # type: ignore[attr-defined]
        for outer in self._outer:
            if seen:
                outer.transport.abort()
            else:
                self._lost.append(outer)
        self._inner, self._outer = [], []

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            inner_reader, inner = await asyncio.open_connection("127.0.0.1", self.target, local_addr=(self.address, 0))
            self._inner.append(inner)
            self._outer.append(writer)
            for source, sink in ((reader, inner), (inner_reader, writer)):
                pump = asyncio.create_task(_pump(source, sink))
                self._pumps.add(pump)
                pump.add_done_callback(self._pumps.discard)
            return
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
