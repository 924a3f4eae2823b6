"""A call over a connection that is kept, beside one of bare FastAPI with the same query."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from tools.bench.laps import medians, milli
from tools.bench.scale import Scale
from tools.bench.site import Site
from tools.stage.ports import HOST, free_port
from tools.stage.readiness import listens, when
from tools.stage.supervisor import Part

_CALLER = "s0"
_WARM_UP = 50


async def keep_alive(site: Site, scale: Scale) -> Mapping[str, Any]:
    """Ask both who is calling, in turns, each over one connection."""
    port = free_port()
    argv = [sys.executable, "-m", "tools.bench.bare_api", site.stage.database_url, str(port)]
    await site.supervisor.start(Part("bare-api", argv, when(lambda: listens(port))))
    addresses = {"Handover": site.stage.api, "bare FastAPI": f"http://{HOST}:{port}"}
    rounds: list[dict[str, Any]] = []
    for number in range(1, scale.rounds + 1):
        found = {name: await _calls(site, address, scale.calls) for name, address in addresses.items()}
        rounds.append(found)
        site.report(f"  round {number}: " + ", ".join(f"{name} {one['p50']} ms" for name, one in found.items()))
    return {"medians": medians(rounds), "rounds": rounds}


async def _calls(site: Site, address: str, count: int) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {site.keys[_CALLER]}"}
    took: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http:
        for _ in range(_WARM_UP + count):
            began = time.perf_counter()
            async with http.get(f"{address}/v1/me", headers=headers) as answer:
                answer.raise_for_status()
                await answer.read()
            took.append(time.perf_counter() - began)
    return {"p50": milli(took[_WARM_UP:], 50), "p99": milli(took[_WARM_UP:], 99)}
