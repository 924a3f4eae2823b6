"""The reconciler's run: routine at once, anything else only where a second look finds it again."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec

from activities.contracts.reconciler import (
    Look,
    Place,
    Reconciled,
    Reconciler,
    Reconciliation,
    Settlement,
    Suspicion,
    Suspicions,
)
from domain.ids import TASK_QUEUE
from domain.reconciliation import Finding
from tests.workflows.conftest import keep_history
from worker import transfer_worker
from workflows.reconciliation import ReconciliationWorkflow

LEFT = Suspicion(kind=Finding.NOT_STARTED, subject="trf_1")
LOST = Suspicion(kind=Finding.RUN_LOST, subject="trf_2")
FOREIGN = Suspicion(kind=Finding.FORMER_OWNERS_KEY, subject="cp_1")


@dataclass
class Finds(Reconciler):
    """What each look finds, in order."""

    looks: list[Suspicions]
    settled: list[Suspicions] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    """From where on each was."""

    async def look(self, look: Look) -> Suspicions:
        self.places.append(look.place)
        return self.looks.pop(0)

    async def settle(self, confirmed: Suspicions) -> Reconciled:
        self.settled.append(confirmed)
        done = [
            Reconciliation(kind=one.kind, subject=one.subject, settlement=Settlement.MENDED) for one in confirmed.items
        ]
        return Reconciled(items=tuple(done))


async def run(
    temporal: Client, finds: Finds, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> list[str]:
    """Let it run once; gives the subjects that were settled."""
    monkeypatch.setattr("workflows.reconciliation.SETTLES_WITHIN", timedelta(seconds=1))
    async with transfer_worker(temporal, [finds]):
        handle = await temporal.start_workflow(
            ReconciliationWorkflow.run, Look(), id=f"reconcile-{uuid.uuid4().hex}", task_queue=TASK_QUEUE
        )
        done = await handle.result()
    await keep_history(request, handle)
    return [one.subject for one in done.items]


async def test_nothing_found_is_nothing_done(
    temporal: Client, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    finds = Finds([Suspicions(whole=True)])
    assert await run(temporal, finds, monkeypatch, request) == []
    assert finds.settled == []


@pytest.mark.recorded
async def test_routine_is_settled_at_once_and_the_rest_where_it_is_found_twice(
    temporal: Client, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    finds = Finds([Suspicions(items=(LEFT, LOST, FOREIGN)), Suspicions(items=(FOREIGN, LEFT), whole=True)])
    assert await run(temporal, finds, monkeypatch, request) == ["trf_1", "cp_1"]
    assert finds.settled == [Suspicions(items=(LEFT,)), Suspicions(items=(FOREIGN,), whole=True)]


async def test_what_comes_up_at_the_second_look_waits_for_the_next_run(
    temporal: Client, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    finds = Finds([Suspicions(items=(LOST,)), Suspicions(items=(FOREIGN,))])
    assert await run(temporal, finds, monkeypatch, request) == []


async def test_what_was_parked_is_looked_at_again_so_that_it_can_be_closed(
    temporal: Client, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    finds = Finds([Suspicions(parked=True, whole=True), Suspicions(parked=True, whole=True)])
    assert await run(temporal, finds, monkeypatch, request) == []
    assert finds.settled == [Suspicions(whole=True)]


async def test_a_run_goes_on_where_the_one_before_it_has_come_to_and_looks_twice_at_the_same(
    temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.reconciliation.SETTLES_WITHIN", timedelta(milliseconds=10))
    here, there = Place(charge_point="cp_1", request="trf_1"), Place(charge_point="cp_2")
    nothing = Suspicions(next=here)
    finds = Finds([nothing, Suspicions(items=(FOREIGN,), next=there), Suspicions(next=there), nothing])
    name = f"reconcile-{uuid.uuid4().hex}"
    action = ScheduleActionStartWorkflow(ReconciliationWorkflow.run, Look(), id=name, task_queue=TASK_QUEUE)
    async with transfer_worker(temporal, [finds]):
        schedule = await temporal.create_schedule(name, Schedule(action=action, spec=ScheduleSpec()))
        for looks in (1, 3, 4):
            await schedule.trigger()
            while len(finds.places) < looks or (await schedule.describe()).info.running_actions:
                await asyncio.sleep(0.1)
        await schedule.delete()
    assert finds.places == [Place(), here, here, there]
