"""The process `python -m api`: how it starts, what keeps it from starting, how it ends."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.ports import free_port

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef0123456789abcdef-test"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def environment(sqlite_url: str, port: int) -> dict[str, str]:
    """A migrated database of its own, and a Temporal address at which nobody answers."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HANDOVER_", "TEMPORAL_"))}
    return ours | {
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


@pytest.fixture
def serving(environment: dict[str, str], port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that serves, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            try:
                httpx.get(f"{address}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield process, address
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_it_serves_without_temporal_says_so_and_ends_cleanly_with_no_token_in_its_log(
    serving: tuple[subprocess.Popen[str], str],
) -> None:
    process, address = serving

    alive = httpx.get(f"{address}/healthz")
    ready = httpx.get(f"{address}/readyz")
    page = httpx.get(f"{address}/t/a-token-nobody-may-read")
    process.terminate()
    out, log = process.communicate(timeout=30)

    assert (alive.status_code, ready.status_code, page.status_code) == (200, 503, 404)
    assert ready.json()["checks"] == {"database": True, "migrated": True, "temporal": False}
    assert process.returncode == 0
    assert "a-token-nobody-may-read" not in out + log
    assert "Traceback" not in log
    assert "server" not in alive.headers


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"HANDOVER_SECRET_KEYS": ""}, "HANDOVER_SECRET_KEYS is not set"),
        ({"HANDOVER_SECRET_KEYS": "short"}, "32 characters or more"),
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
    assert ended.stderr == ("api: the database is not migrated to this version; run `./handover migrate` first.\n")


def test_a_port_that_is_taken_is_named(environment: dict[str, str], port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        ended = run(environment)

    assert ended.returncode == 1
    assert f"port {port} on 127.0.0.1" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
