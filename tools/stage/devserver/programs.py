"""Runs a program for a bounded time, and says in one line how it failed."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class WayFailed(Exception):
    """One way to a dev server led nowhere; the text says why, in one line."""


async def run(
    argv: Sequence[str],
    *,
    seconds: float,
    on_line: Callable[[str], None] = lambda _: None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program to its end and give its last line, of whichever stream.

    Raises WayFailed where it can't be started, ends with another code than 0, or takes longer than `seconds`.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
            cwd=cwd,
        )
    except OSError as error:
        raise WayFailed(f"can't be started ({error.strerror})") from None
    last = ""
    try:
        async with asyncio.timeout(seconds):
            last = await _read(process, on_line)
            code = await process.wait()
    except TimeoutError:
        raise WayFailed(f"gave up after {seconds:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise WayFailed(last or f"ended with code {code}")
    return last


async def _read(process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> str:
    """Hand on each line of the output, and give the last that is not blank."""
    last = ""
    if process.stdout is not None:
        async for raw in process.stdout:
            if line := raw.decode(errors="replace").strip():
                last = line
                on_line(line)
    return last


async def that_starts(program: Path, name: str) -> Path:
    """Give `program` if it can say its version; raises WayFailed."""
    try:
        await run([str(program), "--version"], seconds=20)
    except WayFailed as failure:
        raise WayFailed(f"{name} does not start: {failure}.") from None
    return program
