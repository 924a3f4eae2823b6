"""A shell in which `./handover` is called: real processes, without a terminal."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT


@dataclass(frozen=True)
class Said:
    """What a call came to."""

    code: int
    out: str
    err: str


class Shell:
    """Calls verbs with the settings of one caller."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDOVER_")}
        self._environ = {**kept, "TERM": "dumb", "COLUMNS": "200", **settings}

    async def __call__(self, *arguments: str, **settings: str) -> Said:
        """Run a verb to its end; `settings` are set for it alone, an empty one counts as not set."""
        async with self.started(*arguments, **settings) as process:
            return await _end_of(process)

    async def into(self, file: str, *arguments: str) -> Said:
        """Run a verb whose output goes into a file."""
        with Path(file).open("wb") as out:  # noqa: ASYNC230 - it is a device
            async with self._running(arguments, {}, out.fileno()) as process:
                return await _end_of(process)

    def started(self, *arguments: str, **settings: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        """Have a verb running inside the block."""
        return self._running(arguments, settings, asyncio.subprocess.PIPE)

    @asynccontextmanager
    async def _running(
        self, arguments: Sequence[str], settings: Mapping[str, str], stdout: int
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            ROOT / "handover",
            *arguments,
            env={name: value for name, value in {**self._environ, **settings}.items() if value},
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
            preexec_fn=_heed_ctrl_c,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _end_of(process: asyncio.subprocess.Process) -> Said:
    out, err = await asyncio.wait_for(process.communicate(), 120)  # None where it goes into a file
    assert b"Traceback" not in (out or b"") + err, err.decode()
    return Said(process.returncode or 0, (out or b"").decode(), err.decode())


def _heed_ctrl_c() -> None:
    """Undo what a shell does to whom it starts in the background: they ignore Ctrl-C, and so would our child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
