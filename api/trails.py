"""An audit trail as a route answers it: of which subject, as a page, or as the live stream."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from fastapi import Header, Request, Response

from api import cursors, examples, schemas
from api.dependencies import Backend, LastingCaller
from api.event_stream import HEADERS, EventStream, Extent, Source, read_last_event_id, wants_stream
from api.examples import Examples
from api.paging import cut
from domain.errors import InvalidRequest
from domain.ids import ChargePointId, TransferId
from domain.trail import TrailAction, TrailSubject, of_charge_point
from persistence.people.callers import Caller
from persistence.views.audit_feed import Entry
from persistence.views.transfer_views import EventView

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="Of a stream: the `id` of the last event that you have.")
]
#: The entries with which somebody may lose the sight of a transfer: they are not told it before that is looked at.
_MOVES_SIGHT: Final = frozenset({TrailAction.OWNERSHIP_CHANGED, TrailAction.OWNERSHIP_RESTORED})


class TransferTrail(Source):
    """The trail of a transfer: who sees it sees every entry."""

    def __init__(self, backend: Backend, transfer_id: TransferId) -> None:
        """Take what it is read by."""
        self._backend = backend
        self._id = transfer_id

    @property
    def subject(self) -> TrailSubject:
        """The transfer's id."""
        return self._id

    async def extent(self, _caller: Caller) -> Extent:
        """Say how far the trail goes."""
        last, over = await self._backend.audit_feed.extent(self._id)
        return Extent(last, last, over)

    async def page(self, caller: Caller, after: int, limit: int) -> list[EventView]:
        """Read entries, each as the caller may know it; raises NotFound."""
        return await self._backend.transfer_reads.events(caller, self._id, after=after, limit=limit)

    def live(self, entry: Entry, caller: Caller) -> EventView | None:
        """Show an entry that was heard, unless somebody may lose the sight of the transfer by it."""
        return None if entry.row.action in _MOVES_SIGHT else entry.view(caller)


class ChargePointTrail(Source):
    """The trail of a charge point: what somebody sees of it is read anew with each entry; its owner may be another."""

    def __init__(self, backend: Backend, charge_point_id: ChargePointId) -> None:
        """Take what it is read by."""
        self._backend = backend
        self._id = charge_point_id

    @property
    def subject(self) -> TrailSubject:
        """`charge_point:<id>`."""
        return of_charge_point(self._id)

    async def extent(self, caller: Caller) -> Extent:
        """Say how far the trail goes, and how far for the caller; it is never over."""
        last, _ = await self._backend.audit_feed.extent(self.subject)
        return Extent(last, await self._backend.charge_point_trails.last(caller, self._id), over=False)

    async def page(self, caller: Caller, after: int, limit: int) -> list[EventView]:
        """Read the entries that the caller may see; raises NotFound."""
        return await self._backend.charge_point_trails.events(caller, self._id, after=after, limit=limit)

    def live(self, entry: Entry, caller: Caller) -> None:
        """Show nothing that was only heard."""


async def answer(
    backend: Backend,
    caller: LastingCaller,
    source: Source,
    request: Request,
    response: Response,
    *,
    last_event_id: str | None,
    cursor: str | None,
    limit: int,
) -> schemas.Page[schemas.Event] | Response:
    """Give a page, or the stream where the call wants one; raises what either may come to."""
    if wants_stream(request.headers.getlist("accept")):
        if request.query_params:
            raise InvalidRequest("A stream takes no query parameters; leave them out. Last-Event-ID resumes it.")
        streamed = await EventStream(backend.streams, source, caller.again).answer(read_last_event_id(last_event_id))
        return streamed or Response(status_code=204, headers=HEADERS)
    response.headers["Vary"] = "Accept"
    found = await source.page(caller.now, cursors.number(cursor, start=0), limit + 1)
    shown = [schemas.Event.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_number(last.sequence))


def described(page: Examples, events: Iterable[schemas.Event]) -> Mapping[str, Any]:
    """Describe the answer that is a page or a stream."""
    return {
        "description": "A page; or, with `Accept: text/event-stream`, the live stream.",
        "headers": {
            "Cache-Control": {"description": "Of a stream: `no-store`.", "schema": {"type": "string"}},
            "Vary": {"description": "Always `Accept`.", "schema": {"const": "Accept"}},
        },
        "content": {
            "application/json": {"examples": page},
            "text/event-stream": {"schema": {"type": "string"}, "example": examples.stream(events)},
        },
    }
