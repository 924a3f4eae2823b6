"""The ways to a `temporal` program, tried in order; each that fails says in one line why."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tools.stage.devserver.making import VERSION, Report, build, download
from tools.stage.devserver.programs import WayFailed, that_starts


class NoServer(Exception):
    """No way led to a dev server; the text says what to install."""


def given_address() -> str | None:
    """Give the address of the Temporal server to use instead of a dev server, where TEMPORAL_ADDRESS names one."""
    return os.environ.get("TEMPORAL_ADDRESS") or None


def cached_program() -> Path:
    """Say where a dev server that was downloaded or built is kept (XDG_CACHE_HOME is respected)."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "handover" / f"temporal-cli-{VERSION}" / "temporal"


def find_or_build(report: Report, *, download_seconds: float = 60, build_seconds: float = 1800) -> Path:
    """Give a `temporal` program that starts; raises NoServer. Blocks; not to be called from a running loop's thread.

    On the PATH, in the cache, downloaded by the SDK, or built with Go: the latter two end in the cache, so they happen
    once. `report` gets a line for each way that fails, and the progress of the slow ones.
    """
    return asyncio.run(_find_or_build(report, download_seconds, build_seconds))


async def _find_or_build(report: Report, download_seconds: float, build_seconds: float) -> Path:
    for look in (_on_path, _in_cache):
        try:
            return await look()
        except WayFailed as failure:
            report(f"Temporal dev server: {failure}")
    target = cached_program()
    async with alone(target.with_suffix(".lock")):
        if target.exists():  # whoever had the lock before us has made it
            return await _in_cache()
        for make, seconds in ((download, download_seconds), (build, build_seconds)):
            try:
                return await make(target, report, seconds)
            except WayFailed as failure:
                report(f"Temporal dev server: {failure}")
    raise NoServer(
        "No Temporal dev server. Install the Temporal CLI, or Go 1.24 or later, so that it is on the PATH; "
        "or start a server yourself and set TEMPORAL_ADDRESS."
    )


async def _on_path() -> Path:
    found = shutil.which("temporal")
    if found is None:
        raise WayFailed("no `temporal` on the PATH; looking in the cache.")
    return await that_starts(Path(found), "the `temporal` on the PATH")


async def _in_cache() -> Path:
    program = cached_program()
    if not program.exists():
        raise WayFailed("none in the cache yet.")
    return await that_starts(program, "the one in the cache")


@asynccontextmanager
async def alone(lock: Path) -> AsyncIterator[None]:
    """Let one process at a time make the program: tests and a demo may start together."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        await asyncio.to_thread(fcntl.flock, held, fcntl.LOCK_EX)
        yield
