"""How the runs of transfers stand at Temporal: which are patched, which fail, and which are reported by it."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

from temporalio.client import Client

from domain.ids import ChargePointId, TransferId, workflow_id
from engine.engine import TemporalEngine
from gateway.facts import Fact
from tools.chaos.journal import Broken

WAIT: Final = "a run that was patched waits for the release that did it, and no other does"
Ended = Literal["workflow_task_timed_out_event_attributes", "workflow_task_failed_event_attributes"]
_RUNNING: Final = 'WorkflowType = "transfer" AND ExecutionStatus = "Running"'
#: What operators look for, as docs/deployment.md and docs/operations.md have it.
PATCHED: Final = f"{_RUNNING} AND TemporalChangeVersion IS NOT NULL"
REPORTED: Final = "TemporalReportedProblems IS NOT NULL"
_WITHOUT_SUCCESS: Final[Sequence[Ended]] = (
    "workflow_task_timed_out_event_attributes",
    "workflow_task_failed_event_attributes",
)
_LOOK_EVERY: Final = 1.0
#: So often the same is to be seen, and so long (s) between: what ought not to fail has had its time.
_LOOKS, _A_MOMENT = 2, 5.0
#: Seconds: Temporal reports what has failed five times, at pauses that grow.
_PATIENCE: Final = 240.0


class Runs:
    """Those of one drill; a run is known by its charge point."""

    def __init__(self, client: Client, transfers: Mapping[str, str]) -> None:
        """Look at the runs of these transfers, which may become more."""
        self._client, self._transfers = client, transfers
        self._engine = TemporalEngine(client)

    async def open(self) -> set[str]:
        """Give those that run."""
        return await self.found(_RUNNING)

    async def found(self, query: str) -> set[str]:
        """Give the runs that a query finds, as far as Temporal has listed them yet; others than these by their ids."""
        known = {workflow_id(TransferId(transfer)): point for point, transfer in self._transfers.items()}
        return {known.get(run.id, run.id) async for run in self._client.list_workflows(query)}

    async def until_found(self, query: str, wanted: Collection[str]) -> None:
        """Wait until a query finds exactly these; raises Broken where it never does."""
        found: set[str] = set()
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    found = await self.found(query)
                    if found == set(wanted):
                        return
                    await asyncio.sleep(_LOOK_EVERY)  # Temporal's doing: there is nothing to wait on
        except TimeoutError:
            raise Broken(WAIT, query, f"it finds {sorted(found)}, not {sorted(wanted)}") from None

    async def wake(self, points: Collection[str]) -> None:
        """Have each of them look at its charger, as news from there does."""
        for point in points:
            await self._engine.tell_charger_news(
                TransferId(self._transfers[point]), ChargePointId(point), Fact.CONNECTED
            )

    async def failing(self, points: Collection[str]) -> set[str]:
        """Give those whose last workflow task failed, or was given up by a worker that can't go on with it."""
        return {point for point in points if await self._fails(point)}

    async def until_failing(self, points: Collection[str], wanted: Collection[str]) -> None:
        """Wait until these of them fail, and no other, for two looks on end; raises Broken where that never is."""
        failing: set[str] = set()
        looks = 0
        try:
            async with asyncio.timeout(_PATIENCE):
                while looks < _LOOKS:
                    failing = await self.failing(points)
                    looks = looks + 1 if failing == set(wanted) else 0
                    await asyncio.sleep(_A_MOMENT)  # workers' doing: there is nothing to wait on
        except TimeoutError:
            raise Broken(WAIT, "workflow tasks fail", f"of {sorted(failing)}, not of {sorted(wanted)}") from None

    async def until_quiet(self, points: Collection[str]) -> dict[str, float]:
        """Wait until none of them fails any more, and say when each was seen to go on, by the monotonic clock."""
        seen: dict[str, float] = {}
        try:
            async with asyncio.timeout(_PATIENCE):
                while len(seen) < len(points):
                    failing = await self.failing(points)
                    seen |= {point: time.monotonic() for point in points if point not in {*failing, *seen}}
                    await asyncio.sleep(_LOOK_EVERY)  # workers' doing: there is nothing to wait on
        except TimeoutError:
            raise Broken(WAIT, "workflow tasks fail", f"of {sorted(set(points) - seen.keys())} still") from None
        return seen

    async def _fails(self, point: str) -> bool:
        """Whether the last task that ended did so without success (further tries are in no history before one has it).

        One that a worker which is gone had in its cache times out first, and another worker takes it then.
        """
        run = self._client.get_workflow_handle(workflow_id(TransferId(self._transfers[point])))
        failed = False
        async for event in run.fetch_history_events():
            if event.HasField("workflow_task_completed_event_attributes"):
                failed = False
            elif any(event.HasField(name) for name in _WITHOUT_SUCCESS):
                failed = True
        return failed
