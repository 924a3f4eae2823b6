"""A whole system whose parts reach Temporal through mutual TLS, with an API key, and what each says where it can't."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, SERVER_KEY
from tests.journeys.people import ask, see_it_end
from tests.journeys.system import running, two_users
from tests.mutual_tls import API_KEY, Authority, Door
from tools.stage.ports import Ports, free_port
from tools.stage.stage import without_profile

TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required"}
PARTS = {
    "worker": [sys.executable, "worker.py"],
    "gateway": [sys.executable, "worker.py", "--gateway"],
    "api": [sys.executable, "-m", "api"],
    "migrate": [str(ROOT / "handover"), "migrate"],
}


def run(part: str, url: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    ours = {"HANDOVER_DATABASE_URL": url, "HANDOVER_SECRET_KEYS": SERVER_KEY, "HANDOVER_API_PORT": str(free_port())}
    env = os.environ | without_profile() | ours | settings
    return subprocess.run(PARTS[part], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


async def test_a_transfer_completes_through_mutual_tls_with_a_key_that_nothing_shows(
    tmp_path: Path, sqlite_url: str
) -> None:
    authority, ports = Authority(tmp_path, "authority"), Ports.free()
    client, api_key = authority.issue("handover"), tmp_path / "system" / "temporal.toml"
    api_key.parent.mkdir()
    api_key.write_text(f'[profile.default]\napi_key = "{API_KEY}"\n')
    door = Door(ports.temporal, authority.issue("server"), authority.file)
    async with door.listening():
        settings = {
            "HANDOVER_TEMPORAL_ADDRESS": f"127.0.0.1:{door.port}",
            "HANDOVER_LOG_LEVEL": "DEBUG",
            "TEMPORAL_CONFIG_FILE": str(api_key),
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.file),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(client.cert),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(client.key),
        }
        async with running(tmp_path / "system", sqlite_url, two_users(1), settings=settings, ports=ports) as system:
            async with system.user("ada") as ada:
                done = await see_it_end(ada, await ask(ada, "cp-1", TO_BOB, key="k"))
            migrated = await asyncio.to_thread(run, "migrate", sqlite_url, settings)
            logs = "".join(file.read_text() for file in system.stage.logs.iterdir())

    assert done["state"] == "completed"
    assert migrated.returncode == 0, migrated.stderr
    assert door.names == {"handover"}
    assert door.heard(API_KEY)
    assert len(logs) > 1000
    assert API_KEY not in logs + migrated.stdout + migrated.stderr


@pytest.mark.parametrize("part", PARTS)
def test_what_can_not_be_used_keeps_each_part_from_starting_and_is_told_in_one_line(part: str, sqlite_url: str) -> None:
    ended = run(part, sqlite_url, {"TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere.pem", "TEMPORAL_API_KEY": API_KEY})

    assert ended.returncode == 1
    assert "/nowhere.pem can't be read (No such file or directory); correct TEMPORAL_TLS_" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert API_KEY not in ended.stderr
