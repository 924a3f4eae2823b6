"""The stations of one client process: they arrive all at once, send heartbeats, vanish all at once and come back."""

import asyncio
import json
import logging
from base64 import b64encode
from collections.abc import Coroutine
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from tools.bench.limits import allow_sockets

_silent = logging.getLogger(f"{__name__}.sockets")
_silent.setLevel(logging.CRITICAL)

KEY: Final = "0123456789abcdef0123456789abcdef01234567"
"""Every station's password."""
#: How long a station waits for an upgrade before it tries anew, and between two tries, in seconds.
_UPGRADE_PATIENCE: Final = 30
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8
_RESULT: Final = 3
"""OCPP's number for a call's result."""
_BOOT: Final = {"chargePointVendor": "Bench", "chargePointModel": "Bench"}


def identity(number: int) -> str:
    """Give the name of the `number`-th station."""
    return f"STATION-{number}"


@dataclass(frozen=True)
class Arrive:
    """Connect and send a first message, all at once: a BootNotification, or a Heartbeat after a lost connection."""

    patience: float
    """Seconds after which a station that is not in counts as one that could not connect."""
    boots: bool = True


@dataclass(frozen=True)
class Beat:
    """Send `rounds` heartbeats, one `every` so many seconds, the stations evenly spread; then report."""

    rounds: int
    every: float
    limit: float
    """Seconds after which an answer counts as missed."""


@dataclass(frozen=True)
class Vanish:
    """Drop every connection without a word."""


Order = Arrive | Beat | Vanish


@dataclass
class Told:
    """What the stations saw while they carried out an order, in seconds."""

    arrivals: list[float] = field(default_factory=list)
    """How long after the order each station's first message was answered."""
    tries: list[float] = field(default_factory=list)
    """How long the try took that succeeded."""
    failed_tries: int = 0
    absent: int = 0
    sent: int = 0
    answers: list[float] = field(default_factory=list)
    """How long each heartbeat waited for its answer."""
    missed: int = 0

    def add(self, other: "Told") -> None:
        """Take another process's over."""
        self.arrivals += other.arrivals
        self.tries += other.tries
        self.failed_tries += other.failed_tries
        self.absent += other.absent
        self.sent += other.sent
        self.answers += other.answers
        self.missed += other.missed


class Station:
    """One station, as small as one can be: one call at a time, no memory."""

    def __init__(self, port: int, number: int, source: str) -> None:
        """Connect to `port` of 127.0.0.1, from the address `source`."""
        secret = b64encode(f"{identity(number)}:{KEY}".encode()).decode()
        self._url = f"ws://127.0.0.1:{port}/ocpp/{identity(number)}"
        self._options: dict[str, Any] = {
            "subprotocols": [Subprotocol("ocpp1.6")],
            "additional_headers": {"Authorization": f"Basic {secret}"},
            "local_addr": (source, 0),
            "proxy": None,
            "compression": None,
            "ping_interval": None,
            "open_timeout": _UPGRADE_PATIENCE,
            "close_timeout": 1,
            "logger": _silent,
        }
        self._socket: ClientConnection | None = None
        self._calls = 0

    async def arrive(self, order: Arrive, told: Told) -> None:
        """Try until it is in, with growing pauses."""
        loop = asyncio.get_running_loop()
        begin, pause = loop.time(), _FIRST_PAUSE
        action, payload = ("BootNotification", _BOOT) if order.boots else ("Heartbeat", {})
        try:
            async with asyncio.timeout(order.patience):
                while True:
                    tried = loop.time()
                    try:
                        self._socket = await connect(self._url, **self._options)
                        if await self._call(action, payload):
                            break
                    except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed):
                        pass
                    self.vanish()
                    told.failed_tries += 1
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except TimeoutError:
            self.vanish()
            told.absent += 1
        else:
            told.arrivals.append(loop.time() - begin)
            told.tries.append(loop.time() - tried)

    async def beat(self, order: Beat, offset: float, told: Told) -> None:
        """Send its heartbeats, the first after `offset` seconds; the first that is missed is its last."""
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        begin = loop.time() + offset
        for number in range(order.rounds):
            await asyncio.sleep(begin + number * order.every - loop.time())
            sent, answered = loop.time(), False
            told.sent += 1
            try:
                async with asyncio.timeout(order.limit):
                    answered = await self._call("Heartbeat", {})
            except (TimeoutError, ConnectionClosed):
                pass
            if not answered:
                told.missed += 1
                return
            told.answers.append(loop.time() - sent)

    def vanish(self) -> None:
        """Drop the connection without a word."""
        if self._socket is not None:
            self._socket.transport.abort()
            self._socket = None

    async def _call(self, action: str, payload: dict[str, Any]) -> bool:
        """Make a call and say whether it was answered with a result, and not turned down."""
        if self._socket is None:
            return False
        self._calls += 1
        await self._socket.send(json.dumps([2, str(self._calls), action, payload]))
        kind, _, answer, *_ = json.loads(await self._socket.recv())
        return bool(kind == _RESULT and answer.get("status", "Accepted") == "Accepted")


def run(port: int, numbers: range, source: str, parent: "Connection[Told, Order]") -> None:
    """Be a process of these stations: carry out one order after the other until the parent hangs up."""
    allow_sockets(len(numbers))
    asyncio.run(_main([Station(port, number, source) for number in numbers], parent))


async def _main(stations: list[Station], parent: "Connection[Told, Order]") -> None:
    while True:
        try:
            order = await asyncio.to_thread(parent.recv)
        except EOFError:
            return
        told = Told()
        await asyncio.gather(*_carry_out(order, stations, told))
        parent.send(told)


def _carry_out(order: Order, stations: list[Station], told: Told) -> list[Coroutine[Any, Any, None]]:
    match order:
        case Arrive():
            return [station.arrive(order, told) for station in stations]
        case Beat():
            step = order.every / len(stations)
            return [station.beat(order, place * step, told) for place, station in enumerate(stations)]
        case Vanish():
            for station in stations:
                station.vanish()
            return []
