"""Runs the parts, each a process of its own: starts them in order, starts again what dies, stops in reverse order."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Alive = Callable[[], bool]
Report = Callable[[str], None]

#: Where a part's `python -m` starts from where nothing else is said.
ROOT: Final = Path(__file__).resolve().parents[2]
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
#: A part that lived so long starts again after the first pause.
HEALTHY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0


class PartFailed(Exception):
    """A part did not come up; the text says which, and what its log ends with."""


@dataclass(frozen=True)
class Part:
    """One process: its command, what it adds to the environment, and how one sees that it is ready.

    `ready` waits, and gives False as soon as the process that it is told about is not alive any more.
    """

    name: str
    argv: list[str]
    ready: Callable[[Alive], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    """Where its `python -m` starts from."""


class _Running:
    """A part with its process."""

    def __init__(self, part: Part, process: asyncio.subprocess.Process) -> None:
        self.part, self.process = part, process
        self.watch: asyncio.Task[None] | None = None

    def alive(self) -> bool:
        return self.process.returncode is None


class Supervisor:
    """The parts that run now. `report` gets a line for what happens to them; `logs` has a file for each."""

    def __init__(self, logs: Path, report: Report) -> None:
        """Nothing runs yet."""
        self._logs, self._report = logs, report
        self._running: dict[str, _Running] = {}
        self._stopping = asyncio.Event()

    def pid(self, name: str) -> int:
        """Give the process id of a part as it runs now."""
        return self._running[name].process.pid

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a part a signal; False where it does not run at this moment."""
        process = self._running[name].process
        if process.returncode is not None:
            return False
        process.send_signal(number)
        return True

    def log(self, name: str) -> Path:
        """Say where a part's output goes."""
        return self._logs / f"{name}.log"

    async def start(self, part: Part) -> None:
        """Start a part, and wait until it is ready; from then on it is started again when it dies.

        Raises PartFailed where it does not become ready.
        """
        running = _Running(part, await self._spawn(part))
        self._running[part.name] = running
        if not await part.ready(running.alive):
            state = "is not ready" if running.alive() else f"ended with code {running.process.returncode}"
            raise PartFailed(f"{part.name} {state}; {self.log(part.name)} ends with: {self._last_words(part)}")
        running.watch = asyncio.create_task(self._keep_up(running), name=f"watch {part.name}")

    async def take_down(self, name: str, seconds: float = STOP_SECONDS) -> None:
        """Stop a part as at a deploy, and leave it so until it is started anew; one that takes longer is killed."""
        running = self._running[name]
        if running.watch is not None:
            running.watch.cancel()
            await asyncio.gather(running.watch, return_exceptions=True)
            running.watch = None
        await self._end(running, seconds)

    async def bring_up(self, name: str) -> None:
        """Start a part anew that was taken down; raises PartFailed."""
        await self.start(self._running[name].part)

    async def replace(self, part: Part, seconds: float = STOP_SECONDS) -> None:
        """Stop the part of that name, killed where it takes longer, and start this one in its place as `start` does."""
        await self.take_down(part.name, seconds)
        await self.start(part)

    async def stop(self) -> None:
        """Stop every part, the last started first; one that does not end in time is killed."""
        self._stopping.set()
        for running in reversed(self._running.values()):
            if running.watch is not None:
                await running.watch
            await self._end(running)
        self._running.clear()

    async def _spawn(self, part: Part) -> asyncio.subprocess.Process:
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(part.name).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tools.stage.child", str(os.getpid()), *part.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **part.env},
                cwd=part.folder,
                start_new_session=True,  # a Ctrl-C is ours: we stop the parts in order
            )

    async def _keep_up(self, running: _Running) -> None:
        """Start the part again each time it dies, until we stop."""
        pause, stopping = FIRST_PAUSE, asyncio.create_task(self._stopping.wait())
        ended: set[asyncio.Task[int]] = set()
        try:
            while True:
                began = time.monotonic()
                ended = {asyncio.create_task(running.process.wait())}
                await asyncio.wait({*ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if self._stopping.is_set():
                    return
                if time.monotonic() - began >= HEALTHY_SECONDS:
                    pause = FIRST_PAUSE
                code = running.process.returncode
                self._report(f"{running.part.name} ended with code {code}; it starts again in {pause:g} s")
                await asyncio.wait({stopping}, timeout=pause)
                if self._stopping.is_set():
                    return
                pause = min(pause * 2, LONGEST_PAUSE)
                running.process = await self._spawn(running.part)
        finally:
            for task in (*ended, stopping):
                task.cancel()

    async def _end(self, running: _Running, seconds: float = STOP_SECONDS) -> None:
        if not running.alive():
            return
        running.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await running.process.wait()
        except TimeoutError:
            self._report(f"{running.part.name} does not stop; killed")
            running.process.kill()
            await running.process.wait()

    def _last_words(self, part: Part) -> str:
        lines = self.log(part.name).read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "(nothing)")
