"""The machines of a run: what is cut loses packets for those two alone, and nothing of it is left afterwards."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.chaos import machines
from tools.chaos.machines import Missing

missing = next(machines._missing(), "")
#: A machine listens, others try to reach it; each line says who did.
PROGRAM = """
import asyncio, sys
from tools.chaos.machines import STREET, enter, lay
LISTENS = "import socket; server = socket.create_server(('', 7000)); print(flush=True)\\nwhile True: server.accept()"
REACHES = "import socket, sys; socket.create_connection((sys.argv[1], 7000), timeout=2)"
async def main():
    network = await lay([f"{STREET}.1"])
    async def reaches(machine):
        argv = [*machine.enters, sys.executable, "-c", REACHES, network.c.address]
        return await (await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.DEVNULL)).wait() == 0
    argv = [*network.c.enters, sys.executable, "-c", LISTENS]
    server = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    await server.stdout.readline()
    for ports in (), (7000,), (7001,):
        await network.cut("test", network.b, network.c, ports)
        print(await reaches(network.a), await reaches(network.b))
        await network.heal()
    print(await reaches(network.b), network.lost["test"] > 0)
    server.kill()
    await server.wait()
enter()
asyncio.run(main())
"""


@pytest.mark.skipif(bool(missing), reason=missing)
def test_a_cut_loses_what_goes_between_two_machines_and_leaves_nothing_behind() -> None:
    before = sorted(Path("/sys/class/net").iterdir())
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines() == ["True False", "True False", "True True", "True True"], done.stderr
    assert sorted(Path("/sys/class/net").iterdir()) == before
    assert not [name for name in machines._NAMES if (machines._NAMED / name).exists()]


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Missing, match="root"):
        machines.enter()


def test_what_is_not_installed_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="iproute2"):
        machines.enter()
