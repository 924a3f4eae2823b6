"""What a workflow task that was lost has written is found by the one that runs in its place."""

import asyncio

import pytest

from activities.ended import ended_by_this_run
from domain.errors import Refusal
from domain.transfer import Connection, TransferState
from tests.workflows.conftest import Set
from tests.workflows.world import World, plan


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
    events = [event async for event in transfer.handle.fetch_history_events()]
    assert not [event for event in events if event.HasField("activity_task_scheduled_event_attributes")]
