"""Sends letters of transfers: one workflow for all of them, which never ends."""

from temporalio import workflow

from activities.contracts.messages import Done
from activities.contracts.outbox import Deliver, Outbox
from workflows.activity_calls import call
from workflows.options import delivery

#: How often one run begins to deliver: its history stays short.
SHIFTS = 100


@workflow.defn(name="outbox")
class OutboxWorkflow:
    """Has one worker deliver what is queued, of the id `outbox`; where that worker dies, another one goes on."""

    @workflow.run
    async def run(self, order: Deliver) -> Done:
        """Deliver for ever."""
        for _ in range(SHIFTS):
            await call(Outbox.deliver, order, delivery(), summary="letters", for_ever=True)
        workflow.continue_as_new(order)
