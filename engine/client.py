"""How callers start a transfer, decide on it and look at it; turns Temporal's answers into the domain's."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.accounts import OpenAccount
from activities.contracts.charge_points import KeyTold, PointAsk, RestartTold
from activities.contracts.notices import SendCode, TellOwner
from domain.approval import Decision
from domain.charger_orders import ChargerOrder, RestartAnswer
from domain.errors import AlreadyDecided, NotAllowed, NotFound, NotPossible, Refusal, Unavailable
from domain.ids import (
    TASK_QUEUE,
    ChargePointId,
    LinkId,
    OrderId,
    TransferId,
    account_workflow_id,
    charger_order_workflow_id,
    code_workflow_id,
    owner_news_workflow_id,
    rescue_workflow_id,
    workflow_id,
)
from domain.keys import KeyAnswer
from domain.news import OwnerNews
from domain.reconciliation import RunStatus
from domain.transfer import OperatorAction, StepName, TransferState
from engine import pauses
from engine.runs import Runs
from workflows.accounts import AccountWorkflow
from workflows.charger_orders import IdentifyWorkflow, RotateKeyWorkflow
from workflows.codes import OneTimeCodeWorkflow
from workflows.messages import (
    ChargerNews,
    Opened,
    OrderRef,
    Outcome,
    ResolveOrder,
    Standing,
    TransferOrder,
)
from workflows.options import TASK_TIMEOUT
from workflows.owner_news import OwnerNewsWorkflow
from workflows.refusals import refusal_of
from workflows.rescue import RescueWorkflow
from workflows.transfer import TransferWorkflow

Told = TypeVar("Told", KeyTold, RestartTold)

LOST: Final = "The transfer was interrupted, and is about to go on; try again in a minute."
_NOT_OPEN: Final = "The account is not open yet; try again in a moment."
_NOT_HEARD: Final = (
    "Nothing was heard in time, and it may still be done. Send the same request again, with its Idempotency-Key."
)
_NOT_TOLD: Final = "The charger could not be told; try again in a moment."
_AWAY: Final = "The transfer's engine does not answer; try again in a moment."
#: Which step a pending activity belongs to.
_STEP_OF: Final = {
    "registry.validate": StepName.VALIDATE_RIGHTS,
    "registry.look_up": StepName.LOOK_UP_TARGET,
    "registry.reserve": StepName.RESERVE,
    "registry.change_ownership": StepName.CHANGE_OWNERSHIP,
    "registry.restore_ownership": StepName.CHANGE_OWNERSHIP,
    "registry.block_sessions": StepName.QUIET_CHARGER,
    "registry.allow_sessions": StepName.RELEASE_CHARGER,
    "registry.withdraw_credentials": StepName.ROTATE_CREDENTIALS,
    "registry.await_new_key": StepName.ROTATE_CREDENTIALS,
    "registry.leave_credentials_due": StepName.ROTATE_CREDENTIALS,
    "registry.resend": StepName.ASK_RECIPIENT,
    "notices.ask": StepName.ASK_RECIPIENT,
    "notices.tell": StepName.TELL_PARTIES,
    "charger.quiet": StepName.QUIET_CHARGER,
    "charger.replace_lists": StepName.REPLACE_LISTS,
    "charger.rotate": StepName.ROTATE_CREDENTIALS,
    "charger.reset": StepName.ROTATE_CREDENTIALS,
    "charger.release": StepName.RELEASE_CHARGER,
}


@dataclass(frozen=True)
class StepAttempts:
    """How often a step that is being retried was tried, and what it failed with last."""

    attempts: int
    last_error: str | None
    paused: bool = False
    """An operator holds it: no further try begins."""


class Openings(Protocol):
    """Keeps what a history may not hold: the name of who opens an account."""

    async def keep_opening(self, link_id: LinkId, name: str, locale: str) -> None:
        """Keep it for the activity; raises InvalidRequest."""

    async def forget_opening(self, link_id: LinkId) -> None:
        """Remove it: the activity has read it, and it may have been kept again since."""


class TransferClient:
    """The transfers of one Temporal namespace. Raises the domain's refusals, and Unavailable where Temporal is away."""

    def __init__(
        self,
        client: Client,
        answer_within: timedelta = timedelta(seconds=5),
        openings: Openings | None = None,
    ) -> None:
        """Take a client with the pydantic data converter.

        `openings` is needed where accounts are opened.
        """
        self._openings = openings
        self._client = client
        self._within = answer_within

    async def start(self, transfer_id: TransferId) -> bool:
        """Start the transfer of a request row, once, however often this is called.

        True: validated and reserved, or ended by now. False: no worker has answered in time. Raises its refusal, unless
        that came when nobody asked: then it is in the register alone.
        """
        operation = self._run(transfer_id, WorkflowIDReusePolicy.REJECT_DUPLICATE)
        update_id = f"open-{transfer_id}"
        try:
            async with self._errors(timeout_is_unknown=True):
                await self._client.execute_update_with_start_workflow(
                    "open",
                    start_workflow_operation=operation,
                    id=update_id,
                    result_type=Opened,
                    rpc_timeout=self._within,
                )
        except WorkflowAlreadyStartedError:  # it has ended: what it said to `open` is found, unless that never came in
            with suppress(AlreadyDecided, NotFound):
                async with self._errors():
                    await self._handle(transfer_id).get_update_handle(update_id).result(rpc_timeout=self._within)
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            await self._must_exist(transfer_id)
            return False
        return True

    async def take_up(self, transfer_id: TransferId) -> None:
        """Start a transfer anew whose run was lost: it goes on where that was; one that runs is left alone."""
        operation = self._run(transfer_id, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
        with suppress(Refusal):
            async with self._errors():
                await self._client.execute_update_with_start_workflow(
                    "open",
                    start_workflow_operation=operation,
                    id=f"open-again-{secrets.token_hex(8)}",
                    result_type=Opened,
                    rpc_timeout=self._within,
                )

    def _run(
        self, transfer_id: TransferId, reuse: WorkflowIDReusePolicy
    ) -> WithStartWorkflowOperation[TransferWorkflow, Outcome]:
        return WithStartWorkflowOperation(
            TransferWorkflow.run,
            TransferOrder(transfer_id=transfer_id),
            id=workflow_id(transfer_id),
            task_queue=TASK_QUEUE,
            task_timeout=TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=reuse,
            static_summary=f"Transfer {transfer_id}",
            static_details="One charge point to another owner or group. Search by Handover… attributes; "
            "stuck ones have `HandoverAttention`.",
        )

    async def decide(self, transfer_id: TransferId, decision: Decision, order_id: OrderId) -> TransferState:
        """Have a decision taken that was ordered; the answer is the durable state that it led to, each time.

        Raises Unavailable where the transfer's run was lost: it is taken up by and by.
        """
        return await self._update(transfer_id, decision.value, OrderRef(order_id=order_id))

    async def resend(self, transfer_id: TransferId, order_id: OrderId) -> None:
        """Have the recipient asked anew, as was ordered; older links are dead once this returns."""
        await self._update(transfer_id, "resend", OrderRef(order_id=order_id))

    async def resolve(
        self, transfer_id: TransferId, action: OperatorAction, order_id: OrderId, *, under_way: bool = False
    ) -> TransferState:
        """Do what an operator has ordered, once.

        `under_way`: the register says that it is, so a run that has ended is taken up first.
        """
        order = ResolveOrder(action=action, order_id=order_id)
        try:
            return await self._update(transfer_id, "resolve", order)
        except (AlreadyDecided, NotFound, Unavailable):
            if not under_way or (await Runs(self._client).latest(transfer_id)).status is RunStatus.RUNNING:
                raise
        await self.take_up(transfer_id)
        return await self._update(transfer_id, "resolve", order)

    async def pause(self, transfer_id: TransferId, step: StepName, order_id: OrderId, *, actor: str) -> None:
        """Let no further try of a step begin; raises NotPossible where it is not being tried."""
        async with self._errors():
            pending = await self._pending(transfer_id, step)
            await pauses.pause(self._client, transfer_id, step, pending, order_id=order_id, actor=actor)

    async def resume(self, transfer_id: TransferId, step: StepName, *, actor: str) -> None:
        """Let a paused step be tried again, at once; raises NotPossible where it is not paused."""
        async with self._errors():
            pending = await self._pending(transfer_id, step)
            await pauses.resume(self._client, transfer_id, step, pending, actor=actor)

    async def send_code(self, link_id: LinkId, number: int) -> None:
        """Have the `number`-th one-time code of a link made and sent; returns once the mail server has it."""
        order, name = SendCode(link_id=link_id, number=number), code_workflow_id(link_id, number)
        async with self._errors():
            try:
                handle = await self._client.start_workflow(
                    OneTimeCodeWorkflow.run,
                    order,
                    id=name,
                    task_queue=TASK_QUEUE,
                    rpc_timeout=self._within,
                )
            except WorkflowAlreadyStartedError:
                handle = self._client.get_workflow_handle_for(OneTimeCodeWorkflow.run, name)
            try:
                await asyncio.wait_for(handle.result(), (self._within * 3).total_seconds())
            except (TimeoutError, WorkflowFailureError):
                raise Unavailable("The code could not be sent yet; ask for another one in a moment.") from None

    async def open_account(self, link_id: LinkId, *, name: str, locale: str) -> None:
        """Open an account for whoever a link was sent to, who has typed its code; nothing where they have one.

        May be repeated. Raises InvalidRequest for a name or locale that is none, NotAllowed for a replaced link,
        AlreadyDecided or TooLate where nothing is asked any more, NotPossible where no account can be opened with
        that address, Unavailable where it is not done yet: the same call again goes on.
        """
        if self._openings is None:
            msg = "made without a place for what is typed"
            raise AssertionError(msg)
        await self._openings.keep_opening(link_id, name, locale)
        async with self._errors():
            handle = await self._client.start_workflow(
                AccountWorkflow.run,
                OpenAccount(link_id=link_id),
                id=account_workflow_id(link_id),
                task_queue=TASK_QUEUE,
                task_timeout=TASK_TIMEOUT,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="Account of a recipient",
                rpc_timeout=self._within,
            )
            try:
                await asyncio.wait_for(handle.result(), self._within.total_seconds())
            except TimeoutError:  # it goes on, and reads what was typed
                raise Unavailable(_NOT_OPEN) from None
            except WorkflowFailureError as error:
                await self._openings.forget_opening(link_id)
                raise refusal_of(error) or Unavailable(_NOT_OPEN) from None
        await self._openings.forget_opening(link_id)

    async def step_attempts(self, transfer_id: TransferId) -> dict[StepName, StepAttempts]:
        """Say what is being retried; nothing where Temporal does not answer at once."""
        try:
            seen = await self._handle(transfer_id).describe(rpc_timeout=timedelta(seconds=1))
        except (RPCError, RuntimeError):  # RuntimeError: a lazy client could not connect
            return {}
        return {
            step: StepAttempts(pending.attempt, pending.last_failure.message or None, pending.paused)
            for pending in seen.raw_description.pending_activities
            if (step := _STEP_OF.get(pending.activity_type.name))
        }

    async def tell_charger_news(self, transfer_id: TransferId, charge_point_id: ChargePointId, fact: str) -> None:
        """Wake a transfer that may wait for its charger; one that has ended is left alone."""
        news = ChargerNews(charge_point_id=charge_point_id, fact=fact)
        try:
            await self._handle(transfer_id).signal(
                TransferWorkflow.charger_news, news, rpc_timeout=timedelta(seconds=5)
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise Unavailable(_AWAY) from error

    async def rescue(self, transfer_id: TransferId) -> None:
        """Have what an ended transfer has left to do at its charger tried now; a try under way looks once more."""
        async with self._errors():
            await self._client.start_workflow(
                RescueWorkflow.run,
                TransferOrder(transfer_id=transfer_id),
                id=rescue_workflow_id(transfer_id),
                task_queue=TASK_QUEUE,
                task_timeout=TASK_TIMEOUT,
                start_signal="charger_is_back",
                static_summary=f"Rescue after transfer {transfer_id}",
                rpc_timeout=self._within,
            )

    async def tell_owner(self, charge_point_id: ChargePointId, news: OwnerNews, *, occasion: str = "") -> None:
        """Have the owner of a charge point told; a day has one letter, or one for each `occasion`."""
        order = TellOwner(charge_point_id=charge_point_id, news=news, day=datetime.now(UTC).date(), occasion=occasion)
        async with self._errors():
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    OwnerNewsWorkflow.run,
                    order,
                    id=owner_news_workflow_id(charge_point_id, news.value, order.day, occasion),
                    task_queue=TASK_QUEUE,
                    task_timeout=TASK_TIMEOUT,
                    static_summary=f"News to the owner of {charge_point_id}",
                    rpc_timeout=self._within,
                )

    async def rotate_key(self, charge_point_id: ChargePointId, order_id: OrderId) -> KeyAnswer:
        """Have a fresh key sent to a charger in place of its owner's own, as was ordered, and say what it answered.

        The same order has the same answer; one that was refused, or came to nothing, is tried anew. Raises NotAllowed,
        NotFound, TransferInProgress, NotPossible, and Unavailable where nothing is heard in time: it may still be done.
        """
        ask = PointAsk(charge_point_id=charge_point_id, order=ChargerOrder.ROTATE_KEY, order_id=order_id)
        return (await self._order(RotateKeyWorkflow.run, ask)).answer

    async def identify(self, charge_point_id: ChargePointId, order_id: OrderId) -> RestartAnswer:
        """Have a charger restarted, and say what it answered; for the rest as `rotate_key`."""
        ask = PointAsk(charge_point_id=charge_point_id, order=ChargerOrder.IDENTIFY, order_id=order_id)
        return (await self._order(IdentifyWorkflow.run, ask)).answer

    async def _order(self, run: Callable[[Any, PointAsk], Awaitable[Told]], ask: PointAsk) -> Told:
        name = charger_order_workflow_id(ask.charge_point_id, ask.order.value, ask.order_id)
        async with self._errors():
            try:
                handle = await self._client.start_workflow(
                    run,
                    ask,
                    id=name,
                    task_queue=TASK_QUEUE,
                    task_timeout=TASK_TIMEOUT,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    static_summary=f"{ask.order.value} at {ask.charge_point_id}",
                    rpc_timeout=self._within,
                )
            except WorkflowAlreadyStartedError:
                handle = self._client.get_workflow_handle_for(run, name)
            try:
                return await asyncio.wait_for(handle.result(), (self._within * 3).total_seconds())
            except TimeoutError:
                raise Unavailable(_NOT_HEARD) from None
            except WorkflowFailureError as error:
                raise refusal_of(error) or Unavailable(_NOT_TOLD) from None

    async def ready(self) -> bool:
        """Whether Temporal answers."""
        try:
            return await self._client.service_client.check_health(timeout=timedelta(seconds=2))
        except (RPCError, RuntimeError):  # RuntimeError: a lazy client could not connect
            return False

    # --- shorthand ------------------------------------------------------------------------------------------------

    def _handle(self, transfer_id: TransferId) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(workflow_id(transfer_id))

    async def _update(self, transfer_id: TransferId, name: str, order: OrderRef) -> TransferState:
        """Have an order carried out under an update id of its own, so that a repeat has the same answer.

        What an update was answered is its answer for ever. So one is asked anew, under another id, that was refused by
        the register, as that may have been somebody else's under that id; and a decision that was not ours. What an
        operator had done is not: it was done.
        """
        update_id = f"{name}-{order.order_id}"
        with suppress(NotAllowed, NotPossible):
            standing = await self._ask(transfer_id, name, order, update_id)
            if standing.order_id == order.order_id or isinstance(order, ResolveOrder):
                return standing.state
        return (await self._ask(transfer_id, name, order, f"{update_id}-{secrets.token_hex(4)}")).state

    async def _ask(self, transfer_id: TransferId, name: str, order: OrderRef, update_id: str) -> Standing:
        try:
            async with self._errors():
                standing: Standing = await self._handle(transfer_id).execute_update(
                    name, order, id=update_id, result_type=Standing, rpc_timeout=self._within
                )
                return standing
        except AlreadyDecided:
            if (await Runs(self._client).latest(transfer_id)).status is RunStatus.LOST:
                raise Unavailable(LOST) from None
            raise

    async def _pending(self, transfer_id: TransferId, step: StepName) -> list[PendingActivityInfo]:
        """List what is being tried of a step; raises AlreadyDecided once the transfer has nothing more to do."""
        seen = await self._handle(transfer_id).describe(rpc_timeout=self._within)
        if seen.status is not WorkflowExecutionStatus.RUNNING:
            raise AlreadyDecided("The transfer has ended; nothing of it is being tried any more.")
        pending = seen.raw_description.pending_activities
        return [activity for activity in pending if _STEP_OF.get(activity.activity_type.name) is step]

    async def _must_exist(self, transfer_id: TransferId) -> None:
        """Tell 'started, nobody answers' from 'not started'."""
        try:
            async with self._errors():
                await self._handle(transfer_id).describe(rpc_timeout=timedelta(seconds=2))
        except NotFound:  # it may still come to be: no refusal of the request
            raise Unavailable(_AWAY) from None

    @asynccontextmanager
    async def _errors(self, *, timeout_is_unknown: bool = False) -> AsyncIterator[None]:
        """Turn Temporal's errors into the domain's."""
        try:
            yield
        except WorkflowUpdateFailedError as error:
            raise _refusal(error) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            if timeout_is_unknown:
                raise
            raise Unavailable("No answer yet: it may still be done. Send the same request again.") from None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                if "completed" in error.message:
                    raise AlreadyDecided("The transfer has ended.") from None
                raise NotFound("There is no such transfer under way.") from None
            raise Unavailable(_AWAY) from error
        except RuntimeError as error:  # a lazy client could not connect
            raise Unavailable(_AWAY) from error


def _refusal(error: WorkflowUpdateFailedError) -> Refusal | Unavailable:
    """Give the refusal that an update failed with; anything else is ours to mend, and Unavailable to the caller."""
    return refusal_of(error.cause) or Unavailable(_AWAY)
