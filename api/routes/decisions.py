"""The parties' decisions on a transfer, and the operators' acts."""

from typing import Annotated

from fastapi import APIRouter, Body

from api import example_bodies, examples, schemas
from api.acts import deciding
from api.bodies import AcceptBody, HoldBody, ResolveBody
from api.dependencies import Backend, BackendDep, CallerDep, KeyDep, PathId, act_id
from api.describing import DECIDED, call
from domain.approval import Decision
from domain.errors import (
    NotAllowed,
)
from domain.ids import TransferId
from domain.orders import OrderAct
from domain.trail import Attempt, TrailAction, held
from domain.transfer import FINAL
from persistence.intake.idempotency import Repeatable
from persistence.intake.orders import NewOrder
from persistence.people.callers import Caller

router = APIRouter(prefix="/transfers", tags=["decisions"])
_Accept = Annotated[AcceptBody | None, Body(openapi_examples=example_bodies.ACCEPT_BODIES)]
_Resolve = Annotated[ResolveBody, Body(openapi_examples=example_bodies.RESOLVE_BODIES)]
_Hold = Annotated[HoldBody, Body(openapi_examples=example_bodies.HOLD_BODIES)]


@router.post(
    "/{transfer_id}/accept",
    **call("accept_transfer", "Accept a transfer", examples.ACCEPTED, *DECIDED, answered="It is accepted.", post=True),
)
async def accept(
    caller: CallerDep, backend: BackendDep, transfer_id: PathId, key: KeyDep, body: _Accept = None
) -> schemas.Transfer:
    """Accept the transfer, as its recipient, who may choose what the charger's old key opens until it has a new one.

    The answer comes once the decision is durable, not once the charger is done. Accepting again gives the same; with
    another choice it is refused, for the first one stands.
    """
    choice = body.until_new_key if body else None
    view = await deciding.decide(backend, caller, TransferId(transfer_id), Decision.ACCEPT, key, choice)
    return schemas.Transfer.of(view, caller)


@router.post(
    "/{transfer_id}/decline",
    **call(
        "decline_transfer", "Decline a transfer", examples.DECLINED, *DECIDED, answered="It is declined.", post=True
    ),
)
async def decline(caller: CallerDep, backend: BackendDep, transfer_id: PathId, key: KeyDep) -> schemas.Transfer:
    """Decline the transfer, as its recipient: nothing changes. Declining again gives the same."""
    view = await deciding.decide(backend, caller, TransferId(transfer_id), Decision.DECLINE, key)
    return schemas.Transfer.of(view, caller)


@router.post(
    "/{transfer_id}/cancel",
    **call(
        "cancel_transfer", "Cancel a transfer", examples.CANCELLED, *DECIDED, answered="It is cancelled.", post=True
    ),
)
async def cancel(caller: CallerDep, backend: BackendDep, transfer_id: PathId, key: KeyDep) -> schemas.Transfer:
    """Cancel the transfer, as who asked for it or as the present owner, until the ownership change begins.

    What was done at the charger by then is undone: the state is `rolling_back`, then `rolled_back`.
    """
    view = await deciding.decide(backend, caller, TransferId(transfer_id), Decision.CANCEL, key)
    return schemas.Transfer.of(view, caller)


@router.post(
    "/{transfer_id}/resend",
    **call(
        "resend_transfer",
        "Send the question again",
        examples.RESENT,
        *DECIDED,
        answered="It is being sent.",
        post=True,
    ),
)
async def resend(caller: CallerDep, backend: BackendDep, transfer_id: PathId, key: KeyDep) -> schemas.Transfer:
    """Ask the recipient anew, as who asked for the transfer or as an operator: by a new link, older ones are dead."""
    return schemas.Transfer.of(await deciding.resend(backend, caller, TransferId(transfer_id), key), caller)


@router.post(
    "/{transfer_id}/resolve",
    **call(
        "resolve_transfer",
        "Resolve what is stuck",
        examples.RESOLVED,
        *DECIDED,
        answered="It is being done.",
        post=True,
    ),
)
async def resolve(
    caller: CallerDep,
    backend: BackendDep,
    transfer_id: PathId,
    body: _Resolve,
    key: KeyDep,
) -> schemas.Transfer:
    """Retry, roll back or complete a stuck transfer, as an operator, with a reason for the audit trail.

    What each action would do now is in the transfer's `resolutions`.
    """
    transfer = TransferId(transfer_id)
    content = f"resolve {transfer} {body.model_dump_json()}".encode()
    actor = deciding.acting(caller)
    async with deciding.attempt(backend, caller, transfer, actor, Attempt.RESOLVE) as view:
        if not caller.operator:
            raise NotAllowed("Only an operator may resolve a transfer; this takes a key with the scope operator.")
        order = NewOrder(
            transfer, OrderAct(body.action.value), actor, request_id=act_id(caller, key), reason=body.reason
        )
        order_id = await backend.orders.give(Repeatable(caller.id, key, content), order)
        if not await backend.orders.is_carried_out(order_id):
            await backend.transfers.resolve(transfer, body.action, order_id, under_way=view.state not in FINAL)
    return await _shown(backend, caller, transfer)


@router.post(
    "/{transfer_id}/pause",
    **call("pause_step", "Pause a step", examples.PAUSED, *DECIDED, answered="It is paused.", post=True),
)
async def pause(
    caller: CallerDep, backend: BackendDep, transfer_id: PathId, body: _Hold, key: KeyDep
) -> schemas.Transfer:
    """Let no further try of a step that is being tried begin, as an operator; its time for retries runs on."""
    return await _hold(backend, caller, TransferId(transfer_id), body, key, paused=True)


@router.post(
    "/{transfer_id}/resume",
    **call("resume_step", "Resume a step", examples.RESUMED, *DECIDED, answered="It is tried again.", post=True),
)
async def resume(
    caller: CallerDep, backend: BackendDep, transfer_id: PathId, body: _Hold, key: KeyDep
) -> schemas.Transfer:
    """Let a paused step be tried again, at once, as an operator."""
    return await _hold(backend, caller, TransferId(transfer_id), body, key, paused=False)


async def _hold(
    backend: Backend, caller: Caller, transfer: TransferId, body: HoldBody, key: str | None, *, paused: bool
) -> schemas.Transfer:
    """Pause a step or resume it; what was done under an idempotency key is not done again."""
    call, actor = Attempt.PAUSE if paused else Attempt.RESUME, deciding.acting(caller)
    async with deciding.attempt(backend, caller, transfer, actor, call):
        if not caller.operator:
            raise NotAllowed(f"Only an operator may {call} a step; this takes a key with the scope operator.")
        repeatable = Repeatable(caller.id, key, f"{call} {transfer} {body.model_dump_json()}".encode())
        given = NewOrder(transfer, OrderAct(call.value), actor, request_id=act_id(caller, key), reason=body.reason)
        order_id = await backend.orders.give(repeatable, given)
        act = held(call, act_id(caller, key))
        if not await backend.orders.is_noted(transfer, act):
            if paused:
                await backend.transfers.pause(transfer, body.step, order_id, actor=actor)
            else:
                await backend.transfers.resume(transfer, body.step, actor=actor)
            action = TrailAction.STEP_PAUSED if paused else TrailAction.STEP_RESUMED
            await backend.orders.note_act(
                transfer, order_id, actor=actor, action=action, detail={"step": body.step.value}, act=act
            )
    view, live = await backend.transfer_reads.one(caller, transfer), await backend.transfers.step_attempts(transfer)
    return schemas.Transfer.of(view, caller, live)


async def _shown(backend: Backend, caller: Caller, transfer: TransferId) -> schemas.Transfer:
    return schemas.Transfer.of(await backend.transfer_reads.one(caller, transfer), caller)
