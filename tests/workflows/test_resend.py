"""A resend on the real server: each once, one outcome of a race."""

import asyncio

import pytest

from activities.contracts.registry import ResendRecord
from domain.approval import Decision
from domain.errors import AlreadyDecided, Unavailable
from domain.ids import OrderId
from domain.transfer import TransferState
from tests.workflows.conftest import Set, Stage
from tests.workflows.world import World, asked


async def resend(transfer: Stage, order: str = "1") -> None:
    await transfer.client.resend(transfer.transfer_id, OrderId(order))


async def decline(transfer: Stage) -> TransferState:
    return await transfer.client.decide(transfer.transfer_id, Decision.DECLINE, OrderId("user:recipient"))


@pytest.mark.recorded
async def test_a_resend_is_written_each_time_while_somebody_is_asked(stage: Set) -> None:
    transfer = await stage(World(plan=asked(seconds=60)))
    await transfer.start()
    await resend(transfer)
    await resend(transfer, "2")
    assert transfer.world.resent == ("1", "2")
    await decline(transfer)
    assert await transfer.outcome() == "declined"


async def test_the_same_resend_again_is_answered_alike_and_asks_once(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    await asyncio.gather(*(resend(transfer) for _ in range(3)))
    await decline(transfer)
    await transfer.outcome()
    await resend(transfer)
    assert transfer.world.resent == ("1",)
    with pytest.raises(AlreadyDecided):
        await resend(transfer, "2")


async def test_a_run_that_is_taken_up_knows_what_was_resent(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    world = transfer.world
    await transfer.start()
    await resend(transfer)
    await transfer.handle.terminate("test")
    with pytest.raises(Unavailable, match="about to go on"):
        await resend(transfer, "2")
    await transfer.client.take_up(transfer.transfer_id)
    await resend(transfer)
    await resend(transfer, "2")
    assert world.resent == ("1", "2")
    await decline(transfer)
    assert await transfer.outcome() == "declined"


async def test_a_resend_that_a_terminated_run_took_is_answered_alike_once_it_is_decided(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    world = transfer.world
    world.gates["quiet"] = asyncio.Event()
    await transfer.start()
    await resend(transfer)
    await transfer.client.decide(transfer.transfer_id, Decision.ACCEPT, OrderId("user:recipient"))
    await world.until(lambda: world.reached["quiet"])
    await transfer.handle.terminate("test")
    await transfer.client.take_up(transfer.transfer_id)
    await resend(transfer)
    with pytest.raises(AlreadyDecided):
        await resend(transfer, "2")
    world.gates.pop("quiet").set()
    assert await transfer.outcome() == "completed"


async def test_a_resend_that_waited_for_a_decision_finds_that_nobody_is_asked(stage: Set) -> None:
    world = World(plan=asked())
    world.gates["decide:decline:user:recipient"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    deciding = asyncio.create_task(decline(transfer))
    await world.until(lambda: world.reached["decide:decline:user:recipient"])
    resending = asyncio.create_task(resend(transfer))
    await asyncio.wait({resending}, timeout=1)
    world.gates["decide:decline:user:recipient"].set()
    assert await deciding is TransferState.DECLINED
    with pytest.raises(AlreadyDecided):
        await resending
    assert world.resent == ()


def test_the_record_of_a_resend_holds_ids_only() -> None:
    assert set(ResendRecord.model_fields) == {"transfer_id", "order_id"}
