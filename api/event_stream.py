"""One caller's live view of one audit trail, as Server-Sent Events: every entry once, in order, without a gap."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from api import schemas
from api.streams import Listener, Streams, read_unless
from domain.errors import InvalidRequest, Refusal, Unavailable
from domain.trail import TrailSubject
from persistence.people.callers import Caller
from persistence.views.audit_feed import Entry
from persistence.views.transfer_views import EventView

log = logging.getLogger(__name__)

#: What `event:` says of each entry.
EVENT: Final = "audit"
HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Accept"}
#: How many entries are read from the database at once, to catch up.
PAGE: Final = 100
#: How long, in seconds, a stream waits before it asks a database again that is away.
_AWAY: Final = 1.0
_LONGEST_NUMBER: Final = 9


def wants_stream(accepted: Sequence[str]) -> bool:
    """Whether the values of the Accept headers name event streams, unrefused, and no less than JSON."""
    weights = {"text/event-stream": 0.0, "application/json": 0.0}
    for part in ",".join(accepted).lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind in weights:
            weights[kind] = next((_weight(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
    return weights["text/event-stream"] > 0 and weights["text/event-stream"] >= weights["application/json"]


def _weight(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return 0.0


def read_last_event_id(value: str | None) -> int:
    """Read the header Last-Event-ID, 0 without one; raises InvalidRequest."""
    if value is None or value == "":
        return 0
    if not (value.isascii() and value.isdecimal() and len(value) <= _LONGEST_NUMBER):
        raise InvalidRequest(
            "Last-Event-ID must be the `id` of the last event that you have, a whole number like 7; "
            "leave it out to get them all."
        )
    return int(value)


@dataclass(frozen=True)
class Extent:
    """How far a trail goes."""

    end: int
    """Its last sequence; 0 where it has none yet. What is read afterwards has at least the entries up to it."""
    last: int
    """The last one that the caller may see."""
    over: bool
    """Nothing will follow."""


class Source(ABC):
    """One trail, as one caller after the other may know it."""

    @property
    @abstractmethod
    def subject(self) -> TrailSubject:
        """Whose trail it is."""

    @abstractmethod
    async def extent(self, caller: Caller) -> Extent:
        """Say how far the trail goes."""

    @abstractmethod
    async def page(self, caller: Caller, after: int, limit: int) -> list[EventView]:
        """Read what the caller may see, in order, behind `after`; raises NotFound."""

    @abstractmethod
    def live(self, entry: Entry, caller: Caller) -> EventView | None:
        """Show an entry that was heard to who saw the trail a moment ago; None where the database must say."""


class EventStream:
    """Reads a trail from the database until it has caught up, then takes what the process's poller finds.

    The next entry is always the one whose sequence is one higher; whatever was heard before is dropped, and a gap sends
    it back to the database. So do what the source does not show as it was heard and, every `check_every`, the question
    whether the caller may still see the trail.
    """

    def __init__(self, streams: Streams, source: Source, caller_now: Callable[[], Awaitable[Caller]]) -> None:
        """Take what it reads from, and what says who calls, which raises NotAuthenticated."""
        self._streams = streams
        self._source = source
        self._caller_now = caller_now
        self._place = 0
        """Up to here they have been sent all that they may see."""
        self._page: list[EventView] = []
        self._over = False
        self._check_at = 0.0

    async def answer(self, after: int) -> EventSourceResponse | None:
        """Give the response that sends what follows `after`; None where they have it all, and nothing will follow.

        Raises NotAuthenticated, NotFound, RateLimited, Unavailable; InvalidRequest for a place behind the trail's end.
        """
        self._streams.check_room()
        extent = await self._source.extent(await self._caller_now())
        self._place, self._over = after, extent.over
        await self._read(extent.end)
        self._streams.check_share(self._caller.id)
        if self._page:
            return self._response()
        if after > extent.last:
            raise InvalidRequest(
                f"Last-Event-ID is behind the last event, {extent.last}; leave it out to get them all."
            )
        return None if self._over else self._response()

    def _response(self) -> EventSourceResponse:
        options = self._streams.options
        return _Answer(
            self._events(),
            headers=HEADERS,
            ping=options.heartbeat_every.total_seconds(),
            ping_message_factory=lambda: ServerSentEvent(comment="", sep="\n"),
            send_timeout=options.send_timeout.total_seconds(),
            sep="\n",
        )

    async def _events(self) -> AsyncIterator[ServerSentEvent]:
        began, sent = time.monotonic(), 0
        try:
            with self._streams.admitted(self._caller.id):
                async for view in self._entries():
                    sent = view.sequence
                    data = schemas.Event.model_validate(view).model_dump_json()
                    yield ServerSentEvent(data, event=EVENT, id=str(sent), sep="\n")
        finally:
            log.info("an event stream ended after %.0f s, at event %d", time.monotonic() - began, sent)

    async def _entries(self) -> AsyncIterator[EventView]:
        for view in self._page:
            yield view
        if self._over and len(self._page) < PAGE:
            return
        with self._streams.listen(self._source.subject, self._place) as listener, suppress(Refusal):
            behind = len(self._page) == PAGE or listener.place > self._place
            while not listener.stopped:
                if behind or time.monotonic() >= self._check_at:
                    await self._read_patiently(listener)
                    for view in self._page:
                        yield view
                    behind = len(self._page) == PAGE
                elif (entry := listener.next()) is not None:
                    if (heard := self._heard(entry)) is not None:
                        yield heard
                    behind = entry.sequence > self._place
                elif listener.overrun:
                    behind = True
                elif listener.over and self._place >= listener.place:
                    return
                else:
                    await listener.wait(self._check_at - time.monotonic())

    def _heard(self, entry: Entry) -> EventView | None:
        """Show an entry that was heard where it is the next one, and the source says how."""
        view = self._source.live(entry, self._caller) if entry.sequence == self._place + 1 else None
        if view is not None:
            self._place = entry.sequence
        return view

    async def _read(self, end: int) -> None:
        """Read what follows, as far as the caller may see it by now, of a trail that goes to `end` at least."""
        self._caller = await self._caller_now()
        self._page = await self._source.page(self._caller, self._place, PAGE)
        self._check_at = time.monotonic() + self._streams.options.check_every.total_seconds()
        read_to = self._page[-1].sequence if self._page else 0
        self._place = max(self._place, read_to if len(self._page) == PAGE else max(read_to, end))

    async def _read_patiently(self, listener: Listener) -> None:
        """Read, as soon as the database answers; nothing where the process ends meanwhile."""
        self._page = []
        while not listener.stopped:
            listener.overrun = False
            try:
                await read_unless(self._streams.stopped, self._read(listener.place))
            except Unavailable:
                await listener.wait(_AWAY)
            else:
                return


class _Answer(EventSourceResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; of a client who reads nothing the connection is closed, and it resumes if it comes back."""
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)
