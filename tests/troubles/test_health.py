"""What worker and gateway say of their health while the database or Temporal is away, or the process hangs."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from tests.journeys.system import System, running, two_users
from tests.troubles.test_outages import WAYS, behind
from tools.stage import plain_http
from tools.stage.ports import HOST, Ports, free_port

PARTS: Mapping[str, tuple[str, ...]] = {"worker": ("worker.py",), "gateway": ("worker.py", "--gateway")}
ALIVE = {"worker": {"loop", "working"}, "gateway": {"loop", "working", "listening"}}
READY = {"worker": {"database", "temporal"}, "gateway": {"database", "signing", "temporal"}}
#: Which checks see that a part is away: of a gateway's signs only once the last one is old.
SEES = {"database": {"database", "signing"}, "temporal": {"temporal"}}


async def asked(port: int, path: str) -> tuple[int, set[str], set[str]]:
    """Give the status, and what is well and ill."""
    async with plain_http.client(timeout=20) as client:
        answer = await client.get(f"http://{HOST}:{port}{path}")
    checks = answer.json()
    return answer.status_code, {name for name in checks if checks[name]}, {name for name in checks if not checks[name]}


async def until(port: int, part: str, ill: set[str]) -> None:
    """Wait until exactly these checks fail."""
    async with asyncio.timeout(60):
        while (await asked(port, "/readyz")) != (503 if ill else 200, (ALIVE[part] | READY[part]) - ill, ill):
            await asyncio.sleep(0.2)  # other processes' doing: there is nothing here to wait on


@pytest.mark.timeout(600)
async def test_worker_and_gateway_tell_what_they_need_and_who_hangs_tells_nothing(
    tmp_path: Path, postgres_url: str
) -> None:
    url, ports = make_url(postgres_url), Ports.free()
    asks = {part: free_port() for part in PARTS}
    async with behind(url.port or 0) as to_database, behind(ports.temporal) as to_temporal:
        through = url.set(host=HOST, port=to_database.port).render_as_string(hide_password=False)
        around = [f"HANDOVER_DATABASE_URL={through}", f"HANDOVER_TEMPORAL_ADDRESS={HOST}:{to_temporal.port}"]
        instead = {
            part: ["env", *around, f"HANDOVER_METRICS_PORT={asks[part]}", sys.executable, *argv]
            for part, argv in PARTS.items()
        }
        links = {"database": to_database, "temporal": to_temporal}
        async with running(
            tmp_path, postgres_url, two_users(1), away=None, instead=instead, ports=ports, settings={}
        ) as system:
            for part, port in asks.items():
                await until(port, part, set())
                assert await asked(port, "/healthz") == (200, ALIVE[part], set())
            for (name, link), way in product(links.items(), WAYS):
                WAYS[way](link)
                for part, port in asks.items():
                    await until(port, part, SEES[name] & READY[part])
                    assert await asked(port, "/healthz") == (200, ALIVE[part], set()), (part, name, way)
                link.heal()
                for part, port in asks.items():
                    await until(port, part, set())
            await who_hangs_tells_nothing(system, asks)


async def who_hangs_tells_nothing(system: System, asks: Mapping[str, int]) -> None:
    for part, port in asks.items():
        os.kill(system.supervisor.pid(part), signal.SIGSTOP)
        try:
            async with plain_http.client(timeout=1) as client:
                with pytest.raises(httpx.TimeoutException):
                    await client.get(f"http://{HOST}:{port}/healthz")
        finally:
            os.kill(system.supervisor.pid(part), signal.SIGCONT)
        await until(port, part, set())
