"""What a crash, an outage or a hand in the Temporal UI left behind is found by the reconciler, and put right."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

import worker
from activities.contracts.reconciler import Settlement
from activities.ended import EndedTransfers
from domain.approval import Decision
from domain.reconciliation import TAKE_UPS, Finding, RunStatus
from domain.transfer import OperatorAction, TransferState
from engine.runs import Runs
from engine.schedule import RECONCILE, keep_schedule
from persistence.session import Database
from persistence.tables import (
    ApprovalLink,
    AuditCounter,
    AuditEvent,
    Code,
    Order,
    OutboxLetter,
    Request,
    Table,
    Transfer,
    TransferStep,
)
from persistence.vault import Vault
from tests.journeys.requests import keep_a_request
from tests.orders import give
from tests.persistence.unguarded import unguarded
from tests.troubles.hall import Hall


@pytest.fixture
async def hall(
    temporal: Client, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Hall]:
    monkeypatch.setattr("workflows.reconciliation.SETTLES_WITHIN", timedelta(seconds=1))
    hall = Hall(temporal, database, vault)
    async with worker.transfer_worker(temporal, hall.steps, [EndedTransfers(database)]):
        yield hall


async def test_a_request_that_nobody_started_is_started(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.reconciler.LEFT_AFTER", timedelta())
    hall.transfer_id = await keep_a_request(hall.database, hall.vault)
    assert await hall.reconcile() == {Finding.NOT_STARTED: Settlement.STARTED}
    await hall.until("completed_with_warnings")  # the charger is not there
    async with hall.database.reading() as rows:
        assert (await rows.get_one(Request, hall.transfer_id)).started_at is not None
    assert await hall.reconcile() == {}


async def test_a_terminated_transfer_is_taken_up_and_ends(hall: Hall) -> None:
    await hall.ask()
    await hall.handle.terminate("by mistake")
    assert await hall.reconcile() == {Finding.RUN_LOST: Settlement.MENDED}
    assert await hall.reconcile() == {}
    assert await hall.accept() is TransferState.TRANSFERRING
    await hall.until("completed_with_warnings")  # the charger is not there
    assert await hall.trail() == [
        "reserved",
        "taken_up",
        "transferring",
        "ownership_changed",
        "completed_with_warnings",
    ]


async def test_a_transfer_that_is_lost_again_and_again_is_parked_until_an_operator_takes_it_up(hall: Hall) -> None:
    await hall.ask()
    for _ in range(TAKE_UPS):
        await hall.handle.terminate("again")
        assert await hall.reconcile() == {Finding.RUN_LOST: Settlement.MENDED}
    await hall.handle.terminate("again")
    assert await hall.reconcile() == {Finding.RUN_LOST: Settlement.PARKED}
    assert (await hall.row()).attention == "operator"
    assert await hall.parked() == ["run_lost"]
    assert (await hall.trail()).count("parked") == 1
    await hall.client.take_up(hall.transfer_id)
    assert await hall.reconcile() == {}
    assert await hall.parked() == []
    assert (await hall.row()).attention == "recipient"


async def test_a_transfer_whose_run_ended_otherwise_is_parked_and_an_operators_to_end(hall: Hall) -> None:
    await hall.ask()
    await hall.decide(Decision.DECLINE)
    await hall.handle.result()
    put_back = {"state": "awaiting_acceptance", "active": True, "finished_at": None}  # as from a backup
    async with hall.database.writing() as rows:
        await rows.execute(update(Transfer).values(put_back))
    assert await hall.reconcile() == {Finding.RUN_ENDED: Settlement.PARKED}
    assert (await hall.row()).attention == "operator"
    await hall.client.take_up(hall.transfer_id)
    await hall.roll_back()
    await hall.until("cancelled")
    assert await hall.reconcile() == {}
    assert await hall.parked() == []


@pytest.mark.parametrize("ended", [True, False])
async def test_a_run_of_which_the_register_has_never_heard_is_parked_until_it_is_gone(hall: Hall, ended: bool) -> None:
    """As after a backup: the transfer was asked for after the moment that the database was put back to."""
    await hall.ask()
    if ended:
        await hall.decide(Decision.DECLINE)
        await hall.handle.result()
    async with unguarded(hall.database) as rows:
        for table in reversed(Table.metadata.sorted_tables):
            if table.name not in {"compatibility", "users", "groups", "memberships"}:
                await rows.execute(delete(table))
    assert await hall.reconcile() == {Finding.RUN_UNKNOWN: Settlement.PARKED}
    assert await hall.reconcile() == {Finding.RUN_UNKNOWN: Settlement.PARKED}
    assert await hall.parked() == ["run_unknown"]
    if ended:
        await delete_run(hall)
    else:
        await hall.handle.terminate("as the runbook says")
    assert await hall.reconcile() == {}
    assert await hall.parked() == []


async def test_a_request_whose_run_ended_and_left_no_row_is_an_operators_to_begin_again(hall: Hall) -> None:
    """As after a backup of the moment between a request and its transfer."""
    await hall.ask()
    await hall.decide(Decision.DECLINE)
    await hall.handle.result()
    async with unguarded(hall.database) as rows:
        for table in (Code, ApprovalLink, TransferStep, OutboxLetter, AuditEvent, AuditCounter, Order, Transfer):
            await rows.execute(delete(table))
    assert await hall.reconcile() == {Finding.RUN_ENDED: Settlement.PARKED}
    order_id = await give(hall.database, hall.transfer_id, "retry", "operator:op", request_id="1", reason="for a test")
    await hall.client.resolve(hall.transfer_id, OperatorAction.RETRY, order_id, under_way=True)
    assert (await hall.row()).state == "awaiting_acceptance"
    assert await hall.reconcile() == {}
    assert await hall.parked() == []
    await hall.handle.terminate("the test is over")


async def delete_run(hall: Hall) -> None:
    """Delete a run as `temporal workflow delete` does, and wait until it is gone."""
    execution = WorkflowExecution(workflow_id=hall.handle.id)
    service = hall.temporal.workflow_service
    await service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=hall.temporal.namespace, workflow_execution=execution)
    )
    async with asyncio.timeout(90):
        while (await Runs(hall.temporal).latest(hall.transfer_id)).status is not RunStatus.LOST:
            await asyncio.sleep(0.05)  # the server's doing: there is nothing here to wait on


async def test_a_run_that_says_another_state_than_the_register_is_parked(hall: Hall) -> None:
    await hall.ask()
    async with hall.database.writing() as rows:
        await rows.execute(update(Transfer).values(state="reconfiguring"))
    assert await hall.reconcile() == {Finding.STATES_DISAGREE: Settlement.PARKED}
    await hall.handle.terminate("the test is over")


async def test_what_settles_by_itself_is_left_alone(hall: Hall) -> None:
    """A transfer that ends between the two looks disagrees with nobody."""
    await hall.ask()
    async with hall.database.writing() as rows:
        await rows.execute(update(Transfer).values(state="reconfiguring"))
    looking = asyncio.create_task(hall.reconcile())
    handle = hall.temporal.get_workflow_handle(f"{RECONCILE}-{hall.transfer_id}")
    async with asyncio.timeout(30):
        while not await _has_looked(handle):
            await asyncio.sleep(0.05)  # the worker's doing: there is nothing here to wait on
    async with hall.database.writing() as rows:
        await rows.execute(update(Transfer).values(state="awaiting_acceptance"))
    assert await looking == {}
    assert await hall.parked() == []
    await hall.handle.terminate("the test is over")


async def _has_looked(handle: WorkflowHandle[object, object]) -> bool:
    try:
        return any([event.HasField("timer_started_event_attributes") async for event in handle.fetch_history_events()])
    except RPCError:  # not started yet
        return False


async def test_the_schedule_is_one_however_often_it_is_made_and_keeps_an_operators_pause(hall: Hall) -> None:
    await keep_schedule(hall.temporal, timedelta(hours=1))
    handle = hall.temporal.get_schedule_handle(RECONCILE)
    try:
        await handle.pause(note="looking into it")
        await keep_schedule(hall.temporal, timedelta(hours=2))
        seen = (await handle.describe()).schedule
        assert [interval.every for interval in seen.spec.intervals] == [timedelta(hours=2)]
        assert (seen.state.paused, seen.state.note) == (True, "looking into it")
    finally:
        await handle.delete()
