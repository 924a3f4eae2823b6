"""Who does the same work: Handover, and the programs by hand, each a process of its own for as long as it runs."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from tools.bench.cpu import CpuMeter
from tools.bench.laps import Lap
from tools.bench.site import BY_HAND, DBOS_SYSTEM, Site
from tools.bench.transfers import run
from tools.stage.supervisor import ROOT

#: Performs `count` moves, so many in flight.
Contender = Callable[[Site, int, int], Awaitable[Lap]]


class ProgramFailed(Exception):
    """A program by hand ended without a result; the text is what it said last."""


async def _handover(site: Site, in_flight: int, count: int) -> Lap:
    return await run(site, "a", in_flight, count)


async def _temporal(site: Site, in_flight: int, count: int) -> Lap:
    return await by_hand(site, "temporal", in_flight, count, ["--address", site.temporal.address])


async def _temporal_local(site: Site, in_flight: int, count: int) -> Lap:
    return await by_hand(site, "temporal", in_flight, count, ["--address", site.temporal.address, "--local"])


async def _dbos(site: Site, in_flight: int, count: int) -> Lap:
    return await by_hand(site, "dbos", in_flight, count, ["--system", site.postgres.dsn(DBOS_SYSTEM)])


async def acceptance(site: Site, in_flight: int, count: int) -> Lap:
    """Accept by hand."""
    return await by_hand(site, "accepting", in_flight, count, ["--address", site.temporal.address])


CONTENDERS: Final[Mapping[str, Contender]] = {
    "Handover": _handover,
    "plain Temporal": _temporal,
    "local activities": _temporal_local,
    "DBOS": _dbos,
}


async def by_hand(site: Site, program: str, in_flight: int, count: int, more: list[str]) -> Lap:
    """Run a program by hand to its end; raises ProgramFailed."""
    options = ["--dsn", site.postgres.dsn(BY_HAND), "--smtp-port", str(site.stage.ports.smtp)]
    options += ["--in-flight", str(in_flight), "--count", str(count), *more]
    argv = [sys.executable, "-m", f"tools.bench.by_hand.{program}", *options]
    meter = CpuMeter(site.pids, site.postgres.pid)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.stage.child", str(os.getpid()), *argv),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise ProgramFailed(f"{program} by hand: {err.decode(errors='replace').strip()[-2000:]}")
    told: dict[str, Any] = json.loads(out.decode().strip().splitlines()[-1])
    spent = told.pop("cpu", 0.0)
    return Lap(**told, cpu={**meter.spent(), "program": spent})
