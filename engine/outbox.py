"""The workflow that sends the letters of all transfers."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from activities.contracts.outbox import Deliver
from domain.ids import TASK_QUEUE
from engine.errors import as_refusals
from workflows.options import LATER, TASK_TIMEOUT
from workflows.outbox import OutboxWorkflow

#: The workflow's id.
OUTBOX: Final = "outbox"


class TemporalOutbox:
    """Letters, delivered by a workflow of one Temporal namespace."""

    def __init__(self, client: Client, answer_within: timedelta) -> None:
        """Take a client, and how long a caller waits."""
        self._client = client
        self._within = answer_within

    async def deliver_letters(self) -> None:
        """Have letters delivered from now on; where they are, nothing changes. Raises Unavailable."""
        async with as_refusals():
            await self._client.start_workflow(
                OutboxWorkflow.run,
                Deliver(),
                id=OUTBOX,
                task_queue=TASK_QUEUE,
                task_timeout=TASK_TIMEOUT,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="Letters of transfers",
                rpc_timeout=self._within,
                priority=LATER,
            )
