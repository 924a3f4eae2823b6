"""What a process says of its health: before it is up, while it is well, and when its loop, or what it needs, hangs."""

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest

from telemetry.health import Health
from telemetry.instruments import process_registry
from telemetry.metrics_port import MetricsServer

#: The well ones answer at once, the hanging ones never.
PATIENCE = 0.3


async def well() -> bool:
    return True


async def ill() -> bool:
    return False


async def broken() -> bool:
    raise RuntimeError


async def hanging() -> bool:
    await asyncio.Event().wait()
    return True


@pytest.fixture
def health() -> Health:
    return Health(PATIENCE)


@pytest.fixture
def server(health: Health) -> Iterator[MetricsServer]:
    found = MetricsServer("127.0.0.1", 0, process_registry(), health)
    yield found
    found.close()


async def get(server: MetricsServer, path: str) -> tuple[int, dict[str, bool]]:
    answer = await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{server.server_port}{path}", timeout=30)
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()


async def test_nothing_is_well_before_the_process_is_up(server: MetricsServer) -> None:
    assert await get(server, "/healthz") == (503, {"started": False})
    assert await get(server, "/readyz") == (503, {"started": False})


async def test_what_is_well_is_told_by_name(server: MetricsServer, health: Health) -> None:
    health.watch(alive={"working": well}, ready={"database": well})
    assert await get(server, "/healthz") == (200, {"loop": True, "working": True})
    assert await get(server, "/readyz") == (200, {"loop": True, "working": True, "database": True})


@pytest.mark.parametrize("check", [ill, broken, hanging])
async def test_what_it_needs_of_others_makes_it_not_ready_and_leaves_it_alive(
    server: MetricsServer, health: Health, check: object
) -> None:
    health.watch(alive={"working": well}, ready={"temporal": check, "database": well})  # type: ignore[dict-item]
    assert await get(server, "/healthz") == (200, {"loop": True, "working": True})
    assert await get(server, "/readyz") == (503, {"loop": True, "working": True, "temporal": False, "database": True})


async def test_who_does_not_work_is_not_alive(server: MetricsServer, health: Health) -> None:
    health.watch(alive={"working": ill}, ready={})
    assert await get(server, "/healthz") == (503, {"loop": True, "working": False})


async def test_a_loop_that_hangs_is_told_by_another_thread(server: MetricsServer, health: Health) -> None:
    health.watch(alive={}, ready={})
    seen: list[tuple[int, dict[str, bool]]] = []
    told = threading.Event()

    def ask() -> None:
        seen.append(asyncio.run(get(server, "/healthz")))
        told.set()

    threading.Thread(target=ask, daemon=True).start()
    assert told.wait(30)  # the loop hangs, for as long as it is asked
    assert seen == [(503, {"loop": False})]
    assert await get(server, "/healthz") == (200, {"loop": True})


async def test_a_loop_that_is_over_is_told_too(server: MetricsServer, health: Health) -> None:
    async def watch() -> None:
        health.watch(alive={"working": well}, ready={})

    await asyncio.to_thread(asyncio.run, watch())
    assert await get(server, "/healthz") == (503, {"loop": False})
