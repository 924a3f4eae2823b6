"""Starts transfers."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Query, Response
from fastapi.responses import JSONResponse

from api import example_bodies, examples, schemas
from api.bodies import StartBody
from api.dependencies import Backend, BackendDep, CallerDep, KeyDep, PathId, only_dry_run
from api.describing import call
from api.problems import note_away, problem
from domain.errors import REFUSALS, ErrorCode, NotPossible, RateLimited, Refusal, Unavailable
from domain.ids import ChargePointId
from domain.request import TransferRequest
from persistence.intake.idempotency import Repeatable
from persistence.intake.requests import KeptRequest
from persistence.people.callers import Caller
from telemetry.subject import learn

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
        return JSONResponse((await _rehearse(backend, caller, point, body)).model_dump(mode="json"))
    call = Repeatable(caller.id, key, f"start {point} {body.canonical()}".encode())
    kept = await _keep(backend, caller, point, body, call)
    learn(transfer_id=kept.transfer_id)
    response.headers["Location"] = place = f"/v1/transfers/{kept.transfer_id}"
    try:
        begun = await _begin(backend, kept)
    except Unavailable as away:
        note_away(away)
        text = f"{away.message} The request is kept, and will be started: look at it under {place}."
        return problem(Unavailable(text), headers={"Location": place})
    view = await backend.transfer_reads.one(caller, kept.transfer_id)
    if view.refusal is not None:
        await backend.requests.mark_refused(kept.transfer_id)  # where its workflow's own answer was not heard
        code, message = view.refusal
        raise REFUSALS.get(code, NotPossible)(message)
    response.status_code = 201 if begun else 202
    return schemas.Transfer.of(view, caller)


async def _rehearse(backend: Backend, caller: Caller, point: ChargePointId, body: StartBody) -> schemas.Rehearsal:
    await backend.reads.charge_point(caller, point)
    request = _request(backend, caller, body)
    tried = await backend.dry_runs.try_out(caller, point, request)
    return schemas.Rehearsal.of(tried, request.kind, request.connection)


def _request(backend: Backend, caller: Caller, body: StartBody) -> TransferRequest:
    options = backend.options
    return body.request(
        locale=caller.locale, default_expiry=options.default_expiry, shortest_expiry=options.shortest_expiry
    )


async def _keep(
    backend: Backend, caller: Caller, point: ChargePointId, body: StartBody, call: Repeatable
) -> KeptRequest:
    """Write the request, or find the one that this repeats; a refusal goes into the audit trail."""
    try:
        if kept := await backend.requests.earlier(call):
            return kept
        await backend.load.admit()
        await backend.attempts.check(caller)
        await backend.reads.charge_point(caller, point)
        request = _request(backend, caller, body)
        return await backend.requests.keep(call, point, request, caller.scopes, caller.key_id)
    except RateLimited:  # an entry for each would be what the limit is to keep away
        raise
    except Refusal as refusal:
        await backend.attempts.note_request(caller.id, point, refusal.code)
        raise


async def _begin(backend: Backend, kept: KeptRequest) -> bool:
    """Start the request's workflow, unless it has answered before; False where no worker answers in time."""
    if kept.started:
        return True
    try:
        return await backend.transfers.start(kept.transfer_id)
    except Refusal:
        await backend.requests.mark_refused(kept.transfer_id)
        raise
