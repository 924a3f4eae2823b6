"""What a run does that meets a patch: off and on, replayed, and taken over by workers of either release."""

import ast
import asyncio
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import cast

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import PatchActivationInput, Replayer, UnsandboxedWorkflowRunner, Worker

from tests.workflows.world import World
from worker import activation, transfer_worker
from workflows import patches

#: Seconds.
_PATIENCE = 30
_WORKFLOWS = Path(patches.__file__).parent
_UNSANDBOXED = UnsandboxedWorkflowRunner()


class _Story:
    """Goes on as far as it is told to, and says once it is there."""

    def __init__(self) -> None:
        self._told = self._at = 0

    async def _until(self, number: int) -> None:
        self._at = number - 1
        await workflow.wait_condition(lambda: self._told >= number)

    @workflow.update
    async def go(self, number: int) -> None:
        self._told = number
        await workflow.wait_condition(lambda: self._at >= number)


@workflow.defn(name="patched")
class Older(_Story):
    """As the older release has it."""

    @workflow.run
    async def run(self) -> list[str]:
        await self._until(1)
        await workflow.sleep(0.001)
        await self._until(2)
        await self._until(3)
        self._at = 3
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ["old"]


@workflow.defn(name="patched")
class Newer(_Story):
    """As the newer one has it: it can go both ways, and asks for the first patch once more later on."""

    @workflow.run
    async def run(self) -> list[str]:
        await self._until(1)
        ways = ["new" if workflow.patched("first") else "old"]
        if ways == ["old"]:
            await workflow.sleep(0.001)
        await self._until(2)
        ways.append("again new" if workflow.patched("first") else "again old")
        await self._until(3)
        if workflow.patched("second"):
            await workflow.sleep(0.001)
            ways.append("second")
        self._at = 3
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ways


Run = WorkflowHandle[Newer, list[str]]


class Hall:
    """One worker after the other takes the same runs up, each without any of them in its cache."""

    def __init__(self, client: Client) -> None:
        self._client, self._queue = client, f"patches-{uuid.uuid4().hex}"

    def staffed(self, release: type, named: Collection[str] = ()) -> Worker:
        """Give the one worker of a release, with the patches that are on."""
        return Worker(
            self._client,
            task_queue=self._queue,
            workflows=[release],
            workflow_runner=_UNSANDBOXED,
            patch_activation_callback=activation(named),
        )

    async def begin(self) -> Run:
        return await self._client.start_workflow(Newer.run, id=f"patched-{uuid.uuid4().hex}", task_queue=self._queue)


async def go(run: Run, *numbers: int) -> None:
    for number in numbers:
        await asyncio.wait_for(run.execute_update(Newer.go, number), _PATIENCE)


async def result(run: Run) -> list[str]:
    """Give the ways that a run took; what it left in its history replays."""
    ways = await asyncio.wait_for(run.result(), _PATIENCE)
    await Replayer(workflows=[Newer], workflow_runner=_UNSANDBOXED).replay_workflow(await run.fetch_history())
    return ways


async def markers(run: Run) -> int:
    return sum(event.HasField("marker_recorded_event_attributes") for event in (await run.fetch_history()).events)


async def replays_with(release: type, run: Run) -> bool:
    replayer = Replayer(workflows=[release], workflow_runner=_UNSANDBOXED)
    found = await replayer.replay_workflow(await run.fetch_history(), raise_on_replay_failure=False)
    return found.replay_failure is None


async def failure(run: Run) -> str:
    """Wait for a workflow task that fails, and give why."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            for event in (await run.fetch_history()).events:
                if event.HasField("workflow_task_failed_event_attributes"):
                    return WorkflowTaskFailedCause.Name(event.workflow_task_failed_event_attributes.cause)
            await asyncio.sleep(0.05)  # the server's doing: there is nothing here to wait on


@pytest.fixture
def hall(temporal: Client) -> Hall:
    return Hall(temporal)


async def test_while_a_patch_is_off_a_run_is_one_of_the_older_release(hall: Hall) -> None:
    async with hall.staffed(Newer):
        run = await hall.begin()
        await go(run, 1)
    assert await markers(run) == 0
    async with hall.staffed(Older):
        await go(run, 2, 3)
        assert await result(run) == ["old"]


async def test_what_a_run_went_by_while_it_was_off_holds_in_it_and_what_it_comes_to_later_is_on(hall: Hall) -> None:
    async with hall.staffed(Newer):
        run = await hall.begin()
        await go(run, 1)
    async with hall.staffed(Newer, ["first", "second"]):
        await go(run, 2, 3)
        assert await result(run) == ["old", "again old", "second"]


async def test_what_a_run_went_by_while_it_was_on_holds_in_it_when_it_is_off_again(hall: Hall) -> None:
    async with hall.staffed(Newer, ["first"]):
        run = await hall.begin()
        await go(run, 1)
    assert await markers(run) == 1
    async with hall.staffed(Newer):
        await go(run, 2, 3)
        assert await result(run) == ["new", "again new"]


async def test_a_patched_run_waits_for_the_newer_release_and_nothing_of_it_is_lost(hall: Hall) -> None:
    async with hall.staffed(Newer, ["first"]):
        run = await hall.begin()
        await go(run, 1)
    async with hall.staffed(Older):
        waits = asyncio.create_task(run.execute_update(Newer.go, 2))
        assert await failure(run) == "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"
        assert not await replays_with(Older, run)
    async with hall.staffed(Newer):
        await asyncio.wait_for(waits, _PATIENCE)
        await go(run, 3)
        assert await result(run) == ["new", "again new"]


def asked_for(folder: Path) -> set[str]:
    """List the patches that a folder of workflows asks for."""
    calls = (node for file in folder.glob("*.py") for node in ast.walk(ast.parse(file.read_text())))
    return {
        str(ast.literal_eval(call.args[0]))
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "patched"
    }


def test_each_patch_that_is_asked_for_is_listed_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "story.py").write_text('def f():\n    return workflow.patched("first")\n')
    assert asked_for(tmp_path) == {"first"}
    assert asked_for(_WORKFLOWS) == patches.ON | patches.OFF


def test_a_patch_is_on_where_the_release_before_had_it_or_somebody_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "ON", frozenset({"older"}))
    monkeypatch.setattr(patches, "OFF", frozenset({"ours"}))
    assert patches.is_active("older", [])
    assert not patches.is_active("ours", [])
    assert patches.is_active("ours", ["ours"])
    assert patches.unknown(["ours", "older", "misspelt"]) == ["misspelt"]


def test_the_worker_of_transfers_goes_by_what_it_is_told_is_on(temporal: Client) -> None:
    decides = transfer_worker(temporal, [World()], patches=["first"]).config()["patch_activation_callback"]
    assert decides is not None
    some = cast(workflow.Info, None)
    assert [decides(PatchActivationInput(some, patch)) for patch in ("first", "second")] == [True, False]
