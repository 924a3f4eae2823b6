"""One caller's live view of one audit trail, as Server-Sent Events: every entry once, in order, without a gap."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from api import schemas
from api.streams import Listener, Streams, read_unless
from domain.errors import InvalidRequest, Refusal, Unavailable
from domain.ids import TransferId
from persistence.callers import Caller
from persistence.trails import Trails
from persistence.transfer_reads import TransferReads
from persistence.transfer_views import EventView

log = logging.getLogger(__name__)

#: What `event:` says of each entry.
EVENT: Final = "audit"
HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Accept"}
#: How many entries are read from the database at once, to catch up.
PAGE: Final = 100
#: How long, in seconds, a stream waits before it asks a database again that is away.
_AWAY: Final = 1.0
_LONGEST_NUMBER: Final = 9
#: The entries with which somebody may lose the sight of a transfer: they are not told it before that is looked at.
_MOVES_SIGHT: Final = frozenset({"ownership_changed", "ownership_restored"})


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


class EventStream:
    """Reads a trail from the database until it has caught up, then takes what the process's poller finds.

    The next event is always the one whose sequence is one higher; whatever was heard before is dropped, and a gap sends
    it back to the database. So does, every `check_every` and at a change of the ownership, the question whether the
    caller may still see the trail.
    """

    def __init__(
        self,
        streams: Streams,
        trails: Trails,
        reads: TransferReads,
        caller_now: Callable[[], Awaitable[Caller]],
        transfer_id: TransferId,
    ) -> None:
        """Take what it reads from, and what says who calls, which raises NotAuthenticated."""
        self._streams = streams
        self._trails = trails
        self._reads = reads
        self._caller_now = caller_now
        self._transfer_id = transfer_id
        self._sent = 0
        self._page: list[EventView] = []
        self._over = False
        self._check_at = 0.0

    async def answer(self, after: int) -> EventSourceResponse | None:
        """Give the response that sends what follows `after`; None where they have it all, and nothing will follow.

        Raises NotAuthenticated, NotFound, RateLimited, Unavailable; InvalidRequest for a place behind the trail's end.
        """
        self._streams.check_room()
        last, self._over = await self._trails.standing(self._transfer_id)
        self._sent = after
        await self._read()
        self._streams.check_share(self._caller.id)
        if self._page:
            return self._response()
        if after > last:
            raise InvalidRequest(f"Last-Event-ID is behind the last event, {last}; leave it out to get them all.")
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
        began = time.monotonic()
        try:
            with self._streams.admitted(self._caller.id):
                async for view in self._entries():
                    self._sent = view.sequence
                    data = schemas.Event.model_validate(view).model_dump_json()
                    yield ServerSentEvent(data, event=EVENT, id=str(view.sequence), sep="\n")
        finally:
            log.info("an event stream ended after %.0f s, at event %d", time.monotonic() - began, self._sent)

    async def _entries(self) -> AsyncIterator[EventView]:
        for view in self._page:
            yield view
        if self._over and len(self._page) < PAGE:
            return
        with self._streams.listen(self._transfer_id, self._sent) as listener, suppress(Refusal):
            behind = len(self._page) == PAGE or listener.place > self._sent
            while not listener.stopped:
                if behind or time.monotonic() >= self._check_at:
                    await self._read_patiently(listener)
                    for view in self._page:
                        yield view
                    behind = len(self._page) == PAGE
                elif (entry := listener.next()) is not None:
                    if entry.sequence == self._sent + 1 and entry.row.action not in _MOVES_SIGHT:
                        yield entry.view(self._caller)
                    else:
                        behind = entry.sequence > self._sent
                elif listener.overrun:
                    behind = True
                elif listener.over and self._sent >= listener.place:
                    return
                else:
                    await listener.wait(self._check_at - time.monotonic())

    async def _read(self) -> None:
        """Read what follows from the database, as far as the caller may see it by now."""
        self._caller = await self._caller_now()
        self._page = await self._reads.events(self._caller, self._transfer_id, after=self._sent, limit=PAGE)
        self._check_at = time.monotonic() + self._streams.options.check_every.total_seconds()

    async def _read_patiently(self, listener: Listener) -> None:
        """Read, as soon as the database answers; nothing where the process ends meanwhile."""
        self._page = []
        while not listener.stopped:
            listener.overrun = False
            try:
                await read_unless(self._streams.stopped, self._read())
            except Unavailable:
                await listener.wait(_AWAY)
            else:
                return


class _Answer(EventSourceResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; of a client who reads nothing the connection is closed, and it resumes if it comes back."""
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)
