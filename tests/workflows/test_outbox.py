"""The outbox's workflow on the real server: one for all, which goes on whatever becomes of a worker or of itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus

from activities.contracts.messages import Done
from activities.contracts.outbox import Deliver, Outbox, Queue
from engine.engine import TemporalEngine
from engine.outbox import OUTBOX
from worker import transfer_worker


@dataclass
class Shifts(Outbox):
    """Counts the shifts that are begun; each ends once it may, or as its worker stops."""

    begun: int = 0
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def queue(self, letter: Queue) -> Done:
        raise AssertionError

    async def deliver(self, order: Deliver) -> Done:
        self.begun += 1
        self.changed.set()
        while not (self.may_end.is_set() or activity.is_worker_shutdown()):
            activity.heartbeat()
            await asyncio.sleep(0.1)
        return Done()

    async def until(self, begun: int) -> None:
        async with asyncio.timeout(30):
            while self.begun < begun:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def engine(temporal: Client) -> AsyncIterator[TemporalEngine]:
    yield TemporalEngine(temporal)
    await temporal.get_workflow_handle(OUTBOX).terminate("the test is over")


async def run_id(temporal: Client) -> str:
    seen = await temporal.get_workflow_handle(OUTBOX).describe()
    assert seen.status is WorkflowExecutionStatus.RUNNING
    return str(seen.run_id)


async def test_there_is_one_and_the_next_worker_goes_on_where_one_stops(
    temporal: Client, engine: TemporalEngine
) -> None:
    first, second = Shifts(), Shifts()
    await engine.deliver_letters()
    async with transfer_worker(temporal, [first]):
        await first.until(1)
        before = await run_id(temporal)
        await engine.deliver_letters()
        assert await run_id(temporal) == before
    async with transfer_worker(temporal, [second]):
        await second.until(1)
        assert await run_id(temporal) == before


async def test_its_history_stays_short_and_one_that_was_terminated_begins_anew(
    temporal: Client, engine: TemporalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.outbox.SHIFTS", 2)
    shifts = Shifts()
    shifts.may_end.set()
    async with transfer_worker(temporal, [shifts]):
        await engine.deliver_letters()
        first = await run_id(temporal)
        await shifts.until(5)
        assert await run_id(temporal) != first
        shifts.may_end.clear()
        await temporal.get_workflow_handle(OUTBOX).terminate("by mistake")
        begun = shifts.begun
        await engine.deliver_letters()
        await shifts.until(begun + 1)
