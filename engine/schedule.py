"""The schedule by which the reconciler runs: one in a namespace, however many workers there are."""

from datetime import timedelta
from functools import partial
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError

from activities.contracts.reconciler import Look
from domain.errors import Unavailable
from domain.ids import TASK_QUEUE
from workflows.options import LATER, TASK_TIMEOUT
from workflows.reconciliation import ReconciliationWorkflow

#: The id of the schedule, and the root of its runs' ids.
RECONCILE: Final = "reconcile"


async def keep_schedule(client: Client, every: timedelta) -> None:
    """Have the reconciler run every so often; a pause that an operator made in the UI stays.

    Raises Unavailable where Temporal does not answer.
    """
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            ReconciliationWorkflow.run,
            Look(),
            id=RECONCILE,
            task_queue=TASK_QUEUE,
            task_timeout=TASK_TIMEOUT,
            priority=LATER,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    try:
        try:
            await client.create_schedule(RECONCILE, schedule, trigger_immediately=True)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(RECONCILE).update(partial(_as_wanted, schedule))
    except RPCError as error:
        raise Unavailable(f"Temporal can't keep the reconciler's schedule: {error.message}") from error


def _as_wanted(schedule: Schedule, seen: ScheduleUpdateInput) -> ScheduleUpdate:
    schedule.state = seen.description.schedule.state
    return ScheduleUpdate(schedule=schedule)
