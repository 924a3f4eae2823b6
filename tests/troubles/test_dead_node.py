"""A gateway node is killed that held a charger whose key people know: the charger goes on at the other one."""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from domain.keys import KnownTo
from persistence.tables import GatewayNode, PresentConnection
from tests.journeys.people import LOOK_EVERY
from tests.journeys.system import System, running, two_users
from tests.troubles.test_two_gateways import Balancer, another_gateway, arrives
from tools.simulator.simulation import Station
from tools.stage.ports import free_port


class Cutting(Balancer):
    """One that can lose its connections, as a network does."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self._open: list[asyncio.StreamWriter] = []

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        await super()._connect(reader, writer)


async def test_a_charger_whose_node_is_killed_has_its_place_once_that_is_known(
    tmp_path: Path, postgres_url: str
) -> None:
    """Its socket there is still on record as open, and nobody can ask whether it is: the node's silence tells.

    Not on SQLite, whose file a process that stands still may have locked.
    """
    settings = {"HANDOVER_ENROLMENT": "off"}
    lines, people = two_users(1), KnownTo.PEOPLE
    async with running(
        tmp_path / "system", postgres_url, lines, away={"cp-1"}, settings=settings, known_to=people
    ) as system:
        balancer, second = Cutting(system.stage.ports.gateway), free_port()
        await system.supervisor.start(another_gateway(system, second))
        async with balancer.listening():
            url = f"ws://127.0.0.1:{balancer.port}/ocpp"
            station = Station(url, "CP-1", "first-password-of-1", tmp_path / "cp-1.json")
            runs = asyncio.create_task(station.run())
            await arrives(system, "node-1")
            await is_steady(system, "node-2")
            balancer.target = second
            process = system.supervisor.pid("gateway")
            os.kill(process, signal.SIGSTOP)  # it is not started anew, so it can't clear away what it held
            began = time.monotonic()
            balancer.cut()
            try:
                await arrives(system, "node-2")
                assert time.monotonic() - began > 10, "as long as it may be alive its socket has the place"
                await station.until(lambda: station.connected)
                os.kill(process, signal.SIGCONT)
                await writes(system, "node-1", datetime.now(UTC))
                async with system.db.reading() as rows:
                    link = await rows.get_one(PresentConnection, "cp-1")
                assert (link.node, link.contender) == ("node-2", None)
            finally:
                os.kill(process, signal.SIGCONT)
                runs.cancel()
                await asyncio.gather(runs, return_exceptions=True)


async def writes(system: System, node: str, since: datetime) -> None:
    """Wait until a node has written a sign of life again."""
    async with asyncio.timeout(40):
        while True:
            async with system.db.reading() as rows:
                if (await rows.get_one(GatewayNode, node)).seen_at > since:
                    return
            await asyncio.sleep(LOOK_EVERY)  # the gateway's doing: there is nothing here to wait on


async def is_steady(system: System, node: str) -> None:
    """Wait until a node has written its signs for so long that it may miss another one's."""
    async with asyncio.timeout(40):
        while True:
            async with system.db.reading() as rows:
                found = await rows.get(GatewayNode, node)
            if found is not None and (found.seen_at - found.steady_since).total_seconds() >= 15:
                return
            await asyncio.sleep(LOOK_EVERY)  # the gateway's doing: there is nothing here to wait on
