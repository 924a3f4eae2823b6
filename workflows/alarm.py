"""Wakes a transfer after a time; a time that has become of no use is let pass: to cancel a timer is an event, too."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow


class Alarm:
    """Rings at the times that it is set to, or a little earlier where it was set already."""

    def __init__(self, ring: Callable[[], None]) -> None:
        """Take who is woken, and sees for themselves what for."""
        self._ring = ring
        self._ahead: dict[datetime, asyncio.Task[None]] = {}

    def set(self, at: datetime) -> None:
        """Have it ring at a time, if it does not ring before."""
        if all(at < other for other in self._ahead):
            self._ahead[at] = asyncio.create_task(self._wait(at))

    async def _wait(self, at: datetime) -> None:
        left = max(at - workflow.now(), timedelta(milliseconds=1))
        await workflow.sleep(left, summary="look how it stands")
        del self._ahead[at]
        self._ring()
