"""The load: errands at a steady rate on charge points that are free, now and then two on one at once."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final

from tools.chaos.errand import Errand, People
from tools.chaos.town import Town

#: How often in a hundred a second errand comes to a charge point that is busy.
_CONTENDED: Final = 10


class Traffic:
    """The errands of one run."""

    def __init__(self, people: People, town: Town, chance: Random) -> None:
        """Draw by `chance`."""
        self._people, self._points, self._chance = people, town.charge_points, chance
        self._busy: set[str] = set()
        self.under_way: set[asyncio.Task[None]] = set()
        self.errands = 0
        """How many there were."""

    async def run(self, group: asyncio.TaskGroup, every: float) -> None:
        """Start an errand in `group` every so many seconds, until cancelled; those under way go on."""
        while True:
            await asyncio.sleep(every)  # pacing: the rate of the load
            free = [point for point in self._points if point["id"] not in self._busy]
            contended = self._chance.randrange(100) < _CONTENDED
            if not free and not contended:
                continue
            point = self._chance.choice(self._points if contended else free)
            self.errands += 1
            errand = Errand(self._people, point, self.errands, Random(self._chance.getrandbits(64)))  # noqa: S311 - to be repeated
            task = group.create_task(errand.run())
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
            if point["id"] not in self._busy:
                self._busy.add(point["id"])
                task.add_done_callback(self._frees(point["id"]))

    def _frees(self, point: str) -> Callable[[object], None]:
        return lambda _: self._busy.discard(point)
