"""The ports where metrics are read."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from telemetry.choices import LogFormat, Ports
from telemetry.instruments import open_instruments
from tests.conftest import SERVER_KEY
from tools.stage.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def test_a_process_shows_its_own_metrics_and_the_sdks() -> None:
    ports = Ports("127.0.0.1", free_port(), free_port())
    instruments = open_instruments("test", ports, traced=False, log_format=LogFormat.TEXT)

    assert "process_open_fds" in httpx.get(f"http://127.0.0.1:{ports.own}/metrics").text
    assert httpx.get(f"http://127.0.0.1:{ports.sdk}/metrics").status_code == 200

    instruments.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{ports.own}/metrics")


@pytest.mark.parametrize("part", [["worker.py"], ["worker.py", "--gateway"]])
@pytest.mark.parametrize("setting", ["HANDOVER_METRICS_PORT", "HANDOVER_SDK_METRICS_PORT"])
def test_a_port_that_is_taken_is_told_in_one_line(part: list[str], setting: str, taken: int, sqlite_url: str) -> None:
    ended = start(part, {"HANDOVER_DATABASE_URL": sqlite_url, setting: str(taken)})

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith(f"free it, or set {setting}.")
    assert f"Port {taken} on 127.0.0.1 can't be had for metrics" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_so_is_the_sdks_port_of_the_api(taken: int, sqlite_url: str) -> None:
    settings = {"HANDOVER_DATABASE_URL": sqlite_url, "HANDOVER_SDK_METRICS_PORT": str(taken)}

    ended = start(["-m", "api"], settings | {"HANDOVER_API_PORT": str(free_port())})

    assert ended.returncode == 1
    assert f"Port {taken} on 127.0.0.1" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def start(part: list[str], settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *part],
        cwd=ROOT,
        env={"HANDOVER_SECRET_KEYS": SERVER_KEY, "HANDOVER_TEMPORAL_ADDRESS": "127.0.0.1:9", "PATH": ""} | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
