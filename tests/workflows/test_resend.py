"""A resend on the real server: a new question at once, reminders with the newest link, one outcome of a race."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.contracts.registry import ResendRecord
from domain.approval import Decision
from domain.errors import AlreadyDecided, Unavailable
from domain.ids import OrderId
from domain.transfer import Attention, OperatorAction, TransferState
from tests.workflows.conftest import Set, Stage
from tests.workflows.world import World, asked


async def resend(transfer: Stage, order: str = "1") -> None:
    await transfer.client.resend(transfer.transfer_id, OrderId(order))


async def decline(transfer: Stage) -> TransferState:
    return await transfer.client.decide(transfer.transfer_id, Decision.DECLINE, OrderId("user:recipient"))


@pytest.mark.recorded
async def test_a_resend_asks_anew_and_reminders_carry_the_newest_link(stage: Set) -> None:
    due = datetime.now(UTC) + timedelta(seconds=15)
    transfer = await stage(World(plan=asked(seconds=60).model_copy(update={"remind_at": (due,)})))
    await transfer.start()
    await transfer.world.until(lambda: transfer.world.letters == ["ask0"])
    await resend(transfer)
    await transfer.world.until(lambda: transfer.world.letters == ["ask0", "ask0 of 2"])
    await transfer.world.until(lambda: transfer.world.letters[2:] == ["ask1 of 2"])
    await resend(transfer, "2")
    await transfer.world.until(lambda: transfer.world.letters[3:] == ["ask0 of 3"])
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
    assert transfer.world.letters.count("ask0 of 2") <= 1  # a decision may be faster than the letter
    with pytest.raises(AlreadyDecided):
        await resend(transfer, "2")


async def test_a_letter_that_can_not_be_sent_is_given_up_for_the_new_one(stage: Set) -> None:
    world = World(plan=asked())
    world.fail["ask"] = [ApplicationError("no mail server", non_retryable=True)]
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.attention is Attention.OPERATOR)
    await resend(transfer)
    await world.until(lambda: "ask0 of 2" in world.letters and world.attention is Attention.RECIPIENT)
    await decline(transfer)
    assert await transfer.outcome() == "declined"


async def test_a_letter_that_can_not_be_sent_is_tried_again_as_an_operator_says(stage: Set) -> None:
    world = World(plan=asked())
    world.fail["ask"] = [ApplicationError("no mail server", non_retryable=True)]
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.attention is Attention.OPERATOR)
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.RETRY, OrderId("r-1"))
    await world.until(lambda: world.letters == ["ask0"] and world.attention is Attention.RECIPIENT)
    await decline(transfer)
    assert await transfer.outcome() == "declined"


async def test_a_run_that_is_taken_up_asks_with_the_newest_link_and_knows_what_was_resent(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    world = transfer.world
    await transfer.start()
    await world.until(lambda: world.letters == ["ask0"])
    world.gates["ask"] = asyncio.Event()
    await resend(transfer)
    await transfer.handle.terminate("test")
    with pytest.raises(Unavailable, match="about to go on"):
        await resend(transfer, "2")
    world.gates.pop("ask").set()
    await transfer.client.take_up(transfer.transfer_id)
    await world.until(lambda: "ask0 of 2" in world.letters)
    await resend(transfer)
    await resend(transfer, "2")
    assert world.resent == ("1", "2")
    await world.until(lambda: "ask0 of 3" in world.letters)
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
