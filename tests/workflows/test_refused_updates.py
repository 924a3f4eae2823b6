"""An update that is refused leaves nothing in the history: nothing may be done because it came."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from domain.approval import Decision
from domain.errors import Refusal
from domain.ids import NodeId, OrderId
from domain.transfer import Attention
from tests.workflows.conftest import POLICY, Stage
from tests.workflows.world import World
from worker import gateway_worker, transfer_worker
from workflows.transfer import TransferWorkflow

A_WHILE, LONG = timedelta(seconds=1), timedelta(minutes=5)


async def test_one_that_comes_with_a_timer_is_not_missed_in_a_replay(
    temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTED_AFTER", "SHOWN_AS_RETRYING_AFTER"):
        monkeypatch.setattr(f"workflows.status.{name}", A_WHILE)
    world = World(node=f"node-{uuid.uuid4().hex}", policy=POLICY.model_copy(update={"retries_used_up": LONG}))
    gate = world.gates["quiet"] = asyncio.Event()
    transfer = Stage(temporal, world)
    async with gateway_worker(temporal, world, NodeId(world.node or "")):
        async with transfer_worker(temporal, [world]):
            await transfer.start()
            await world.until(lambda: world.reached["quiet"])
        async with asyncio.timeout(30):
            while EventType.EVENT_TYPE_TIMER_FIRED not in await events(transfer):
                await asyncio.sleep(0.05)  # the server's doing: there is nothing here to wait on
        decision = asyncio.create_task(transfer.client.decide(transfer.transfer_id, Decision.ACCEPT, OrderId("1")))
        await asyncio.sleep(0.5)  # the server has it then, of which nothing tells before a worker is there
        async with transfer_worker(temporal, [world]):
            with pytest.raises(Refusal):
                await decision
            await world.until(lambda: Attention.RETRYING in world.attentions)
            gate.set()
            assert await transfer.outcome() == "completed"
    replayer = Replayer(
        workflows=[TransferWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(await transfer.handle.fetch_history())


async def events(transfer: Stage) -> list[EventType.ValueType]:
    return [event.event_type async for event in transfer.handle.fetch_history_events()]
