"""The charge points of the caller's groups, their ledger and their audit trails."""

import secrets
from contextlib import suppress

from fastapi import APIRouter, Depends, Request, Response

from api import cursors, examples, schemas, trails
from api.dependencies import CallerDep, Cursor, KeyDep, LastingCallerDep, Limit, PartsDep, PathId, no_query
from api.describing import call
from api.paging import cut
from domain.errors import ErrorCode, NotAllowed, Unavailable
from domain.ids import ChargePointId
from domain.news import OwnerNews
from persistence.doorway import Repeatable
from persistence.vault import fingerprint
from workflows.messages import NEW_KEY

router = APIRouter(prefix="/charge-points", tags=["charge points"])


@router.get("", **call("list_charge_points", "List charge points", examples.CHARGE_POINTS, ErrorCode.INVALID_REQUEST))
async def charge_points(
    caller: CallerDep, parts: PartsDep, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.ChargePoint]:
    """List the charge points of your groups, by id; an operator's list has all."""
    found = await parts.reads.charge_points(caller, after=cursors.id_(cursor), limit=limit + 1)
    shown = [schemas.ChargePoint.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_id(last.id))


@router.get(
    "/{charge_point_id}",
    **call("get_charge_point", "Get a charge point", examples.CHARGE_POINT, ErrorCode.NOT_FOUND),
)
async def charge_point(caller: CallerDep, parts: PartsDep, charge_point_id: PathId) -> schemas.ChargePoint:
    """Give one charge point: who has it, and whether it is connected now."""
    view = await parts.reads.charge_point(caller, ChargePointId(charge_point_id))
    return schemas.ChargePoint.model_validate(view)


@router.post(
    "/{charge_point_id}/connection",
    dependencies=[Depends(no_query)],
    **call(
        "connect_charge_point",
        "Make new credentials",
        examples.CREDENTIALS,
        *(ErrorCode.NOT_ALLOWED, ErrorCode.NOT_FOUND, ErrorCode.TRANSFER_IN_PROGRESS),
        answered="The new credentials, shown this once.",
        status=201,
        post=True,
    ),
)
async def connect_afresh(
    caller: CallerDep, parts: PartsDep, charge_point_id: PathId, key: KeyDep, response: Response
) -> schemas.Credentials:
    """Give new credentials to type into the charger, shown once; all others end, and its connection is closed.

    For the charge point's owner, and operators. While a transfer of it is `transferring` or `rolling_back`, or is at
    the charger, there are none; one that waits for its recipient does not stand in the way. One that waits at the
    charger after the change of ownership (`attention` is `new_key`, `charger_offline` or `operator`), or has ended with
    `old_key_known` or `credentials_due`, takes them as the key that it waits for: all others end once the charger is
    connected with them, and from this call on the transfer can't be rolled back. A repeat under the same
    `Idempotency-Key` gives the same credentials, as long as they are waited for or the current ones. Where somebody
    else asks, or during a transfer, the owner is told by a letter, and so is a recipient who has not answered yet.
    """
    point = ChargePointId(charge_point_id)
    view = await parts.reads.charge_point(caller, point)
    if caller.id != view.owner_id and not caller.operator:
        raise NotAllowed("Only the charge point's owner, or an operator, may make new credentials for it; ask them.")
    call = Repeatable(caller.id, key, f"connect {point}".encode())
    actor = f"{'user' if caller.id == view.owner_id else 'operator'}:{caller.id}"
    response.headers["Cache-Control"] = "no-store"
    tells = caller.id != view.owner_id or view.active_transfer_id is not None
    if tells and not await parts.transfers.ready():  # nothing is changed of which nobody would be told
        raise Unavailable("The charge point's owner could not be told of it now; try again in a moment.")
    afresh = await parts.doorway.connect_afresh(call, point, view.owner_id, actor=actor)
    if afresh.transfer_id is not None:  # the key is on record: one that does not hear of it now looks by itself
        with suppress(Unavailable):
            await parts.transfers.tell_charger_news(afresh.transfer_id, point, NEW_KEY)
    if tells:
        occasion = fingerprint(f"{caller.id} {key}")[:16] if key else secrets.token_hex(8)
        await parts.transfers.tell_owner(point, OwnerNews.RESET, occasion=occasion)
    return schemas.Credentials(identity=view.identity, password=afresh.password)


@router.get(
    "/{charge_point_id}/ownership",
    **call(
        "list_ownership",
        "List the periods of ownership",
        examples.OWNERSHIP,
        *(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST),
    ),
)
async def ownership(
    caller: CallerDep, parts: PartsDep, charge_point_id: PathId, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.Period]:
    """List who had the charge point from when to when, the oldest period first.

    Members see the periods of their group, a former owner their own, an operator all.
    """
    after = cursors.number(cursor, start=-1)
    found = await parts.reads.ownership(caller, ChargePointId(charge_point_id), after=after, limit=limit + 1)
    shown = [schemas.Period.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_number(last.version))


@router.get(
    "/{charge_point_id}/events",
    response_model=schemas.Page[schemas.Event],
    **call(
        "list_charge_point_events",
        "List a charge point's events, or follow them live",
        examples.CHARGE_POINT_EVENTS,
        *(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST, ErrorCode.RATE_LIMITED),
        more={200: trails.described(examples.CHARGE_POINT_EVENTS, examples.CHARGE_POINT_TRAIL)},
    ),
)
async def events(
    caller: LastingCallerDep,
    parts: PartsDep,
    request: Request,
    response: Response,
    charge_point_id: PathId,
    last_event_id: trails.LastEventId = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.Page[schemas.Event] | Response:
    """List the charge point's audit trail, the oldest entry first; or follow it live.

    Keys, resets, two that hold the same key, tries with keys that are over. Members of its group see the entries of the
    periods in which it was their group's, a former owner those of their own periods, an operator all; so `sequence` may
    have gaps. From where somebody connected is told for a time (90 days, unless this installation is set otherwise);
    then the entry stays, without it.

    With `Accept: text/event-stream` the answer is a stream of Server-Sent Events, as of a transfer's trail, resumed by
    `Last-Event-ID`. It has no end of its own.
    """
    source = trails.ChargePointTrail(parts, ChargePointId(charge_point_id))
    return await trails.answer(
        parts, caller, source, request, response, last_event_id=last_event_id, cursor=cursor, limit=limit
    )
