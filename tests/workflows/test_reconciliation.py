"""The reconciler's run: routine at once, anything else only where a second look finds it again."""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from temporalio.client import Client

from activities.contracts.reconciler import (
    Look,
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

    async def look(self, look: Look) -> Suspicions:
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
