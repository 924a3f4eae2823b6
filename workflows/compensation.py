"""Undoes in reverse order what was done, and sees a story through to its end whatever happens meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from domain.transfer import StepName

T = TypeVar("T")
Undo = Callable[[], Awaitable[None]]


async def to_the_end(story: Coroutine[Any, Any, T], on_cancel: Callable[[], None]) -> T:
    """Run `story` until it ends by itself.

    A cancel of the workflow, or several, is told to `on_cancel` and reaches nothing else: what a story does about it is
    its own decision, so a compensation is neither skipped nor interrupted. An eviction passes: it is no cancel.
    """
    task = asyncio.ensure_future(story)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                on_cancel()
    return task.result()


class Compensations:
    """How to undo the steps so far. Push one *before* its step runs: a step that failed may have acted."""

    def __init__(self) -> None:
        """Start with nothing to undo."""
        self._undos: list[tuple[StepName, Undo]] = []

    def push(self, step: StepName, undo: Undo) -> None:
        """Remember how to undo `step`."""
        self._undos.append((step, undo))

    def knows(self, step: StepName) -> bool:
        """Whether there is something of `step` to undo."""
        return any(known is step for known, _ in self._undos)

    def forget(self) -> None:
        """Pass the point of no return."""
        self._undos.clear()

    async def unwind(self, on_undo: Callable[[StepName], None], on_undone: Callable[[StepName], None]) -> None:
        """Undo everything, the last step first; an undo retries until it has succeeded."""
        while self._undos:
            step, undo = self._undos[-1]
            on_undo(step)
            await undo()
            self._undos.pop()
            on_undone(step)
