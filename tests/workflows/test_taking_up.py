"""A run that was terminated is taken up where it was: the same outcome, whatever it was doing."""

import asyncio

import pytest

from domain.approval import Decision
from domain.charger import KeyAnswer
from domain.errors import AlreadyDecided, Unavailable
from domain.ids import OrderId
from domain.transfer import Attention, Connection, OperatorAction, Reason, TransferState
from tests.workflows.conftest import Set, Stage
from tests.workflows.world import World, asked, plan

FORWARD = (
    "reserve", "block_sessions", "quiet", "change_ownership", "replace_lists", "rotate",
    "allow_sessions", "release", "finish",
)  # fmt: skip
BACK = ("turn_back", "withdraw_credentials", "restore_lists", "restore_ownership", "release", "finish")


async def terminated_at(transfer: Stage, step: str) -> None:
    """Terminate the run while it is at a step, whose effect comes nevertheless."""
    world = transfer.world
    world.gates[step] = asyncio.Event()
    opening = asyncio.create_task(transfer.client.start(transfer.transfer_id))
    await world.until(lambda: world.reached[step])
    await transfer.handle.terminate("test")
    world.gates.pop(step).set()
    await asyncio.gather(opening, return_exceptions=True)


@pytest.mark.parametrize("step", FORWARD)
async def test_a_transfer_goes_on_where_its_run_was_terminated(stage: Set, step: str) -> None:
    transfer = await stage(World())
    await terminated_at(transfer, step)
    await transfer.client.take_up(transfer.transfer_id)
    assert await transfer.outcome() == "completed"
    assert (transfer.world.owner, transfer.world.warnings) == ("after", ())
    assert transfer.world.state is TransferState.COMPLETED


@pytest.mark.parametrize("step", BACK)
async def test_a_roll_back_goes_on_where_its_run_was_terminated(stage: Set, step: str) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.REJECTED] * 2
    transfer = await stage(world)
    await terminated_at(transfer, step)
    await transfer.client.take_up(transfer.transfer_id)
    assert await transfer.outcome() == "rolled_back"
    assert (world.owner, world.reason) == ("before", "charger_rejected")
    assert world.state is TransferState.ROLLED_BACK
    assert "restore_lists" in world.calls
    assert "release" in world.calls


@pytest.mark.recorded
async def test_a_terminated_roll_back_undoes_everything_again(stage: Set) -> None:
    world = World(state=TransferState.ROLLING_BACK, reason=Reason.SESSION_DEADLINE, owner="after", run_id="earlier")
    transfer = await stage(world)
    await transfer.client.take_up(transfer.transfer_id)
    assert await transfer.outcome() == "rolled_back"
    assert (world.owner, world.reason) == ("before", "session_deadline")
    undone = world.calls[world.calls.index("take_up") + 1 :]
    assert undone == [
        "turn_back", "restore_lists", "withdraw_credentials", "restore_ownership", "allow_sessions", "release",
        "finish",
    ]  # fmt: skip


@pytest.mark.recorded
async def test_what_a_terminated_run_was_told_is_known(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    world = transfer.world
    world.gates["quiet"] = asyncio.Event()
    await transfer.start()

    async def accept() -> TransferState:
        return await transfer.client.decide(transfer.transfer_id, Decision.ACCEPT, OrderId("user:recipient"))

    assert await accept() is TransferState.TRANSFERRING
    await world.until(lambda: world.reached["quiet"])
    await transfer.handle.terminate("test")
    await transfer.client.take_up(transfer.transfer_id)
    assert await accept() is TransferState.TRANSFERRING
    with pytest.raises(AlreadyDecided):
        await transfer.client.decide(transfer.transfer_id, Decision.DECLINE, OrderId("user:recipient"))
    world.gates.pop("quiet").set()
    assert await transfer.outcome() == "completed"


async def test_who_decides_on_a_lost_run_is_asked_for_patience_not_told_that_it_ended(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    await transfer.handle.terminate("test")
    with pytest.raises(Unavailable, match="about to go on"):
        await transfer.client.decide(transfer.transfer_id, Decision.ACCEPT, OrderId("user:recipient"))


async def test_a_decision_that_comes_while_a_run_is_taken_up_waits_for_it(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    world = transfer.world
    await transfer.start()
    await transfer.handle.terminate("test")
    world.gates["take_up"] = asyncio.Event()
    taking_up = asyncio.create_task(transfer.client.take_up(transfer.transfer_id))
    await world.until(lambda: world.reached["take_up"])
    deciding = asyncio.create_task(
        transfer.client.decide(transfer.transfer_id, Decision.ACCEPT, OrderId("user:recipient"))
    )
    await asyncio.wait({deciding}, timeout=1)
    world.gates.pop("take_up").set()
    assert await deciding is TransferState.TRANSFERRING
    await taking_up
    assert await transfer.outcome() == "completed"


async def test_an_operator_takes_up_what_is_under_way(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    await transfer.handle.terminate("test")
    with pytest.raises(Unavailable):
        await transfer.client.resolve(transfer.transfer_id, OperatorAction.ROLL_BACK, OrderId("1"))
    await transfer.client.resolve(
        transfer.transfer_id,
        OperatorAction.ROLL_BACK,
        OrderId("1"),
        under_way=True,
    )
    assert await transfer.outcome() == "cancelled"


async def test_a_terminated_question_can_still_be_answered(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    await transfer.world.until(lambda: transfer.world.attention is Attention.RECIPIENT)
    await transfer.handle.terminate("test")
    await transfer.client.take_up(transfer.transfer_id)
    state = await transfer.client.decide(transfer.transfer_id, Decision.DECLINE, OrderId("user:recipient"))
    assert state is TransferState.DECLINED
    assert await transfer.outcome() == "declined"


async def test_a_deleted_connection_that_is_taken_up_after_its_change_only_goes_forward(stage: Set) -> None:
    world = World(plan=plan(connection=Connection.DELETE, rotate=False))
    transfer = await stage(world)
    await terminated_at(transfer, "replace_lists")
    await transfer.client.take_up(transfer.transfer_id)
    assert await transfer.outcome() == "completed"
    assert "restore_ownership" not in world.calls


async def test_a_run_that_runs_is_left_alone(stage: Set) -> None:
    world = World()
    world.gates["quiet"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["quiet"])
    await transfer.client.take_up(transfer.transfer_id)
    world.gates["quiet"].set()
    assert await transfer.outcome() == "completed"
    assert "take_up" not in world.calls


async def test_an_operator_rolls_a_lost_run_back(stage: Set) -> None:
    world = World()
    transfer = await stage(world)
    await terminated_at(transfer, "replace_lists")
    world.gates["replace_lists"] = asyncio.Event()
    await transfer.client.take_up(transfer.transfer_id)
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.ROLL_BACK, OrderId("1"))
    world.gates.pop("replace_lists").set()
    assert await transfer.outcome() == "rolled_back"
    assert world.owner == "before"
