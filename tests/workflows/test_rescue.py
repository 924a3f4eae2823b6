"""What an ended transfer had left to do, done when its charger is back: the workflow, with fakes for the world."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest
from temporalio.client import Client

from activities.contracts.messages import TransferRef
from activities.contracts.rescues import Rescue, Rescued, Rescues, Settled
from domain.charger import CommandOutcome, Shortfall
from domain.errors import TransferInProgress
from domain.ids import NodeId, TransferId, rescue_workflow_id
from engine.engine import TemporalEngine
from tests.workflows.conftest import POLICY, keep_history
from tests.workflows.world import CHARGE_POINT, World
from worker import gateway_worker, transfer_worker


@dataclass
class Left(World, Rescues):
    """A world in which lists and release are due."""

    ready: bool = True
    due: bool = True
    done: Rescued | None = None
    look_again: timedelta = POLICY.look_again

    async def begin(self, ref: TransferRef) -> Rescue:
        policy = POLICY.model_copy(update={"look_again": self.look_again})
        return Rescue(
            ready=self.ready and self.due, charge_point_id=CHARGE_POINT, lists=True, release=True, policy=policy
        )

    async def settle(self, rescued: Rescued) -> Settled:
        self.due = not (rescued.lists and rescued.release)
        self.done = rescued
        return Settled(done=not self.due)


async def rescue(temporal: Client, world: Left, request: pytest.FixtureRequest | None = None) -> list[str]:
    """Try a rescue to its end, and give what was done."""
    world.node = f"{world.node}-{uuid.uuid4().hex}"
    transfer_id = TransferId(f"trf_{uuid.uuid4().hex}")
    client = TemporalEngine(temporal)
    async with transfer_worker(temporal, [world]), gateway_worker(temporal, world, NodeId(world.node)):
        await client.rescue(transfer_id)
        await client.rescue(transfer_id)  # another wake-up, meanwhile or afterwards
        handle = temporal.get_workflow_handle(rescue_workflow_id(transfer_id))
        await handle.result()
    if request is not None:
        await keep_history(request, handle)
    return world.calls


@pytest.mark.recorded
async def test_what_is_due_is_done_once(temporal: Client, request: pytest.FixtureRequest) -> None:
    world = Left()
    assert await rescue(temporal, world, request) == ["replace_lists", "release"]


async def test_a_charger_that_takes_no_list_is_left_without_and_that_is_on_record(temporal: Client) -> None:
    for answer in (CommandOutcome.NOT_SUPPORTED, CommandOutcome.REJECTED):
        world = Left(left=(Shortfall.CACHE_NOT_CLEARED,))
        world.answers["replace_lists"] = [answer]
        await rescue(temporal, world)
        assert not world.due
        assert world.done
        assert (world.done.lists, world.done.lists_not_supported, world.done.release) == (True, True, True)
        assert world.done.left == (Shortfall.CACHE_NOT_CLEARED,)


async def test_nothing_is_sent_to_a_charger_that_may_not_have_it_yet(temporal: Client) -> None:
    world = Left(ready=False)
    assert await rescue(temporal, world) == []
    assert world.due


@pytest.mark.parametrize("step", ["replace_lists", "release"])
@pytest.mark.parametrize("error", [RuntimeError("no answer"), TransferInProgress("another is at work")])
async def test_what_fails_for_a_moment_is_tried_again(temporal: Client, step: str, error: Exception) -> None:
    world = Left()
    world.fail[step] = [error]
    await rescue(temporal, world)
    assert not world.due


async def test_between_two_tries_it_waits_for_news_of_the_charger(temporal: Client) -> None:
    world = Left(node=f"node-{uuid.uuid4().hex}", look_again=timedelta(days=1))
    world.fail["release"] = [RuntimeError("no answer")] * 2
    transfer_id, client = TransferId(f"trf_{uuid.uuid4().hex}"), TemporalEngine(temporal)
    async with transfer_worker(temporal, [world]), gateway_worker(temporal, world, NodeId(world.node or "")):
        for tries in (1, 2, 3):
            await client.rescue(transfer_id)
            await world.until(lambda tries=tries: world.reached["release"] == tries)
            if tries < 3:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(world.until(lambda tries=tries: world.reached["release"] > tries), 1)
        await temporal.get_workflow_handle(rescue_workflow_id(transfer_id)).result()


@pytest.mark.parametrize("step", ["replace_lists", "release"])
async def test_what_the_charger_does_not_take_stays_due_and_holds_nothing_else_up(temporal: Client, step: str) -> None:
    world = Left()
    if step == "release":
        world.answers[step] = [CommandOutcome.REJECTED] * 20
    else:
        world.fail[step] = [RuntimeError("no answer")] * 20
    await rescue(temporal, world)
    assert world.due
    assert world.done
    assert (world.done.lists, world.done.release) == (step == "release", step == "replace_lists")
