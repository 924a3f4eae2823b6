"""What a workflow task that was lost has written is found by the one that runs in its place."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.ended import ended_by_this_run
from domain.errors import AlreadyDecided, Refusal
from domain.ids import OrderId
from domain.transfer import Attention, Connection, OperatorAction, TransferState
from tests.workflows.conftest import POLICY, Set, Stage
from tests.workflows.world import World, asked, plan


async def scheduled(transfer: Stage) -> list[str]:
    """List the ordinary activities of a transfer."""
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        async for event in transfer.handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


@pytest.mark.parametrize("connection", list(Connection))
async def test_a_cancel_finds_a_change_that_was_written(stage: Set, connection: Connection) -> None:
    """It is undone; with the connection deleted there is no way back, and the transfer goes on."""
    rotates = connection is Connection.KEEP
    world = World(plan=plan(connection=connection, rotate=rotates))
    gate = world.gates["quiet"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["quiet"])
    world.owner, world.state = "after", TransferState.RECONFIGURING
    await transfer.handle.cancel()
    gate.set()
    if rotates:
        assert await transfer.outcome() == "rolled_back"
        assert world.calls[world.calls.index("turn_back") + 1 :] == [
            "withdraw_credentials", "restore_ownership", "allow_sessions", "release", "finish",
        ]  # fmt: skip
        assert world.owner == "before"
    else:
        assert await transfer.outcome() == "completed"
        assert world.calls[world.calls.index("turn_back") + 1] == "change_ownership"
        assert world.owner == "after"


@pytest.mark.parametrize("step", ["block_sessions", "change_ownership", "allow_sessions"])
async def test_an_end_that_was_written_is_the_outcome(stage: Set, step: str) -> None:
    world = World(node=None)
    world.fail[step] = [ended_by_this_run(TransferState.COMPLETED_WITH_WARNINGS)]
    transfer = await stage(world)
    try:
        await transfer.start()
    except Refusal:  # it may be over before it has answered
        pytest.fail("the start was refused")
    assert await transfer.outcome() == "completed_with_warnings"
    assert "finish" not in world.calls


async def test_an_absent_charger_costs_no_more_than_one_workflow_task(stage: Set) -> None:
    world = World(plan=plan(rotate=False), node=None)
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert not await scheduled(transfer)


async def test_a_roll_back_of_a_run_that_was_reset_undoes_what_the_first_one_did(stage: Set) -> None:
    world = World(again=True)
    gate = world.gates["quiet"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["quiet"])
    world.owner, world.state = "after", TransferState.RECONFIGURING
    await transfer.handle.cancel()
    gate.set()
    assert await transfer.outcome() == "rolled_back"
    assert world.calls[world.calls.index("turn_back") + 1 :] == [
        "restore_lists", "withdraw_credentials", "restore_ownership", "allow_sessions", "release", "finish",
    ]  # fmt: skip


async def test_an_expiry_finds_a_decision_that_an_earlier_run_took(stage: Set) -> None:
    world = World(plan=asked(0.5))
    world.fail["decide:expire:system"] = [AlreadyDecided("It was accepted.")]
    transfer = await stage(world)
    await transfer.start()
    world.state = TransferState.TRANSFERRING
    assert await transfer.outcome() == "completed"
    assert world.owner == "after"
    assert world.calls.count("take_up") == 1


async def test_what_an_operator_has_left_undone_is_on_record_before_the_end(stage: Set) -> None:
    world = World(plan=plan(rotate=False))
    world.fail["release"] = [ApplicationError("broken", non_retryable=True)] * 10
    transfer = await stage(world, POLICY.model_copy(update={"retries_used_up": timedelta(milliseconds=100)}))
    await transfer.start()
    await world.until(lambda: world.attention is Attention.OPERATOR)
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.COMPLETE, OrderId("1"))
    assert await transfer.outcome() == "completed_with_warnings"
    assert (await scheduled(transfer))[-1] == "registry.finish"


@pytest.mark.parametrize("proves", [True, False])
async def test_an_end_is_on_record_where_the_key_may_still_be_proven(stage: Set, proves: bool) -> None:
    world = World(new_key=not proves)
    transfer = await stage(world, POLICY.model_copy(update={"offline_deadline": timedelta(milliseconds=100)}))
    await transfer.start()
    assert await transfer.outcome() == ("completed" if proves else "completed_with_warnings")
    assert ("registry.finish" in await scheduled(transfer)) is not proves
