"""Whoever reaches Temporal's port sends what they like; only what has an order on record is done in somebody's name."""

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.approval import Decision
from domain.ids import OrderId
from domain.transfer import OperatorAction
from tests.workflows.conftest import Set, Stage
from tests.workflows.test_trouble import broken, parked
from tests.workflows.world import World, asked

FORGED, GENUINE = OrderId("forged"), OrderId("genuine")
#: What may be sent in an order's place.
ANYTHING: tuple[Any, ...] = ({"order_id": FORGED}, {}, "garbage", None)


async def send(transfer: Stage, update: str, argument: Any, update_id: str) -> Any:
    """Send an update as anybody may; gives what it is answered, or what it failed with."""
    try:
        if argument is None:
            return await transfer.handle.execute_update(update, id=update_id)
        return await transfer.handle.execute_update(update, argument, id=update_id)
    except WorkflowUpdateFailedError as failed:
        return failed


@pytest.mark.parametrize("argument", ANYTHING)
@pytest.mark.parametrize("update", ["accept", "decline", "resend"])
async def test_what_is_sent_first_under_its_update_id_keeps_no_genuine_one_out(
    stage: Set, update: str, argument: Any
) -> None:
    transfer = await stage(World(plan=asked(), unproven={FORGED}))
    await transfer.start()
    assert isinstance(await send(transfer, update, argument, f"accept-{GENUINE}"), WorkflowUpdateFailedError)
    state = await transfer.client.decide(transfer.transfer_id, Decision.ACCEPT, GENUINE)
    assert state == "transferring"
    assert [call for call in transfer.world.calls if call.startswith(("decide", "resend"))] == ["decide:accept:genuine"]
    assert await transfer.outcome() == "completed"


@pytest.mark.parametrize("update", ["accept", "decline", "resend"])
async def test_a_forged_one_changes_nothing(stage: Set, update: str) -> None:
    transfer = await stage(World(plan=asked(), unproven={FORGED}))
    await transfer.start()
    for number, argument in enumerate(ANYTHING):
        assert isinstance(await send(transfer, update, argument, f"{number}"), WorkflowUpdateFailedError)
    assert transfer.world.state == "awaiting_acceptance"
    assert transfer.world.resent == ()
    assert await transfer.client.decide(transfer.transfer_id, Decision.DECLINE, GENUINE) == "declined"
    assert await transfer.outcome() == "declined"


async def test_a_resolve_without_an_order_is_done_and_not_in_anybodys_name(stage: Set) -> None:
    world = World(unproven={FORGED})
    world.fail["release"] = broken()
    transfer = await stage(world)
    await transfer.start()
    for number, order in enumerate(({}, {"order_id": FORGED})):
        await parked(transfer)
        world.fail["release"] = broken()
        answer = await send(transfer, "resolve", {"action": "retry", **order}, f"{number}")
        assert answer["order_id"] is None
    await parked(transfer)
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.COMPLETE, GENUINE)
    assert await transfer.outcome() == "completed_with_warnings"


async def test_what_an_operator_had_done_is_not_done_twice(stage: Set) -> None:
    """Where its order was used before, it is the Temporal UI's; but it was done."""
    world = World(unproven={GENUINE})
    world.fail["release"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    noted = world.reached["note_resolution"]
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.COMPLETE, GENUINE)
    assert world.reached["note_resolution"] == noted + 1
    assert await transfer.outcome() == "completed_with_warnings"


@pytest.mark.parametrize("argument", ANYTHING[:2])
async def test_a_cancel_without_an_order_is_the_temporal_uis(stage: Set, argument: Any) -> None:
    transfer = await stage(World(plan=asked(), unproven={FORGED}))
    await transfer.start()
    answer = await send(transfer, "cancel", argument, "anything")
    assert (answer["state"], answer["order_id"]) == ("cancelled", None)
    assert "decide:cancel:temporal-ui" in transfer.world.calls
    assert await transfer.outcome() == "cancelled"
