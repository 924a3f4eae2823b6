"""Starting a transfer, deciding on it, resolving it, and looking at what is tried of it."""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import FunctionType
from typing import Any, Final, TypeAlias, cast

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.workflow import UpdateMethodMultiParam
from typing_extensions import override

from activities.contracts.declaring import step_of
from domain.actors import Actor
from domain.approval import Decision
from domain.errors import AlreadyDecided, NotAllowed, NotFound, NotPossible, Refusal, Unavailable
from domain.ids import TASK_QUEUE, ChargePointId, OrderId, TransferId, rescue_workflow_id, workflow_id
from domain.reconciliation import RunStatus
from domain.transfer import OperatorAction, StepName, TransferState
from engine import pauses
from engine.errors import AWAY, as_refusals
from engine.runs import Runs
from workflows.messages import ChargerNews, OrderRef, ResolveOrder, TransferOrder, TransferOutcome, TransferStatus
from workflows.options import LATER, TASK_TIMEOUT
from workflows.rescue import CHARGER_IS_BACK, RescueWorkflow
from workflows.transfer import TransferWorkflow

LOST: Final = "The transfer was interrupted, and is about to go on; try again in a minute."
#: An update that carries an order, and says how the transfer stands after it.
_Update: TypeAlias = UpdateMethodMultiParam[[TransferWorkflow, Any], TransferStatus]
#: How each decision that people take is sent.
_UPDATES: Final[dict[Decision, _Update]] = {
    Decision.ACCEPT: TransferWorkflow.accept,
    Decision.DECLINE: TransferWorkflow.decline,
    Decision.CANCEL: TransferWorkflow.cancel,
}


@dataclass(frozen=True)
class StepAttempts:
    """How often a step that is being retried was tried, and what it failed with last."""

    attempts: int
    last_error: str | None
    paused: bool = False
    """An operator holds it: no further try begins."""


class Transfers(ABC):
    """The transfers that run. Raises the domain's refusals, and Unavailable where whatever runs them is away."""

    @abstractmethod
    async def start(self, transfer_id: TransferId) -> bool:
        """Start the transfer of a request row, once, however often this is called.

        True: validated and reserved, or ended by now. False: no worker has answered in time. Raises its refusal, unless
        that came when nobody asked: then it is in the register alone.
        """

    @abstractmethod
    async def take_up(self, transfer_id: TransferId) -> None:
        """Start a transfer anew whose run was lost: it goes on where that was; one that runs is left alone."""

    @abstractmethod
    async def decide(self, transfer_id: TransferId, decision: Decision, order_id: OrderId) -> TransferState:
        """Have a decision taken that was ordered; the answer is the durable state that it led to, each time.

        Raises Unavailable where the transfer's run was lost: it is taken up by and by.
        """

    @abstractmethod
    async def resend(self, transfer_id: TransferId, order_id: OrderId) -> None:
        """Have the recipient asked anew, as was ordered; older links are dead once this returns."""

    @abstractmethod
    async def resolve(
        self, transfer_id: TransferId, action: OperatorAction, order_id: OrderId, *, under_way: bool = False
    ) -> TransferState:
        """Do what an operator has ordered, once.

        `under_way`: the register says that it is, so a run that has ended is taken up first.
        """

    @abstractmethod
    async def pause(self, transfer_id: TransferId, step: StepName, order_id: OrderId, *, actor: Actor) -> None:
        """Let no further try of a step begin; raises NotPossible where it is not being tried."""

    @abstractmethod
    async def resume(self, transfer_id: TransferId, step: StepName, *, actor: Actor) -> None:
        """Let a paused step be tried again, at once; raises NotPossible where it is not paused."""

    @abstractmethod
    async def step_attempts(self, transfer_id: TransferId) -> dict[StepName, StepAttempts]:
        """Say what is being retried; nothing where Temporal does not answer at once."""

    @abstractmethod
    async def tell_charger_news(self, transfer_id: TransferId, charge_point_id: ChargePointId, fact: str) -> None:
        """Wake a transfer that may wait for its charger; one that has ended is left alone."""

    @abstractmethod
    async def rescue(self, transfer_id: TransferId) -> None:
        """Have what an ended transfer has left to do at its charger tried now; a try under way looks once more."""

    @abstractmethod
    async def ready(self) -> bool:
        """Whether Temporal answers."""


class TemporalTransfers(Transfers):
    """The transfers of one Temporal namespace."""

    def __init__(self, client: Client, answer_within: timedelta) -> None:
        """Take a client with the pydantic data converter, and how long a caller waits."""
        self._client = client
        self._within = answer_within

    @override
    async def start(self, transfer_id: TransferId) -> bool:
        operation = self._run(transfer_id, WorkflowIDReusePolicy.REJECT_DUPLICATE)
        update_id = f"open-{transfer_id}"
        try:
            async with _heard(operation), as_refusals(timeout_is_unknown=True):
                await self._client.execute_update_with_start_workflow(
                    TransferWorkflow.open,
                    start_workflow_operation=operation,
                    id=update_id,
                    rpc_timeout=self._within,
                )
        except WorkflowAlreadyStartedError:  # it has ended: what it said to `open` is found, unless that never came in
            with suppress(AlreadyDecided, NotFound):
                async with as_refusals():
                    await self._handle(transfer_id).get_update_handle(update_id).result(rpc_timeout=self._within)
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            await self._must_exist(transfer_id)
            return False
        return True

    @override
    async def take_up(self, transfer_id: TransferId) -> None:
        operation = self._run(transfer_id, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
        with suppress(Refusal):
            async with _heard(operation), as_refusals():
                await self._client.execute_update_with_start_workflow(
                    TransferWorkflow.open,
                    start_workflow_operation=operation,
                    id=f"open-again-{secrets.token_hex(8)}",
                    rpc_timeout=self._within,
                )

    def _run(
        self, transfer_id: TransferId, reuse: WorkflowIDReusePolicy
    ) -> WithStartWorkflowOperation[TransferWorkflow, TransferOutcome]:
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

    @override
    async def decide(self, transfer_id: TransferId, decision: Decision, order_id: OrderId) -> TransferState:
        return await self._update(transfer_id, _UPDATES[decision], OrderRef(order_id=order_id))

    @override
    async def resend(self, transfer_id: TransferId, order_id: OrderId) -> None:
        await self._update(transfer_id, TransferWorkflow.resend, OrderRef(order_id=order_id))

    @override
    async def resolve(
        self, transfer_id: TransferId, action: OperatorAction, order_id: OrderId, *, under_way: bool = False
    ) -> TransferState:
        order = ResolveOrder(action=action, order_id=order_id)
        try:
            return await self._update(transfer_id, TransferWorkflow.resolve, order)
        except (AlreadyDecided, NotFound, Unavailable):
            if not under_way or (await Runs(self._client).latest(transfer_id)).status is RunStatus.RUNNING:
                raise
        await self.take_up(transfer_id)
        try:
            return await self._update(transfer_id, TransferWorkflow.resolve, order)
        except (AlreadyDecided, NotPossible):  # it goes on, or is over, by being taken up alone
            state = (await Runs(self._client).latest(transfer_id)).state
            if action is not OperatorAction.RETRY or state is None:
                raise
            return state

    @override
    async def pause(self, transfer_id: TransferId, step: StepName, order_id: OrderId, *, actor: Actor) -> None:
        async with as_refusals():
            pending = await self._pending(transfer_id, step)
            await pauses.pause(self._client, transfer_id, step, pending, order_id=order_id, actor=actor)

    @override
    async def resume(self, transfer_id: TransferId, step: StepName, *, actor: Actor) -> None:
        async with as_refusals():
            pending = await self._pending(transfer_id, step)
            await pauses.resume(self._client, transfer_id, step, pending, actor=actor)

    @override
    async def step_attempts(self, transfer_id: TransferId) -> dict[StepName, StepAttempts]:
        try:
            seen = await self._handle(transfer_id).describe(rpc_timeout=timedelta(seconds=1))
        except (RPCError, RuntimeError):  # RuntimeError: a lazy client could not connect
            return {}
        return {
            step: StepAttempts(pending.attempt, pending.last_failure.message or None, pending.paused)
            for pending in seen.raw_description.pending_activities
            if (step := step_of(pending.activity_type.name))
        }

    @override
    async def tell_charger_news(self, transfer_id: TransferId, charge_point_id: ChargePointId, fact: str) -> None:
        news = ChargerNews(charge_point_id=charge_point_id, fact=fact)
        try:
            await self._handle(transfer_id).signal(
                TransferWorkflow.charger_news, news, rpc_timeout=timedelta(seconds=5)
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise Unavailable(AWAY) from error

    @override
    async def rescue(self, transfer_id: TransferId) -> None:
        async with as_refusals():
            await self._client.start_workflow(
                RescueWorkflow.run,
                TransferOrder(transfer_id=transfer_id),
                id=rescue_workflow_id(transfer_id),
                task_queue=TASK_QUEUE,
                task_timeout=TASK_TIMEOUT,
                start_signal=CHARGER_IS_BACK,
                static_summary=f"Rescue after transfer {transfer_id}",
                priority=LATER,
                rpc_timeout=self._within,
            )

    @override
    async def ready(self) -> bool:
        try:
            return await self._client.service_client.check_health(timeout=timedelta(seconds=2))
        except (RPCError, RuntimeError):  # RuntimeError: a lazy client could not connect
            return False

    # --- shorthand ------------------------------------------------------------------------------------------------

    def _handle(self, transfer_id: TransferId) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(workflow_id(transfer_id))

    async def _update(self, transfer_id: TransferId, update: _Update, order: OrderRef) -> TransferState:
        """Have an order carried out under an update id of its own, so that a repeat has the same answer.

        What an update was answered is its answer for ever. So one is asked anew, under another id, that was refused by
        the register, as that may have been somebody else's under that id; and a decision that was not ours. What an
        operator had done is not: it was done.
        """
        update_id = f"{cast(FunctionType, update).__name__}-{order.order_id}"
        with suppress(NotAllowed, NotPossible):
            status = await self._ask(transfer_id, update, order, update_id)
            if status.order_id == order.order_id or isinstance(order, ResolveOrder):
                return status.state
        return (await self._ask(transfer_id, update, order, f"{update_id}-{secrets.token_hex(4)}")).state

    async def _ask(self, transfer_id: TransferId, update: _Update, order: OrderRef, update_id: str) -> TransferStatus:
        try:
            async with as_refusals():
                return await self._handle(transfer_id).execute_update(
                    update, order, id=update_id, rpc_timeout=self._within
                )
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
        return [activity for activity in pending if step_of(activity.activity_type.name) is step]

    async def _must_exist(self, transfer_id: TransferId) -> None:
        """Tell 'started, nobody answers' from 'not started'."""
        try:
            async with as_refusals():
                await self._handle(transfer_id).describe(rpc_timeout=timedelta(seconds=2))
        except NotFound:  # it may still come to be: no refusal of the request
            raise Unavailable(AWAY) from None


@asynccontextmanager
async def _heard(operation: WithStartWorkflowOperation[Any, Any]) -> AsyncIterator[None]:
    """Hear what the start itself is answered: the SDK keeps that beside the update's answer, and logs it unheard."""
    answer = asyncio.ensure_future(operation.workflow_handle())
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        yield
    finally:
        answer.cancel()
