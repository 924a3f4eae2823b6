"""The supervisor, on small real processes: started in order, started again, stopped in reverse, never orphaned."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tools.stage.ports import HOST, PortProblem, Ports, free_port
from tools.stage.readiness import listens, when
from tools.stage.supervisor import FIRST_PAUSE, ROOT, Part, PartFailed, Supervisor

#: Listens until SIGTERM, and then says so in a file that all parts share.
LISTENER = """
import pathlib, signal, socket, sys
name, port, notes = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
def stop(*_):
    with notes.open("a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
server = socket.create_server(("127.0.0.1", port))
while True:
    server.accept()[0].close()
"""


def listener(name: str, port: int, notes: Path) -> Part:
    argv = [sys.executable, "-c", LISTENER, name, str(port), str(notes)]
    return Part(name, argv, when(lambda: listens(port), seconds=20))


async def test_a_part_that_is_killed_is_started_again(tmp_path: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    running, port = Supervisor(tmp_path / "logs", said.put_nowait), free_port()
    try:
        await running.start(listener("one", port, tmp_path / "notes"))
        first = running.pid("one")
        os.kill(first, signal.SIGKILL)
        assert await asyncio.wait_for(said.get(), 20) == "one ended with code -9; it starts again in 0.5 s"
        assert await when(lambda: listens(port), seconds=20)(lambda: True)
        assert running.pid("one") != first
    finally:
        await running.stop()


async def test_a_part_that_is_taken_down_stays_so_until_it_is_brought_up(tmp_path: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    running, port = Supervisor(tmp_path / "logs", said.put_nowait), free_port()
    try:
        await running.start(listener("one", port, tmp_path / "notes"))
        await running.take_down("one")
        assert (tmp_path / "notes").read_text().split() == ["one"]
        await asyncio.sleep(FIRST_PAUSE * 2)  # the time in which what dies is started again
        assert not await listens(port)
        await running.bring_up("one")
        assert await listens(port)
        assert said.empty()
        os.kill(running.pid("one"), signal.SIGKILL)
        assert await asyncio.wait_for(said.get(), 20) == "one ended with code -9; it starts again in 0.5 s"
    finally:
        await running.stop()


async def test_parts_stop_in_reverse_order(tmp_path: Path) -> None:
    running = Supervisor(tmp_path / "logs", print)
    for name in ("first", "second", "third"):
        await running.start(listener(name, free_port(), tmp_path / "notes"))
    await running.stop()
    assert (tmp_path / "notes").read_text().split() == ["third", "second", "first"]


async def test_a_part_that_does_not_come_up_is_said_with_the_end_of_its_log(tmp_path: Path) -> None:
    running = Supervisor(tmp_path / "logs", print)
    broken = Part("broken", [sys.executable, "-c", "raise SystemExit('no such table')"], when(never, seconds=20))
    with pytest.raises(PartFailed, match=r"broken ended with code 1; .*broken\.log ends with: no such table"):
        await running.start(broken)


async def never() -> bool:
    return False


def test_parts_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    port, notes = free_port(), tmp_path / "notes"
    program = (
        "import asyncio, pathlib, sys\n"
        "from tools.stage.supervisor import Supervisor\n"
        "from tests.tools.stage.test_supervisor import listener\n"
        "async def main():\n"
        f"    running = Supervisor(pathlib.Path({str(tmp_path)!r}), print)\n"
        f"    await running.start(listener('one', {port}, pathlib.Path({str(notes)!r})))\n"
        "    print(running.pid('one'), flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    _, alive = psutil.wait_procs([child], 10)
    assert not alive
    assert not notes.exists()


def test_a_taken_port_is_named_with_the_setting_that_changes_it() -> None:
    ports = Ports.free()
    ports.check()
    with socket.create_server((HOST, ports.gateway)):
        with pytest.raises(
            PortProblem, match=rf"Port {ports.gateway} is taken .* HANDOVER_GATEWAY_PORT .*--ports auto"
        ):
            ports.check()
        ports.check(without=frozenset({"gateway"}))


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"HANDOVER_API_PORT": "http"}, "HANDOVER_API_PORT is 'http'; set it to a port from 1 to 65535."),
        ({"HANDOVER_API_PORT": "70000"}, "HANDOVER_API_PORT is '70000'"),
        ({"HANDOVER_API_PORT": "9000"}, "HANDOVER_API_PORT and HANDOVER_GATEWAY_PORT are both 9000"),
    ],
)
def test_a_setting_that_is_no_port_of_its_own_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(PortProblem, match=says):
        Ports.from_environment(environ).check()


async def test_a_part_is_replaced_by_another_of_its_name_which_is_started_again_then(tmp_path: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    running, before, after = Supervisor(tmp_path / "logs", said.put_nowait), free_port(), free_port()
    try:
        await running.start(listener("one", before, tmp_path / "before"))
        await running.replace(listener("one", after, tmp_path / "after"))
        assert (tmp_path / "before").read_text().split() == ["one"]
        assert (await listens(before), await listens(after)) == (False, True)
        os.kill(running.pid("one"), signal.SIGKILL)
        assert await asyncio.wait_for(said.get(), 20) == "one ended with code -9; it starts again in 0.5 s"
        assert await when(lambda: listens(after), seconds=20)(lambda: True)
    finally:
        await running.stop()
    assert (await listens(before), said.empty()) == (False, True)


async def test_a_part_starts_in_its_own_folder(tmp_path: Path) -> None:
    port, notes = free_port(), tmp_path / "notes"
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    here = [sys.executable, "-c", f"import os; open('where', 'w').write(os.getcwd())\n{LISTENER}", "one", str(port)]
    running = Supervisor(tmp_path / "logs", print)
    try:
        part = Part("one", [*here, str(notes)], when(lambda: listens(port), seconds=20), folder=tmp_path)
        await running.start(part)
        assert (tmp_path / "where").read_text() == str(tmp_path)
    finally:
        await running.stop()
