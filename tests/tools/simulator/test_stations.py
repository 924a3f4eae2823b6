"""Simulated charge points as processes of their own, with somebody in front of them."""

import asyncio
import json
import signal
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request
from websockets.typing import Subprotocol

from gateway.facts import Fact
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.world import IDENTITY, OLD_KEY, World, gateway_world, seed
from tools.simulator.control import tell
from tools.simulator.simulation import Station
from tools.simulator.state import StateFile
from tools.stage.ports import free_port

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def world(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[World]:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path) as found:
        yield found


@pytest.mark.parametrize("program", ["tools.simulator.station", "tools.simulator.stations"])
async def test_a_station_process_connects_charges_and_leaves_cleanly(world: World, program: str) -> None:
    port, state = free_port(), world.folder / "one.json"
    if program == "tools.simulator.stations":
        listed = world.folder / "list.json"
        listed.write_text(json.dumps([{"identity": IDENTITY, "password": OLD_KEY, "state": "one.json"}]))
        arguments = [str(listed)]
    else:
        arguments = ["--identity", IDENTITY, "--password", OLD_KEY, "--state", str(state)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", program, *arguments, "--url", world.url, "--control", str(port), cwd=ROOT
    )
    try:
        await world.heard(Fact.CONNECTED)
        while (answer := await tell(port, f"{IDENTITY} start ANN1")) == {"session": "offline"}:
            await asyncio.sleep(0.05)  # connected, but its boot is not accepted yet
        assert answer == {"session": "charging"}
        assert (await tell(port, f"{IDENTITY} state"))["session"] == "ANN1"
        assert await tell(port, f"{IDENTITY} stop") == {"stopped": True}
        await world.heard(Fact.SESSION_ENDED)
        assert "error" in await tell(port, "NOBODY stop")
        assert "error" in await tell(port, f"{IDENTITY} dance")
    finally:
        process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert json.loads(state.read_text())["boots"] == 1


def test_a_station_remembers_its_password_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "state.json"
    memory = StateFile(file, "first")
    memory.state.password = "second"
    memory.save()
    assert StateFile(file, "first").state.password == "second"
    assert [each.name for each in file.parent.iterdir()] == ["state.json"]


async def test_a_password_that_is_typed_while_it_connects_is_the_one_it_stays_connected_with(tmp_path: Path) -> None:
    comes, may_come, passwords = asyncio.Event(), asyncio.Event(), list[str]()

    async def hold(_: ServerConnection, request: Request) -> None:
        passwords.append(b64decode(request.headers["Authorization"].split()[1]).decode())
        comes.set()
        await may_come.wait()

    async def take(socket: ServerConnection) -> None:
        await socket.wait_closed()

    subprotocols = [Subprotocol("ocpp1.6")]
    async with serve(take, "127.0.0.1", 0, process_request=hold, subprotocols=subprotocols) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        station = Station(f"ws://127.0.0.1:{port}", "CP-1", "first", tmp_path / "state.json")
        running = asyncio.create_task(station.run())
        try:
            await comes.wait()
            station.take_password("typed", typed=True)
            await station.reconnect()
            may_come.set()
            await station.until(lambda: station.connected)
            assert passwords == ["CP-1:first", "CP-1:typed"]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_station_seeks_this_machine_behind_no_proxy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with world.station() as station:
        assert station.connected
