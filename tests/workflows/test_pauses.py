"""A step that is being tried is paused and resumed at Temporal; what is not being tried can't be."""

import asyncio
from datetime import timedelta

import pytest

from domain.actors import Actor
from domain.errors import AlreadyDecided, NotFound, NotPossible
from domain.ids import OrderId, TransferId
from domain.transfer import StepName
from tests.workflows.conftest import POLICY, Set, Stage
from tests.workflows.world import World

LISTS = StepName.REPLACE_LISTS
WHO = Actor("operator:op")
PATIENT = POLICY.model_copy(update={"retries_used_up": timedelta(minutes=5)})


class BrokenError(Exception):
    """Something that a retry may mend."""


async def failing(stage: Set) -> Stage:
    """Start a transfer whose list is refused again and again."""
    world = World()
    world.fail["replace_lists"] = [BrokenError("broken")] * 1000
    transfer = await stage(world, PATIENT)
    await transfer.start()
    async with asyncio.timeout(15):
        while LISTS not in await transfer.client.step_attempts(transfer.transfer_id):
            await asyncio.sleep(0.1)  # the server's doing: there is nothing here to wait on
    return transfer


async def test_a_paused_step_is_not_tried_until_it_is_resumed(stage: Set) -> None:
    transfer = await failing(stage)

    for _ in range(2):  # a repeat changes nothing
        await transfer.client.pause(transfer.transfer_id, LISTS, OrderId("1"), actor=WHO)
    await asyncio.sleep(1)  # a try that was under way has ended by now
    transfer.world.fail["replace_lists"].clear()
    await asyncio.sleep(4)  # longer than the pause between the first tries
    held = (await transfer.client.step_attempts(transfer.transfer_id))[LISTS]
    described = await transfer.handle.describe()
    [pending] = described.raw_description.pending_activities
    await transfer.client.resume(transfer.transfer_id, LISTS, actor=WHO)

    assert held.paused
    assert (pending.pause_info.manual.identity, pending.pause_info.manual.reason) == (WHO, "1")
    assert await transfer.outcome() == "completed"


async def test_only_what_is_being_tried_is_paused_and_only_what_is_paused_is_resumed(stage: Set) -> None:
    transfer = await failing(stage)

    with pytest.raises(NotPossible, match="No try of the step rotate_credentials is under way"):
        await transfer.client.pause(transfer.transfer_id, StepName.ROTATE_CREDENTIALS, OrderId("1"), actor=WHO)
    with pytest.raises(NotPossible, match="replace_lists is not paused"):
        await transfer.client.resume(transfer.transfer_id, LISTS, actor=WHO)
    transfer.world.fail["replace_lists"].clear()
    assert await transfer.outcome() == "completed"
    with pytest.raises(AlreadyDecided):
        await transfer.client.pause(transfer.transfer_id, LISTS, OrderId("1"), actor=WHO)
    with pytest.raises(NotFound):
        await transfer.client.pause(TransferId("trf_none"), LISTS, OrderId("1"), actor=WHO)
