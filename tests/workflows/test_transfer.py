"""How a transfer's run ends: not before all that it owes is done."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from domain.errors import TooLate
from domain.ids import OrderId
from domain.transfer import Attention, OperatorAction
from tests.workflows.conftest import Set
from tests.workflows.world import World, plan


async def test_it_does_not_end_while_an_operator_waits_for_their_answer(stage: Set) -> None:
    world = World()
    world.fail["release"] = [ApplicationError("no answer", non_retryable=True)]
    world.gates["note_resolution"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.attention is Attention.OPERATOR)
    answer = asyncio.create_task(transfer.client.resolve(transfer.transfer_id, OperatorAction.RETRY, OrderId("1")))
    await world.until(lambda: "finish" in world.calls and world.reached["note_resolution"])
    result = asyncio.create_task(transfer.handle.result())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(result), 1)
    world.gates["note_resolution"].set()
    await answer
    assert (await result).state.value == "completed"


async def test_while_its_end_is_written_it_shows_what_follows_and_there_is_no_way_back(stage: Set) -> None:
    world = World(plan=plan(rotate=False))
    world.gates["finish"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["finish"])
    assert "step `tell_parties`" in await transfer.page()
    with pytest.raises(TooLate, match="about to end"):
        await transfer.client.resolve(transfer.transfer_id, OperatorAction.ROLL_BACK, OrderId("1"))
    world.gates["finish"].set()
    assert await transfer.outcome() == "completed"
