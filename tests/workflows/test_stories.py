"""Whole stories of the workflow, on the real server, with fakes for the world."""

import pytest
from temporalio.client import Client

from domain.charger import CommandOutcome, KeyAnswer, Shortfall
from domain.errors import NotAllowed, TransferInProgress
from domain.ids import TASK_QUEUE
from domain.transfer import Connection, IfOffline, TransferWarning
from tests.workflows.conftest import Set
from tests.workflows.world import World, plan
from workflows.messages import TransferOrder
from workflows.transfer import TransferWorkflow


@pytest.mark.recorded
async def test_a_transfer_that_nobody_is_asked_about_runs_through(stage: Set) -> None:
    world = World()
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed"
    assert world.calls == [
        "reserve", "block_sessions", "quiet", "change_ownership", "replace_lists", "rotate",
        "allow_sessions", "release", "finish",
    ]  # fmt: skip


@pytest.mark.recorded
async def test_a_refusal_reaches_the_caller_as_what_it_is(stage: Set) -> None:
    world = World()
    world.fail["reserve"] = [TransferInProgress("Wait for its end.")]
    transfer = await stage(world)
    with pytest.raises(TransferInProgress, match="Wait for its end"):
        await transfer.start()
    assert await transfer.outcome() == "refused"
    assert world.reason == "transfer_in_progress"
    with pytest.raises(TransferInProgress):
        await transfer.client.start(transfer.transfer_id)


async def test_a_refusal_that_nobody_heard_is_an_end_that_the_register_knows(stage: Set, temporal: Client) -> None:
    world = World()
    world.fail["reserve"] = [TransferInProgress("Wait for its end.")]
    transfer = await stage(world)
    order = TransferOrder(transfer_id=transfer.transfer_id)
    await temporal.start_workflow(TransferWorkflow.run, order, id=transfer.handle.id, task_queue=TASK_QUEUE)
    assert await transfer.outcome() == "refused"
    assert await transfer.client.start(transfer.transfer_id)
    assert world.reason == "transfer_in_progress"


@pytest.mark.recorded
async def test_lost_rights_roll_back_what_was_done(stage: Set) -> None:
    world = World()
    world.fail["change_ownership"] = [NotAllowed("No more.")]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "rolled_back"
    assert world.reason == "rights_lost"
    assert world.calls[-5:] == [
        "withdraw_credentials", "restore_ownership", "allow_sessions", "release", "finish",
    ]  # fmt: skip


@pytest.mark.recorded
async def test_a_charger_that_rejects_its_credentials_rolls_everything_back(stage: Set) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.REJECTED]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "rolled_back"
    assert (world.owner, world.reason) == ("before", "charger_rejected")
    undone = world.calls[world.calls.index("rotate") + 1 :]
    assert undone == [
        "turn_back",
        "restore_lists", "withdraw_credentials", "restore_ownership", "allow_sessions", "release", "finish",
    ]  # fmt: skip


@pytest.mark.recorded
async def test_a_charger_that_cannot_rotate_completes_with_a_warning(stage: Set) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.NOT_SUPPORTED]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == (TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED,)
    assert "withdraw_credentials" in world.calls


@pytest.mark.recorded
async def test_a_charger_that_needs_a_restart_gets_one(stage: Set) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.REBOOT_REQUIRED]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed"
    assert "reset" in world.calls


@pytest.mark.recorded
async def test_a_deleted_connection_is_closed_and_nothing_rotated(stage: Set) -> None:
    world = World(plan=plan(connection=Connection.DELETE, rotate=False))
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed"
    assert world.calls[-4:] == ["allow_sessions", "release", "disconnect", "finish"]
    assert "rotate" not in world.calls


@pytest.mark.parametrize("answer", [CommandOutcome.NOT_SUPPORTED, CommandOutcome.REJECTED])
async def test_lists_that_are_not_taken_are_a_warning_and_hold_nothing_up(stage: Set, answer: CommandOutcome) -> None:
    world = World(plan=plan(quiet=False, rotate=False))
    world.answers["replace_lists"] = [answer]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == (TransferWarning.LISTS_NOT_SUPPORTED,)


async def test_what_could_not_be_done_about_former_tags_is_a_warning(stage: Set) -> None:
    world = World(plan=plan(quiet=False, rotate=False), left=tuple(Shortfall))
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == tuple(TransferWarning(shortfall.value) for shortfall in Shortfall)


async def test_an_owner_who_stays_does_not_wait_for_an_offline_charger(stage: Set) -> None:
    world = World(plan=plan(quiet=False, rotate=False), node=None)
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == (TransferWarning.LISTS_DUE,)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("if_offline", "state"), [(IfOffline.COMPLETE, "completed_with_warnings"), (IfOffline.ROLL_BACK, "rolled_back")]
)
async def test_a_charger_that_stays_offline_ends_by_the_senders_choice(
    stage: Set, if_offline: IfOffline, state: str
) -> None:
    world = World(plan=plan(if_offline=if_offline), node=None)
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == state
    assert world.owner == ("after" if state.startswith("completed") else "before")
