"""How the engine's runs of transfers stand: what the reconciler compares the register with."""

from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Unavailable
from domain.ids import TransferId, transfer_of, workflow_id
from domain.reconciliation import Run, RunStatus
from domain.transfer import TransferState
from workflows.search_attributes import STATE

_ALL: Final = "WorkflowType = 'transfer'"
_RUNNING: Final = f"{_ALL} AND ExecutionStatus = 'Running'"
_ANSWER_WITHIN: Final = timedelta(seconds=10)


class Runs:
    """The runs of one Temporal namespace. Raises Unavailable where Temporal is away."""

    def __init__(self, client: Client) -> None:
        """Take a connected client."""
        self._client = client

    async def running(self) -> dict[TransferId, Run]:
        """List the runs that are running, by visibility: it lags, so it is a hint and never the truth."""
        try:
            found = [seen async for seen in self._client.list_workflows(_RUNNING, rpc_timeout=_ANSWER_WITHIN)]
        except RPCError as error:
            raise Unavailable("Temporal does not answer.") from error
        return {transfer_id: _run(seen) for seen in found if (transfer_id := transfer_of(seen.id))}

    async def page(self, place: str, number: int) -> tuple[list[TransferId], str]:
        """List so many transfers that have runs, ended ones too, from a place on; also give the next, empty at the end.

        By visibility. A place that another server gave is the end.
        """
        listed = self._client.list_workflows(
            _ALL, page_size=number, next_page_token=b64decode(place) or None, rpc_timeout=_ANSWER_WITHIN
        )
        try:
            await listed.fetch_next_page()
        except RPCError as error:
            if error.status is RPCStatusCode.INVALID_ARGUMENT and place:
                return [], ""
            raise Unavailable("Temporal does not answer.") from error
        found = [transfer_id for seen in listed.current_page or () if (transfer_id := transfer_of(seen.id))]
        return found, b64encode(listed.next_page_token or b"").decode()

    async def latest(self, transfer_id: TransferId) -> Run:
        """Say how the latest run of a transfer stands."""
        try:
            handle = self._client.get_workflow_handle(workflow_id(transfer_id))
            seen = await handle.describe(rpc_timeout=_ANSWER_WITHIN)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Run(RunStatus.LOST)
            raise Unavailable("Temporal does not answer.") from error
        raw = seen.raw_description
        busy = bool(raw.pending_activities) or raw.HasField("pending_workflow_task")
        return replace(_run(seen), busy=busy)


def _run(seen: WorkflowExecution) -> Run:
    state = seen.typed_search_attributes.get(STATE)
    known = TransferState(state) if state in set(TransferState) else None
    if seen.status is WorkflowExecutionStatus.RUNNING:
        return Run(RunStatus.RUNNING, known)
    completed = seen.status is WorkflowExecutionStatus.COMPLETED
    return Run(RunStatus.COMPLETED if completed else RunStatus.LOST, known)
