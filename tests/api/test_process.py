"""The process `python -m api`: how it starts, what keeps it from starting, how it ends."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from api import __main__ as api_process
from persistence.schema import UNFIT
from persistence.session import Database
from tests.api.listeners import listening, say, slow_reader
from tests.api.world import add_transfer
from tools.stage.ports import free_port
from tools.stage.stage import without_profile

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef0123456789abcdef-test"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def environment(sqlite_url: str, port: int) -> dict[str, str]:
    """A migrated database of its own, and a Temporal address at which nobody answers."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HANDOVER_")}
    return {
        **ours,
        **without_profile(),
        "HANDOVER_DATABASE_URL": sqlite_url,
        "HANDOVER_SECRET_KEYS": KEY,
        "HANDOVER_API_PORT": str(port),
        "HANDOVER_TEMPORAL_ADDRESS": "127.0.0.1:9",
    }


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def process(environment: dict[str, str], port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Have a process that serves at `port` inside the block; gives it, and its address."""
    api = subprocess.Popen(
        [sys.executable, "-m", "api"],
        cwd=ROOT,
        env=environment | {"HANDOVER_API_PORT": str(port)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            try:
                httpx.get(f"{address}/healthz", verify=False)  # noqa: S501 - there is no TLS
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield api, address
    finally:
        if api.poll() is None:
            api.kill()
        api.communicate()


@pytest.fixture
def serving(environment: dict[str, str], port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that serves, and its address."""
    with process(environment, port) as found:
        yield found


def test_it_serves_without_temporal_says_so_and_ends_cleanly_with_no_token_in_its_log(
    serving: tuple[subprocess.Popen[str], str],
) -> None:
    api, address = serving

    alive = httpx.get(f"{address}/healthz", verify=False)  # noqa: S501 - there is no TLS
    ready = httpx.get(f"{address}/readyz")
    page = httpx.get(f"{address}/t/a-token-nobody-may-read")
    api.terminate()
    out, log = api.communicate(timeout=30)

    assert (alive.status_code, ready.status_code, page.status_code) == (200, 503, 404)
    assert ready.json()["checks"] == {"database": True, "migrated": True, "temporal": False}
    assert api.returncode == 0
    assert "a-token-nobody-may-read" not in out + log
    assert "Traceback" not in log
    assert "server" not in alive.headers


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"HANDOVER_SECRET_KEYS": ""}, "HANDOVER_SECRET_KEYS is not set"),
        ({"HANDOVER_SECRET_KEYS": "short"}, "32 characters or more"),
        ({"HANDOVER_SECRET_KEYS": "k" * 32}, "repeats itself"),
        ({"HANDOVER_SECRET_KEYS": "change-me-to-32-characters-or-more"}, "is a placeholder"),
        ({"HANDOVER_DATABASE_URL": "postgresql+asyncpg://x:y@127.0.0.1:9/none"}, "HANDOVER_DATABASE_URL"),
        ({"HANDOVER_API_PORT": "http"}, "HANDOVER_API_PORT"),
    ],
)
def test_what_keeps_it_from_starting_is_told_in_one_line(
    environment: dict[str, str], change: dict[str, str], text: str
) -> None:
    ended = run(environment | change)

    assert ended.returncode == 1
    assert text in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_database_that_is_not_migrated_keeps_it_from_starting(environment: dict[str, str], tmp_path: Path) -> None:
    ended = run(environment | {"HANDOVER_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/bare.db"})

    assert ended.returncode == 1
    assert ended.stderr == f"api: {UNFIT}\n"


def test_a_port_that_is_taken_is_named(environment: dict[str, str], port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        ended = run(environment)

    assert ended.returncode == 1
    assert f"port {port} on 127.0.0.1" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


async def test_two_processes_feed_the_same_trail_and_a_stop_ends_streams_at_once_even_one_that_nobody_reads(
    database: Database, database_url: str, environment: dict[str, str]
) -> None:
    await add_transfer(database)
    settings = environment | {"HANDOVER_DATABASE_URL": database_url}
    with process(settings, free_port()) as (first, address), process(settings, free_port()) as (_, elsewhere):
        await say(database)
        async with listening(address) as stream, listening(elsewhere) as other:
            await say(database, 2)
            assert await stream.take(3) == await other.take(3) == [1, 2, 3]
            with slow_reader(address):
                await asyncio.to_thread(eventually, lambda: "handover_http_event_streams 2.0" in metrics(address))
                await say(database, 1000, much="m" * 8192)
                assert len(await stream.take(1000)) == 1000
                first.terminate()
                began = time.monotonic()
                assert await stream.rest() == []
                ended = time.monotonic() - began
                assert await asyncio.to_thread(first.wait, 30) == 0
                left = time.monotonic() - began
            await say(database)
            assert (await other.take(1001))[-1] == 1004
        async with listening(elsewhere, after=1003) as resumed:
            assert await resumed.take(1) == [1004]

    assert ended < 10
    assert left < 15  # where it waited for who reads nothing, it would be 20


def metrics(address: str) -> str:
    return httpx.get(f"{address}/metrics").text


def eventually(so: Callable[[], bool]) -> None:
    """Wait for another process's doing, which tells nobody."""
    for _ in range(400):
        if so():
            return
        time.sleep(0.05)
    raise AssertionError


def test_small_answers_are_sent_at_once() -> None:
    """Without that a call on a connection that is kept takes as long as the other side puts its acknowledgement off."""
    with api_process.listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
