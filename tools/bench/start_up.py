"""How long `make up` takes until every part is there, after a first time."""

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any, Final

from tools.bench.scale import Scale
from tools.stage.supervisor import ROOT, Report

_UP: Final = b"Ctrl-C stops everything"
_SECONDS: Final = 180


class NotUp(Exception):
    """It did not come up; the text is what it said last."""


async def start_up(scale: Scale, report: Report) -> Mapping[str, Any]:
    """Start it once to warm up, then once in each round."""
    await _once()
    took: dict[str, list[float]] = {"all": [], "without_stations": []}
    for _ in range(scale.rounds):
        took["all"].append(await _once())
        took["without_stations"].append(await _once("--no-stations"))
    found = {name: round(statistics.median(values), 2) for name, values in took.items()}
    report(f"  make up, warm: {found['all']} s, without stations {found['without_stations']} s")
    return {"medians": found, "rounds": took}


async def _once(*more: str) -> float:
    """Start it, and stop it once it says that it is up; gives how long that took."""
    with tempfile.TemporaryDirectory(prefix="handover-bench-") as folder:
        argv = [sys.executable, "-m", "tools.demo", "up", "--ports", "auto", "--data", folder, *more]
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tools.stage.child", str(os.getpid()), *argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
        )
        try:
            async with asyncio.timeout(_SECONDS):
                await _until_up(process)
            seconds = time.perf_counter() - began
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            await process.communicate()
    return round(seconds, 2)


async def _until_up(process: asyncio.subprocess.Process) -> None:
    if process.stdout is None:
        raise NotUp("nothing is heard of it")
    last = b""
    async for line in process.stdout:
        if _UP in line:
            return
        last = line.strip() or last
    raise NotUp(last.decode(errors="replace"))
