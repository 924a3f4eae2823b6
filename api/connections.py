"""What the API bears from connections: how long a call may take to come, its answer to be read, how many there are."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol


class Dropped(StrEnum):
    """Why a connection was closed on its client."""

    LATE = "late"
    """A call did not come whole in time."""
    UNREAD = "unread"
    """An answer was not read in time."""
    CROWDED = "crowded"
    """There were too many."""


@dataclass(frozen=True)
class ConnectionLimits:
    """How much a process puts up with."""

    patience: timedelta = timedelta(seconds=30)
    """How long a call may take to come whole, from the connection or its first byte on, and an answer to be read."""
    at_once: int = 2000


@dataclass
class Crowd:
    """What the connections of a process share."""

    limits: ConnectionLimits
    dropped: Callable[[Dropped], None]
    waiting: dict["CallConnection", None] = field(default_factory=dict)
    """Those on which no call has come whole that is not answered: who has waited longest is the first."""

    def protocol(self) -> type[asyncio.Protocol]:
        """Give what makes the connections of a uvicorn server."""
        return cast("type[asyncio.Protocol]", partial(CallConnection, crowd=self))


class CallConnection(H11Protocol):
    """A connection of uvicorn's with an end to all its waiting.

    uvicorn closes one that rests after an answer, until the next byte comes: a call that never comes, or never comes to
    its end, it awaits for ever, and so it does an answer's reader. Where there are too many connections the one goes
    that has waited longest for a call: whoever holds many open and says nothing keeps nobody out, and no call that has
    come is lost. Only where all are at a call, as event streams are, a newcomer goes.
    """

    def __init__(self, *args: Any, crowd: Crowd, **options: Any) -> None:
        """Be made by uvicorn, which gives all but the `crowd`."""
        super().__init__(*args, **options)
        self._crowd = crowd
        seconds = crowd.limits.patience.total_seconds()
        self._coming = _Clock(self.loop, seconds, partial(self.drop, Dropped.LATE))
        self._reading = _Clock(self.loop, seconds, partial(self.drop, Dropped.UNREAD))

    # --- what comes -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Have a place, or take that of whoever has waited longest."""
        super().connection_made(transport)
        if len(self.connections) > self._crowd.limits.at_once:
            next(iter(self._crowd.waiting), self).drop(Dropped.CROWDED)
        if not transport.is_closing():
            self._look()

    def data_received(self, data: bytes) -> None:
        """Take some of a call."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Await the next call."""
        super().on_response_complete()
        self._look()

    def _look(self) -> None:
        """See what is awaited: our answer, or a call, for which uvicorn has a clock as long as none of it has come."""
        if self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete:
            self._crowd.waiting.pop(self, None)
            self._coming.stop()
            return
        self._crowd.waiting.setdefault(self)
        if self.timeout_keep_alive_task is None:
            self._coming.run()
        else:
            self._coming.stop()

    # --- what goes ------------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Begin to wait for the reader of an answer."""
        super().pause_writing()
        self._reading.run()

    def resume_writing(self) -> None:
        """Wait no longer: it was read."""
        super().resume_writing()
        self._reading.stop()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that rested for too long, even where some of the last answer was not read."""
        super().timeout_keep_alive_handler()
        self.transport.abort()

    # --- its end --------------------------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        super().connection_lost(exc)
        self._leave()

    def drop(self, why: Dropped) -> None:
        """Close it at once."""
        self._leave()
        self._crowd.dropped(why)
        self.transport.abort()

    def _leave(self) -> None:
        self._crowd.waiting.pop(self, None)
        self._coming.stop()
        self._reading.stop()


class _Clock:
    """Calls `then` once it has run for so many seconds; it runs on where it is told to run again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, then: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._then = then
        self._running: asyncio.TimerHandle | None = None

    def run(self) -> None:
        if self._running is None:
            self._running = self._loop.call_later(self._seconds, self._then)

    def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            self._running = None
