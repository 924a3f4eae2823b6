"""Whether a process is alive and ready: what it checks in its own loop, asked from another thread's."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

#: How long, in seconds, the loop and all that is asked in it may take together.
PATIENCE: Final = 5.0

Check = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class _Checked:
    loop: asyncio.AbstractEventLoop
    alive: Mapping[str, Check]
    ready: Mapping[str, Check]


@dataclass
class Health:
    """What one process says of itself: nothing is well before `watch` says what is looked at."""

    patience: float = PATIENCE
    _checked: _Checked | None = field(default=None, init=False)

    def watch(self, *, alive: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        """Take what this process is alive by, and what it needs beside that; call it in the loop that all is run in."""
        self._checked = _Checked(asyncio.get_running_loop(), alive, ready)

    def ask_alive(self) -> dict[str, bool]:
        """Say by name what the process is alive by: `loop` first. For other threads than the loop's."""
        return self._ask(lambda checked: checked.alive)

    def ask_ready(self) -> dict[str, bool]:
        """Say the same, and what it needs of others."""
        return self._ask(lambda checked: {**checked.alive, **checked.ready})

    def _ask(self, which: Callable[[_Checked], Mapping[str, Check]]) -> dict[str, bool]:
        if self._checked is None:
            return {"started": False}
        checks = which(self._checked)
        asked = _run(checks, self.patience * 0.8)
        try:
            answer = asyncio.run_coroutine_threadsafe(asked, self._checked.loop)
        except RuntimeError:  # the loop is over
            asked.close()
            return {"loop": False}
        try:
            return {"loop": True, **answer.result(self.patience)}
        except TimeoutError:
            answer.cancel()
            return {"loop": False}


async def _run(checks: Mapping[str, Check], seconds: float) -> dict[str, bool]:
    """Run all at once; what does not answer in time, or fails, is not well."""

    async def one(check: Check) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await check()
        except Exception:  # noqa: BLE001 - whatever fails, it is not well
            return False

    return dict(zip(checks, await asyncio.gather(*(one(check) for check in checks.values())), strict=True))
