"""The parties' decisions on a transfer; whoever tries and is refused is on record."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api import actions
from api.dependencies import Backend, act_id
from domain.actors import Actor, operator, user
from domain.approval import Decision
from domain.errors import AlreadyDecided, NotFound, NotPossible, RateLimited, Refusal, Unavailable
from domain.ids import TransferId
from domain.orders import OrderAct
from domain.trail import Attempt
from domain.transfer import ACTIVE, TransferState, UntilNewKey
from engine.transfers import LOST
from persistence.intake.idempotency import Repeatable
from persistence.intake.orders import NewOrder
from persistence.people.callers import Caller
from persistence.views.transfer_views import TransferView


def acting(caller: Caller) -> Actor:
    """Name who acts, as the audit trail does."""
    return operator(caller.id) if caller.operator else user(caller.id)


async def decide(
    backend: Backend,
    caller: Caller,
    transfer: TransferId,
    decision: Decision,
    key: str | None,
    until_new_key: UntilNewKey | None = None,
) -> TransferView:
    """Take a decision, and give the transfer once it is durable; the same again where it was taken before."""
    actor, choice = user(caller.id), f" {until_new_key.value}" if until_new_key else ""
    async with attempt(backend, caller, transfer, actor, Attempt(decision.value)) as view:
        actions.check(view, caller, decision)  # a stranger's is kept away from the workflow's history
        order = NewOrder(transfer, OrderAct(decision.value), actor, caller.id, choice=until_new_key)
        repeatable = Repeatable(caller.id, key, f"{decision.value} {transfer}{choice}".encode())
        led_to = await backend.transfers.decide(transfer, decision, await backend.orders.give(repeatable, order))
        if decision is Decision.ACCEPT and led_to is TransferState.CANCELLED:
            raise NotPossible("Whoever asked for the transfer may not give the charge point any more; it is cancelled.")
        shown = await backend.transfer_reads.one(caller, transfer)
        if until_new_key not in {None, shown.until_new_key}:
            raise AlreadyDecided(
                f"The transfer was accepted with until_new_key {shown.until_new_key.value}, which stands; see it."
            )
    return shown


async def resend(backend: Backend, caller: Caller, transfer: TransferId, key: str | None) -> TransferView:
    """Ask the recipient anew by a new link, and give the transfer."""
    actor = acting(caller)
    async with attempt(backend, caller, transfer, actor, Attempt.RESEND) as view:
        actions.check_resender(view, caller)
        asker = None if caller.operator else caller.id
        order = NewOrder(transfer, OrderAct.RESEND, actor, asker, request_id=act_id(caller, key))
        repeatable = Repeatable(caller.id, key, f"resend {transfer}".encode())
        await backend.transfers.resend(transfer, await backend.orders.give_resend(repeatable, transfer, order))
    return await backend.transfer_reads.one(caller, transfer)


@asynccontextmanager
async def attempt(
    backend: Backend, caller: Caller, transfer: TransferId, actor: Actor, attempt: Attempt
) -> AsyncIterator[TransferView]:
    """Let who may see the transfer try, as they see it; write a refusal into its audit trail."""
    try:
        await backend.attempts.check(caller)
        view = await backend.transfer_reads.one(caller, transfer)
        if view.state is TransferState.REQUESTED and attempt is not Attempt.RESOLVE:  # its run knows what it waits for
            raise NotPossible("The transfer has not started yet; try again in a moment.")
        try:
            yield view
        except NotFound:  # the engine has forgotten it: it ended long ago, or it is about to be taken up
            if view.state in ACTIVE:
                raise Unavailable(LOST) from None
            raise AlreadyDecided(
                f"The transfer is {view.state.value}; nothing is left to decide; see how it stands."
            ) from None
    except RateLimited:  # an entry for each would be what the limit is to keep away
        raise
    except Refusal as refusal:
        if await backend.transfer_reads.exists(transfer):
            await backend.attempts.note(transfer, actor=actor, attempt=attempt, code=refusal.code)
        raise
