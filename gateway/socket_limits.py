"""What a charger's socket may send, how fast, and how it is noticed that nobody is at its other end any more."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from domain.networks import network_of
from domain.proxies import Proxies

_log = logging.getLogger(__name__)
#: The outline of an OCPP frame: a message type, an id, more. What is wrong inside is answered, not held against it.
_OCPP = re.compile(r'\s*\[\s*[234]\s*,\s*"[^"]*"\s*,.*\]\s*', re.DOTALL)


@dataclass(frozen=True)
class SocketLimits:
    """How much a gateway puts up with; 0 switches a limit off."""

    frame_size: int = 256 * 1024
    """The largest frame in bytes; a larger one closes the socket with 1009."""
    messages_per_second: float = 20
    message_burst: int = 200
    """How many messages may come at once before that rate counts."""
    garbage_in_a_row: int = 50
    """So many frames in a row may be no OCPP; one more closes the socket with 1008."""
    ping_every: timedelta = timedelta(seconds=30)
    ping_timeout: timedelta = timedelta(seconds=20)
    guesses_per_identity: int = 20
    """Failed authentications of one identity from one address within a minute."""
    guesses_per_address: int = 1000
    """The same of all identities together."""
    upgrade_within: timedelta = timedelta(seconds=10)
    """How long TLS may take to be set up, and after it an upgrade to be asked for and answered."""
    silent_at_once: int = 1000
    """So many may be connected that have not asked for their upgrade yet; of more the one goes that came first."""
    contests_per_identity: int = 12
    """Upgrades of one identity from one address within a minute that find another socket of it open."""


STANDARD = SocketLimits()


class Bucket:
    """A token bucket: `burst` at once, then `rate` a second; a `rate` of 0 never makes anybody wait."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin full; `clock` gives seconds."""
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()

    def pause(self) -> float:
        """Give the seconds until there is a token."""
        if not self._rate:
            return 0
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        return max(0, (1 - self._tokens) / self._rate)

    def take(self) -> None:
        """Take a token."""
        self._tokens -= 1


class Silent:
    """The connections of a gateway that have not asked for an upgrade yet, in the order of their coming.

    Whoever holds many open and says nothing keeps nobody out: where there are too many the first one goes.
    """

    def __init__(self, most: int) -> None:
        """Bear so many at once; 0: any number."""
        self._most = most
        self._found: dict[object, asyncio.Transport] = {}

    def add(self, who: object, transport: asyncio.Transport) -> None:
        """Wait for what one asks."""
        self._found[who] = transport
        if 0 < self._most < len(self._found):
            self._drop(next(iter(self._found)))

    def remove(self, who: object) -> None:
        """Wait for one no longer."""
        self._found.pop(who, None)

    def close(self) -> None:
        """Wait for nobody any more."""
        for who in list(self._found):
            self._drop(who)

    def _drop(self, who: object) -> None:
        self._found.pop(who).abort()


class LimitedSocket(ServerConnection):
    """A charger's socket within its limits.

    One that sends too fast is slowed down, never cut off: its frames are not read until it is their turn, so TCP makes
    it wait, and no message is lost. A charger that was offline for a week may have thousands to tell, and closing its
    socket would only make it begin again. (Its answers to our calls wait in the same line.) One that keeps sending what
    is no OCPP at all has nothing to tell, and is closed with 1008.
    """

    def __init__(
        self,
        limits: SocketLimits,
        proxies: Proxies,
        silent: Silent,
        protocol: ServerProtocol,
        server: Server,
        **options: Any,
    ) -> None:
        """Be made by websockets' `serve`, which gives all but `limits`, `proxies` that are trusted, and `silent`."""
        super().__init__(protocol, server, **options)
        self._limits = limits
        self._proxies = proxies
        self._silent = silent
        self._told: tuple[str | None] | None = None
        #: Keeps it until it has its connection: nobody else does.
        self.opening: asyncio.Task[None] | None = None
        self._bucket = Bucket(limits.messages_per_second, limits.message_burst)
        self._garbage = 0
        self._heard_at = 0.0
        #: Nobody reads its frames for now: it waits for its charger's place.
        self.waits = False

    @cached_property
    def address(self) -> str:
        """What counts as one address of whoever asked for the upgrade; empty where it can't be told.

        Where the proxy before us knows nobody behind it, nobody behind it is believed.
        """
        peer = self.remote_address[0] if self.remote_address else ""
        source = self._told[0] if self._told else peer
        if source is None or self.request is None:
            return network_of(peer)
        return network_of(self._proxies.client(source, self.request.headers.get_all(self._proxies.header)))

    def told_of(self, source: str | None) -> None:
        """Take what a TCP proxy says of where it comes from; None: it does not know."""
        self._told = (source,)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for what it asks."""
        super().connection_made(transport)
        self._silent.add(self, self.transport)

    def process_event(self, event: Event) -> None:
        """Take what it asks, or one of its frames."""
        self._silent.remove(self)
        super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place back."""
        self._silent.remove(self)
        super().connection_lost(exc)

    async def recv(self, decode: Any = None) -> Any:
        """Give the next message when it is its turn; a cancelled call loses none. Raises ConnectionClosed."""
        while self.state is State.OPEN and (pause := self._bucket.pause()):
            self._heard_at = self.loop.time() + pause  # that nothing is heard meanwhile is our doing
            try:
                async with asyncio.timeout(pause):
                    await self.wait_closed()
            except TimeoutError:
                pass
        message = await super().recv(decode)
        self._bucket.take()
        self._heard_at = self.loop.time()
        self._garbage = 0 if _looks_like_ocpp(message) else self._garbage + 1
        if 0 < self._limits.garbage_in_a_row < self._garbage:
            _log.warning("A charger at %s sends nothing but garbage: its socket is closed.", self.address)
            await self.close(CloseCode.POLICY_VIOLATION, "these frames are no OCPP")
            raise self.protocol.close_exc
        return message

    async def keepalive(self) -> None:
        """Ping again and again, and drop the connection once nobody answers; websockets starts and cancels this.

        Unlike websockets' own it lets a charger live whose answer is still in line behind messages that are held back
        here, and doesn't wait for a dead one to read what was sent before, nor a close frame.
        """
        while True:
            await asyncio.sleep(self._limits.ping_every.total_seconds())
            if not await self.answers(self._limits.ping_timeout.total_seconds()):
                if self.state is State.OPEN:
                    _log.info("A charger at %s answers no ping: its connection is dropped.", self.address)
                    self.transport.abort()
                return

    async def answers(self, within: float) -> bool:
        """Ping, and say whether it is there: whether its answer, or anything else of it, comes in so many seconds.

        Of one whose frames are not read, so that its answer may be in line behind them, it is taken for granted.
        """
        asked_at = self.loop.time()
        try:
            async with asyncio.timeout(within):
                await (await self.ping())
        except ConnectionClosed:
            return False
        except TimeoutError:
            return self._heard_at >= asked_at or (self.waits and self.recv_messages.paused)
        return True


def _looks_like_ocpp(message: str | bytes) -> bool:
    text = message if isinstance(message, str) else message.decode(errors="replace")
    return _OCPP.fullmatch(text) is not None
