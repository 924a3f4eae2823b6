"""A workflow that is reset in the Temporal UI: what has ended stays as it ended, what is under way goes on."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

import worker
from activities.ended import EndedTransfers
from domain.approval import Decision
from domain.transfer import Attention
from persistence.session import Database
from persistence.tables import ChargePoint
from persistence.vault import Vault
from tests.api.world import everything
from tests.troubles.hall import Hall


@pytest.fixture
async def hall(temporal: Client, database: Database, vault: Vault) -> AsyncIterator[Hall]:
    hall = Hall(temporal, database, vault)
    async with worker.transfer_worker(temporal, hall.steps, [EndedTransfers(database)]):
        yield hall


async def reset(hall: Hall, run_id: str, event_id: int) -> WorkflowHandle[Any, Any]:
    """Reset the workflow to a workflow task of one of its runs, and give the new run."""
    answer = await hall.temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=hall.temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=hall.handle.id, run_id=run_id),
            reason="a slip of the hand",
            workflow_task_finish_event_id=event_id,
            request_id=uuid.uuid4().hex,
        )
    )
    return hall.temporal.get_workflow_handle(hall.handle.id, run_id=answer.run_id)


async def tasks(handle: WorkflowHandle[Any, Any]) -> list[int]:
    """List the workflow tasks of a run that it can be reset to."""
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [event.event_id async for event in handle.fetch_history_events() if event.event_type == done]


async def recorded(hall: Hall) -> dict[str, list[Any]]:
    """Give every row but the trails'."""
    return {name: rows for name, rows in (await everything(hall.database)).items() if not name.startswith("audit_")}


#: The ends that a decision writes, in a task of their own: after it nothing is left to do.
DECIDED = frozenset({"declined", "cancelled"})


async def come_to(hall: Hall, end: str) -> None:
    """Bring the transfer to an end, and its workflow."""
    await hall.ask(timedelta(seconds=3) if end == "expired" else timedelta(hours=1))
    if end == "rolled_back":  # as it has changed hands since
        async with hall.database.writing() as rows:
            await rows.execute(update(ChargePoint).values(version=1))
    if end == "declined":
        await hall.decide(Decision.DECLINE)
    elif end == "cancelled":
        await hall.decide(Decision.CANCEL, "ada")
    elif end != "expired":
        await hall.accept()
    await hall.until(end)
    await hall.handle.result()


@pytest.mark.parametrize("end", ["declined", "cancelled", "expired", "completed_with_warnings", "rolled_back"])
async def test_what_has_ended_stays_as_it_ended_wherever_its_workflow_is_reset_to(hall: Hall, end: str) -> None:
    await come_to(hall, end)
    original, before, trail = await hall.handle.describe(), await recorded(hall), await hall.trail()
    first = hall.temporal.get_workflow_handle(hall.handle.id, run_id=original.run_id)
    found = await tasks(first)
    *earlier, last = found
    writes_the_end = end not in DECIDED
    for number, event_id in enumerate([earlier[0], *earlier[1::3], *([last] if writes_the_end else ())], start=1):
        run = await reset(hall, original.run_id, event_id)
        with pytest.raises(WorkflowFailureError) as failed:
            await run.result()
        assert f"has ended as {end}" in str(failed.value.__cause__)
        assert await recorded(hall) == before
        assert await hall.trail() == [*trail, *["reset"] * number], "one entry of each"
    if writes_the_end:
        return
    refused = await hall.trail()
    assert (await (await reset(hall, original.run_id, last)).result())["state"] == end
    assert await recorded(hall) == before
    assert await hall.trail() == refused, "nothing is left to do there, so nothing is refused"


async def test_what_is_under_way_goes_on_in_a_run_that_was_reset(hall: Hall) -> None:
    await hall.ask()
    run = await reset(hall, (await hall.handle.describe()).run_id, (await tasks(hall.handle))[-1])
    assert await hall.decide(Decision.DECLINE) == "declined"
    await run.result()
    assert (await hall.row()).attention == Attention.NONE
    assert await hall.trail() == ["reserved", "taken_up", "declined"]
