"""The charge points of the caller's groups, their ledger and their audit trails."""

from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from api import cursors, examples, schemas, trails
from api.acts import connecting
from api.dependencies import (
    BackendDep,
    CallerDep,
    Cursor,
    KeyDep,
    LastingCallerDep,
    Limit,
    PathId,
    no_query,
)
from api.describing import call
from api.paging import cut
from domain.charger_orders import ChargerOrder
from domain.errors import ErrorCode
from domain.ids import ChargePointId

router = APIRouter(prefix="/charge-points", tags=["charge points"])
#: What an order to a charger may come to.
_ORDERED: Final = (
    *(ErrorCode.NOT_ALLOWED, ErrorCode.NOT_FOUND, ErrorCode.TRANSFER_IN_PROGRESS),
    ErrorCode.NOT_POSSIBLE,
)


@router.get("", **call("list_charge_points", "List charge points", examples.CHARGE_POINTS, ErrorCode.INVALID_REQUEST))
async def charge_points(
    caller: CallerDep, backend: BackendDep, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.ChargePoint]:
    """List the charge points of your groups, by id; an operator's list has all."""
    found = await backend.reads.charge_points(caller, after=cursors.id_(cursor), limit=limit + 1)
    shown = [schemas.ChargePoint.model_validate(view) for view in found]
    return cut(shown, limit, lambda last: cursors.of_id(last.id))


@router.get(
    "/{charge_point_id}",
    **call("get_charge_point", "Get a charge point", examples.CHARGE_POINT, ErrorCode.NOT_FOUND),
)
async def charge_point(caller: CallerDep, backend: BackendDep, charge_point_id: PathId) -> schemas.ChargePoint:
    """Give one charge point: who has it, and whether it is connected now."""
    view = await backend.reads.charge_point(caller, ChargePointId(charge_point_id))
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
    caller: CallerDep, backend: BackendDep, charge_point_id: PathId, key: KeyDep, response: Response
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
    response.headers["Cache-Control"] = "no-store"
    view, password = await connecting.connect_afresh(backend, caller, ChargePointId(charge_point_id), key)
    return schemas.Credentials(identity=view.identity, password=password)


@router.post(
    "/{charge_point_id}/key/rotate",
    dependencies=[Depends(no_query)],
    **call(
        "rotate_charge_point_key",
        "Send a fresh key",
        examples.KEY_ROTATED,
        *_ORDERED,
        answered="The charger was asked: what it answered, and what its key is now.",
        post=True,
    ),
)
async def rotate_key(
    caller: CallerDep, backend: BackendDep, charge_point_id: PathId, key: KeyDep
) -> schemas.KeyRotation:
    """Send the charger a fresh key over its open connection, in place of its own: nobody types anything.

    For the charge point's owner, and operators. The `answer` is the charger's; `key` changes once it has come back with
    the new one, by itself or after a restart that it is given when no charging session runs. Until then the old key is
    good. `unknown`: nothing was heard of it, and it may have taken the key; asked again, it is sent the same one. A
    charger that refused before is asked again.

    `not_possible` where it is not connected, or in quarantine; where it has no key; and where the key in use is older
    than its owner's time and people know it: a former owner could be at the other end, so a new one is made
    (`POST …/connection`) and typed in. No call while a transfer is past its acceptance. A repeat under the same
    `Idempotency-Key` gives the same `answer`; one that was refused is tried anew.
    """
    point = ChargePointId(charge_point_id)
    order_id = await connecting.order(backend, caller, point, ChargerOrder.ROTATE_KEY, key)
    answer = await backend.chargers.rotate_key(point, order_id)
    view = await backend.reads.charge_point(caller, point)
    return schemas.KeyRotation.model_validate({"answer": answer, "key": view.key}, from_attributes=True)


@router.post(
    "/{charge_point_id}/identify",
    dependencies=[Depends(no_query)],
    **call(
        "identify_charge_point",
        "Restart, to see which one it is",
        examples.IDENTIFIED,
        *_ORDERED,
        answered="The charger was asked: what it answered.",
        post=True,
    ),
)
async def identify(
    caller: CallerDep, backend: BackendDep, charge_point_id: PathId, key: KeyDep
) -> schemas.Identification:
    """Restart the charger now, so that whoever stands before it sees whether it is this one.

    For the charge point's owner, and operators; while a transfer waits for its new owner's key (`attention` is
    `new_key`) that is who received it. If what stands there does not restart, something else is connected in its place.
    `unknown`: nothing was heard of it, and it may be restarting; it is not told again by itself.

    `not_possible` where it is not connected, or in quarantine, or where a charging session runs. No call while a
    transfer is past its acceptance, but for one that waits for the new owner's key. A repeat under the same
    `Idempotency-Key` restarts nothing and gives the same `answer`; one that was refused is tried anew.
    """
    point = ChargePointId(charge_point_id)
    order_id = await connecting.order(backend, caller, point, ChargerOrder.IDENTIFY, key)
    return schemas.Identification(answer=await backend.chargers.identify(point, order_id))


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
    caller: CallerDep, backend: BackendDep, charge_point_id: PathId, cursor: Cursor = None, limit: Limit = 50
) -> schemas.Page[schemas.Period]:
    """List who had the charge point from when to when, the oldest period first.

    Members see the periods of their group, a former owner their own, an operator all.
    """
    after = cursors.number(cursor, start=-1)
    found = await backend.reads.ownership(caller, ChargePointId(charge_point_id), after=after, limit=limit + 1)
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
    backend: BackendDep,
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
    source = trails.ChargePointTrail(backend, ChargePointId(charge_point_id))
    return await trails.answer(
        backend, caller, source, request, response, last_event_id=last_event_id, cursor=cursor, limit=limit
    )
