"""Waiting for something to become true, woken by whoever changed something: no polling."""

import asyncio
from collections.abc import Callable
from typing import Any


class News:
    """A board: `changed` wakes everybody who waits in `until`."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def changed(self) -> None:
        """Have everybody look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def until(self, true: Callable[[], Any], seconds: float) -> None:
        """Wait until `true()`; raises TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while not true():
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(waiter)
                await waiter
