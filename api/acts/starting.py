"""Starting a transfer, and trying out what one would do."""

from api.bodies import MoveToGroup, TransferOwnership, TransferToUser
from api.dependencies import Backend
from domain.errors import REFUSALS, NotPossible, RateLimited, Refusal, Unavailable
from domain.ids import ChargePointId, TransferId
from domain.request import TransferRequest
from persistence.intake.idempotency import Repeatable
from persistence.intake.requests import KeptRequest
from persistence.people.callers import Caller
from persistence.views.dry_run import Rehearsal
from persistence.views.transfer_views import TransferView
from telemetry.subject import learn

Body = MoveToGroup | TransferOwnership | TransferToUser


class Kept(Unavailable):
    """The request is on record and will be started, though Temporal is away."""

    def __init__(self, message: str, transfer_id: TransferId) -> None:
        """Say where it stands."""
        super().__init__(message)
        self.transfer_id = transfer_id


async def rehearse(backend: Backend, caller: Caller, point: ChargePointId, body: Body) -> Rehearsal:
    """Say what a start would do, with nothing written; raises NotFound, and InvalidRequest for what is no request."""
    await backend.reads.charge_point(caller, point)
    return await backend.dry_runs.try_out(caller, point, _request(backend, caller, body))


async def start(
    backend: Backend, caller: Caller, point: ChargePointId, body: Body, key: str | None
) -> tuple[TransferView, bool]:
    """Start a transfer; the same again under the same idempotency key.

    Gives it, and whether a worker has taken it up: else it is kept, and started by itself. Raises a Refusal, Kept, and
    Unavailable where nothing is kept.
    """
    call = Repeatable(caller.id, key, f"start {point} {body.canonical()}".encode())
    kept = await _keep(backend, caller, point, body, call)
    learn(transfer_id=kept.transfer_id)
    try:
        begun = await _begin(backend, kept)
    except Unavailable as away:
        raise Kept(away.message, kept.transfer_id) from away
    view = await backend.transfer_reads.one(caller, kept.transfer_id)
    if view.refusal is not None:
        await backend.requests.mark_refused(kept.transfer_id)  # where its workflow's own answer was not heard
        code, message = view.refusal
        raise REFUSALS.get(code, NotPossible)(message)
    return view, begun


def _request(backend: Backend, caller: Caller, body: Body) -> TransferRequest:
    options = backend.options
    return body.request(
        locale=caller.locale, default_expiry=options.default_expiry, shortest_expiry=options.shortest_expiry
    )


async def _keep(backend: Backend, caller: Caller, point: ChargePointId, body: Body, call: Repeatable) -> KeptRequest:
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
