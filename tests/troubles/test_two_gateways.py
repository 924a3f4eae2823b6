"""Two gateway nodes: a charger whose node dies in the middle of its transfer goes on at the other."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from persistence.tables import PresentConnection
from tests.journeys.people import LOOK_EVERY, ask, patiently, see_it_end
from tests.journeys.system import System, running, two_users
from tools.demo.findings import in_database
from tools.simulator.simulation import Station
from tools.stage import parts
from tools.stage.ports import free_port
from tools.stage.readiness import listens, when
from tools.stage.supervisor import Part

TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required"}


class Balancer:
    """What stands before the nodes: it sends each new connection to `target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield
            server.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_a_charger_whose_node_dies_goes_on_at_another(tmp_path: Path, database_url: str) -> None:
    async with running(tmp_path / "system", database_url, two_users(1), away={"cp-1"}) as system:
        balancer, second = Balancer(system.stage.ports.gateway), free_port()
        await system.supervisor.start(another_gateway(system, second))
        async with balancer.listening(), system.user("ada") as ada:
            url, state = f"ws://127.0.0.1:{balancer.port}/ocpp", tmp_path / "cp-1.json"
            station = Station(url, "CP-1", "first-password-of-1", state, enrolled=True)
            runs = asyncio.create_task(station.run())
            await arrives(system, "node-1")
            async with asyncio.timeout(30):  # it may hear later than the register that it is connected
                while (begun := await station.start_session("NORTH")) == "offline":
                    await asyncio.sleep(LOOK_EVERY)
            assert begun == "charging"
            await station.until(lambda: not station.state.queue)
            transfer_id = await ask(ada, "cp-1", TO_BOB, key="over")
            async with asyncio.timeout(60):
                while (await patiently(lambda: ada.get(f"/v1/transfers/{transfer_id}"))).json()["attention"] != (
                    "session_running"
                ):
                    await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
            balancer.target = second
            os.kill(system.supervisor.pid("gateway"), signal.SIGKILL)
            await arrives(system, "node-2")
            assert station.stop_session()
            found = await see_it_end(ada, transfer_id)
            assert (found["state"], found["warnings"]) == ("completed", [])
            assert (await in_database(system.db, "cp-1"))[1] == []
            assert station.state.password != "first-password-of-1"
            await arrives(system, "node-2")
            runs.cancel()
            await asyncio.gather(runs, return_exceptions=True)


def another_gateway(system: System, port: int) -> Part:
    made = parts.gateway(system.stage)
    environment = {**made.env, "HANDOVER_GATEWAY_PORT": str(port), "HANDOVER_GATEWAY_NODE": "node-2"}
    return Part("gateway-2", made.argv, when(lambda: listens(port)), environment)


async def arrives(system: System, node: str) -> None:
    """Wait until the charger's newest connection is at a node."""
    async with asyncio.timeout(30):
        while True:
            async with system.db.reading() as rows:
                link = await rows.get(PresentConnection, "cp-1")
            if link is not None and link.node == node:
                return
            await asyncio.sleep(LOOK_EVERY)  # the gateway's doing: there is nothing here to wait on
