"""Starts transfers."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Query, Response
from fastapi.responses import JSONResponse

from api import example_bodies, examples, schemas
from api.acts import starting
from api.bodies import StartBody
from api.dependencies import BackendDep, CallerDep, KeyDep, PathId, only_dry_run
from api.describing import call
from api.problems import note_away, problem
from domain.errors import ErrorCode, Unavailable
from domain.ids import ChargePointId

router = APIRouter(prefix="/charge-points", tags=["transfers"])


_REHEARSED: Final = {"application/json": {"examples": examples.REHEARSAL}}
_KEPT: Final = {"application/json": {"examples": examples.KEPT}}
_PLACE: Final = {"Location": {"description": "Where the transfer is.", "schema": {"type": "string"}}}
#: Where the id of a transfer that was started leads.
_LINKS: Final = {
    name: {"operationId": name, "parameters": {"transfer_id": "$response.body#/id"}}
    for name in (
        *("get_transfer", "list_events", "accept_transfer", "decline_transfer", "cancel_transfer"),
        *("resend_transfer", "resolve_transfer", "pause_step", "resume_step"),
    )
}


@router.post(
    "/{charge_point_id}/transfers",
    response_model=schemas.Transfer,
    dependencies=[Depends(only_dry_run)],
    **call(
        "start_transfer",
        "Start a transfer",
        examples.STARTED,
        *(ErrorCode.NOT_ALLOWED, ErrorCode.NOT_FOUND, ErrorCode.TRANSFER_IN_PROGRESS, ErrorCode.COOLING_DOWN),
        *(ErrorCode.NOT_POSSIBLE, ErrorCode.RATE_LIMITED),
        answered="It is validated, and its charge point reserved.",
        status=201,
        post=True,
        more={
            200: {
                "model": schemas.Rehearsal,
                "description": "With `dry_run`: what would be.",
                "content": _REHEARSED,
            },
            202: {
                "model": schemas.Transfer,
                "description": "It is kept; no worker has answered yet.",
                "content": _KEPT,
                "headers": _PLACE,
                "links": _LINKS,
            },
        },
        headers=_PLACE,
        links=_LINKS,
    ),
)
async def start(
    caller: CallerDep,
    backend: BackendDep,
    charge_point_id: PathId,
    body: Annotated[StartBody, Body(openapi_examples=example_bodies.START_BODIES)],
    key: KeyDep,
    response: Response,
    dry_run: Annotated[bool, Query(description="Change nothing; say what would happen.")] = False,
) -> schemas.Transfer | JSONResponse:
    """Start a transfer of a charge point.

    201 once it is validated and its charge point is reserved; 202 if no worker answers in time: the request is kept,
    and started by itself. With `dry_run` nothing is changed: the answer says what would happen, and what would stand
    in the way. Send an `Idempotency-Key`, and you may repeat the call until you have its answer.
    """
    point = ChargePointId(charge_point_id)
    if dry_run:
        tried = await starting.rehearse(backend, caller, point, body)
        return JSONResponse(schemas.Rehearsal.of(tried).model_dump(mode="json"))
    try:
        view, begun = await starting.start(backend, caller, point, body, key)
    except starting.Kept as kept:
        note_away(kept)
        place = f"/v1/transfers/{kept.transfer_id}"
        text = f"{kept.message} The request is kept, and will be started: look at it under {place}."
        return problem(Unavailable(text), headers={"Location": place})
    response.headers["Location"] = f"/v1/transfers/{view.id}"
    response.status_code = 201 if begun else 202
    return schemas.Transfer.of(view, caller)
