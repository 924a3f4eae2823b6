"""The same work by plain Temporal: each step an ordinary activity, or each a local one.

`python -m tools.bench.by_hand.temporal --help`
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import typer
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

with workflow.unsafe.imports_passed_through():
    from tools.bench.by_hand.driving import Address, Count, Dsn, InFlight, SmtpPort, be_program, drive
    from tools.bench.by_hand.work import PLAN, STEPS, Work, opened
    from tools.bench.people import Point

QUEUE: Final = "by-hand"
WORKER_SETTINGS: Final[dict[str, Any]] = {
    "max_concurrent_workflow_tasks": 16,
    "max_concurrent_local_activities": 32,
    "sticky_queue_schedule_to_start_timeout": timedelta(seconds=10),
    "workflow_runner": UnsandboxedWorkflowRunner(),
}
"""Those of worker.py."""
_STEP_SECONDS: Final = timedelta(seconds=10)


@workflow.defn
class Move:
    """One move."""

    @workflow.run
    async def run(self, id_: str, local: bool) -> None:
        """Go through the plan."""
        for name, *more in PLAN:
            if local:
                await workflow.execute_local_activity(name, args=[id_, *more], start_to_close_timeout=_STEP_SECONDS)
            else:
                await workflow.execute_activity(name, args=[id_, *more], start_to_close_timeout=_STEP_SECONDS)


@workflow.defn
class Acceptance:
    """A transfer that waits to be accepted, which is one ordinary activity."""

    def __init__(self) -> None:
        """Nobody has accepted yet."""
        self._accepted = False

    @workflow.run
    async def run(self) -> None:
        """Wait."""
        await workflow.wait_condition(lambda: self._accepted)

    @workflow.update
    async def accept(self, id_: str) -> None:
        """Answer once it is written down."""
        await workflow.execute_activity("accept", args=[id_], start_to_close_timeout=_STEP_SECONDS)
        self._accepted = True


def activities(work: Work) -> Sequence[Callable[..., Awaitable[Any]]]:
    """Give the steps as activities, and `accept`."""
    return [_activity(work, name) for name in (*STEPS, "accept")]


def _activity(work: Work, name: str) -> Callable[..., Awaitable[Any]]:
    async def step(id_: str, *more: str) -> None:
        await getattr(work, name)(id_, *more)

    async def note(id_: str, left_out: str) -> None:
        await work.note(id_, left_out)

    async def plain(id_: str) -> None:
        await step(id_)

    return activity.defn(name=name)(note if name == "note" else plain)


@asynccontextmanager
async def worker(address: str, work: Work) -> AsyncIterator[Client]:
    """Have a worker inside the block; gives a client."""
    client = await Client.connect(address)
    async with Worker(
        client, task_queue=QUEUE, workflows=[Move, Acceptance], activities=activities(work), **WORKER_SETTINGS
    ):
        yield client


async def _main(dsn: str, smtp_port: int, address: str, in_flight: int, count: int, local: bool) -> None:
    async with opened(dsn, smtp_port) as work, worker(address, work) as client:

        async def move(point: Point) -> str:
            id_ = await work.ask(point)
            handle = await client.start_workflow(Move.run, args=[id_, local], id=id_, task_queue=QUEUE)
            await work.started(id_)
            await handle.result()
            await work.show(id_)
            return id_

        await drive(work, move, in_flight, count)


def main(
    dsn: Dsn, smtp_port: SmtpPort, address: Address, in_flight: InFlight, count: Count, *, local: bool = False
) -> None:
    """Move so many charge points, so many at once, and print as JSON how long each took."""
    be_program(_main(dsn, smtp_port, address, in_flight, count, local))


if __name__ == "__main__":
    typer.run(main)
