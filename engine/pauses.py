"""Holds the pending activities of a step at Temporal, and lets them go on."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import PauseActivityRequest, UnpauseActivityRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.actors import Actor
from domain.errors import NotPossible
from domain.ids import OrderId, TransferId, workflow_id
from domain.transfer import StepName

_WITHIN: Final = timedelta(seconds=5)


async def pause(
    client: Client,
    transfer_id: TransferId,
    step: StepName,
    pending: Iterable[PendingActivityInfo],
    *,
    order_id: OrderId,
    actor: Actor,
) -> None:
    """Let no further try of `step`'s pending activities begin; one that is under way may end. A repeat changes nothing.

    `order_id` says why, to whoever may read it. Raises NotPossible where none is pending. The time that the step's
    retries may take in all goes on meanwhile.
    """
    waiting = list(pending)
    if not waiting:
        raise NotPossible(
            f"No try of the step {step.value} is under way or due, so there is nothing to pause. Look at the "
            "transfer: what waits for an operator takes retry, roll_back or complete."
        )
    for activity in waiting:
        request = PauseActivityRequest(
            **_which(client, transfer_id), identity=actor, id=activity.activity_id, reason=order_id
        )
        await _send(client.workflow_service.pause_activity, request, step)


async def resume(
    client: Client, transfer_id: TransferId, step: StepName, pending: Iterable[PendingActivityInfo], *, actor: Actor
) -> None:
    """Let `step`'s paused activities go on at once; raises NotPossible where none is paused."""
    paused = [activity for activity in pending if activity.paused]
    if not paused:
        raise NotPossible(f"The step {step.value} is not paused; there is nothing to resume.")
    for activity in paused:
        request = UnpauseActivityRequest(**_which(client, transfer_id), identity=actor, id=activity.activity_id)
        await _send(client.workflow_service.unpause_activity, request, step)


def _which(client: Client, transfer_id: TransferId) -> dict[str, Any]:
    return {"namespace": client.namespace, "execution": WorkflowExecution(workflow_id=workflow_id(transfer_id))}


async def _send(call: Any, request: PauseActivityRequest | UnpauseActivityRequest, step: StepName) -> None:
    try:
        await call(request, timeout=_WITHIN)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotPossible(f"The step {step.value} has just ended; look at the transfer.") from None
        if error.status is RPCStatusCode.UNIMPLEMENTED:
            raise NotPossible("This Temporal server can't pause a step; use retry, roll_back or complete.") from None
        raise
