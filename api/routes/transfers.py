"""Transfers: one, a page of them, the audit trail of one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api import cursors, examples, schemas, trails
from api.bodies import Id, Moment
from api.dependencies import BackendDep, CallerDep, Cursor, LastingCallerDep, Limit, PathId
from api.describing import call
from api.paging import cut
from domain.errors import ErrorCode
from domain.ids import ChargePointId, GroupId, TransferId
from domain.kinds import TransferKind
from domain.transfer import ACTIVE, Attention, TransferState
from persistence.views.transfer_filter import TransferFilter

router = APIRouter(prefix="/transfers", tags=["transfers"])


class Wanted(BaseModel):
    """Which transfers a list has: a filter that is misspelt is refused, or it would list everything."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    state: TransferState | None = None
    """In this state."""
    attention: Attention | None = None
    """Waiting for this; empty: for nothing."""
    kind: TransferKind | None = None
    """Of this kind."""
    charge_point_id: Id | None = None
    """Of this charge point."""
    group_id: Id | None = Field(None, description="From or to this group, or of a charge point that is in it now.")
    requested_before: Moment | None = Field(None, description="Requested before this moment.")
    cursor: str | None = Field(None, max_length=300, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=200, description="How many items at most.")


@router.get("", **call("list_transfers", "List transfers", examples.TRANSFERS, ErrorCode.INVALID_REQUEST))
async def transfers(
    caller: CallerDep, backend: BackendDep, wanted: Annotated[Wanted, Query()]
) -> schemas.Page[schemas.Transfer]:
    """List the transfers that you may see, the latest request first.

    Filters are combined; one that is not known is refused, or a misspelt one would list everything.
    """
    which = TransferFilter(
        state=wanted.state,
        attention=wanted.attention,
        kind=wanted.kind,
        charge_point_id=ChargePointId(wanted.charge_point_id) if wanted.charge_point_id else None,
        group_id=GroupId(wanted.group_id) if wanted.group_id else None,
        requested_before=wanted.requested_before,
        before=cursors.time(wanted.cursor),
    )
    found = await backend.transfer_reads.page(caller, which, wanted.limit + 1)
    shown = [schemas.Transfer.of(view, caller) for view in found]
    return cut(shown, wanted.limit, lambda last: cursors.of_time(last.requested_at, last.id))


@router.get("/{transfer_id}", **call("get_transfer", "Get a transfer", examples.TRANSFER, ErrorCode.NOT_FOUND))
async def transfer(caller: CallerDep, backend: BackendDep, transfer_id: PathId) -> schemas.Transfer:
    """Give one transfer, with how each of its steps stands.

    `state` says where it is, `attention` what it waits for, `actions` what you may do about it now.
    """
    view = await backend.transfer_reads.one(caller, TransferId(transfer_id))
    live = await backend.transfers.step_attempts(view.id) if view.state in ACTIVE else {}
    return schemas.Transfer.of(view, caller, live)


@router.get(
    "/{transfer_id}/events",
    response_model=schemas.Page[schemas.Event],
    **call(
        "list_events",
        "List events, or follow them live",
        examples.EVENTS,
        *(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST, ErrorCode.RATE_LIMITED),
        more={
            200: trails.described(examples.EVENTS, examples.TRANSFER_TRAIL),
            204: {"description": "Of a stream: the transfer has ended, and you have every event."},
        },
    ),
)
async def events(
    caller: LastingCallerDep,
    backend: BackendDep,
    request: Request,
    response: Response,
    transfer_id: PathId,
    last_event_id: trails.LastEventId = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.Page[schemas.Event] | Response:
    """List the audit trail, the oldest entry first; or follow it live.

    With `Accept: text/event-stream` the answer is a stream of Server-Sent Events: every entry so far, then each new
    one. `id` is its `sequence`, `event` is `audit`, `data` is the entry as a page has it; lines with `:` alone are
    heartbeats. Whoever comes back with `Last-Event-ID` goes on behind it, at any API process. The stream ends once the
    transfer has ended and its parties were told; coming back after that gives 204, which ends an `EventSource` too.
    """
    source = trails.TransferTrail(backend, TransferId(transfer_id))
    return await trails.answer(
        backend, caller, source, request, response, last_event_id=last_event_id, cursor=cursor, limit=limit
    )
