"""What happens at chargers, told to whoever asked for it, without ever holding a socket up."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from typing import Any, Final

from domain.ids import ChargePointId

_log = logging.getLogger(__name__)

#: How long a listener may take over one fact, in seconds: facts are in the database too, so one may be lost.
_PATIENCE = 30
#: How many facts of one kind, of one charger, are told within an hour: each wakes a workflow, which may wait for it for
#: days.
FACTS_AN_HOUR = 30


class Fact(StrEnum):
    """Something that happened at a charger."""

    CONNECTED = "connected"
    PROVED = "proved"
    """It authenticated with the pending key."""
    RETURNED_WITH_OLD_KEY = "returned_with_old_key"
    DISCONNECTED = "disconnected"
    SESSION_ENDED = "session_ended"
    TWO_HOLDERS = "two_holders"
    """Somebody else was connected with the key of the connection that is open; reported once a day at most."""
    ENDED_KEY = "ended_key"
    """Somebody came with a key that once was its key; reported once a day at most."""


#: What is told however much else was: once a day at most.
_RARE: Final = frozenset({Fact.TWO_HOLDERS, Fact.ENDED_KEY})


OnFact = Callable[[ChargePointId, Fact], Awaitable[None]]


class Tasks:
    """Work in the background: kept until it is done, its failures logged by their kind only."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work`; `name` says in the log what failed."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def stop(self) -> None:
        """Cancel what still runs and wait for it."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def finish(self, seconds: float) -> None:
        """Let what runs end by itself for a while, then stop the rest."""
        if self._running:
            await asyncio.wait(list(self._running), timeout=seconds)
        await self.stop()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s failed: %s", task.get_name(), type(error).__name__)


class Reporter:
    """Hands facts to the listener, each in a task of its own."""

    def __init__(self, on_fact: OnFact, tasks: Tasks) -> None:
        """Report to `on_fact` from `tasks`."""
        self._on_fact = on_fact
        self._tasks = tasks
        self._hour = 0
        self._told: Counter[tuple[ChargePointId, Fact]] = Counter()

    def report(self, charge_point_id: ChargePointId, fact: Fact) -> None:
        """Tell that `fact` happened; returns at once. Of a charger that keeps coming and going no more is told."""
        if (hour := int(time.monotonic() // 3600)) != self._hour:
            self._hour = hour
            self._told.clear()
        self._told[charge_point_id, fact] += 1
        if self._told[charge_point_id, fact] > FACTS_AN_HOUR and fact not in _RARE:
            return
        self._tasks.start(self._tell(charge_point_id, fact), f"the report that {charge_point_id} {fact.value}")

    async def _tell(self, charge_point_id: ChargePointId, fact: Fact) -> None:
        async with asyncio.timeout(_PATIENCE):
            await self._on_fact(charge_point_id, fact)
