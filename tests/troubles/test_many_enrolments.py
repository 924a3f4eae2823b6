"""Many chargers whose keys people know, at the upgrade to enrolment: each has a way in all the while."""

import asyncio
import json
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from domain.keys import KnownTo
from persistence.chargers.charger_keys import KeyState
from persistence.tables import Credential, Finding, PresentConnection
from tests.journeys.system import running, two_users
from tests.troubles.attacks import eventually

#: How many there are with `--every-attack`, and how many else.
MANY, FEW = 2000, 200
#: So many of them connect at once, as far as they decide that.
AT_ONCE = 50
#: This part of them is to be enrolled before it is judged how the others are; the limits let no more in a second.
ENOUGH, A_SECOND = 0.1, 10
SETTINGS = {
    "HANDOVER_ENROLMENTS_PER_HOUR": str(A_SECOND * 3600),
    "HANDOVER_GATEWAY_PING_TIMEOUT": "PT60S",
    "HANDOVER_GATEWAY_GUESSES_PER_ADDRESS": "0",
}


class Light:
    """A charger that boots, takes the key that it is sent, and comes back with it."""

    def __init__(self, url: str, number: int, doors: asyncio.Semaphore, seen: Counter[str]) -> None:
        self._url, self._doors, self._seen = f"{url}/CP-{number}", doors, seen
        self._identity, self._key = f"CP-{number}", f"first-password-of-{number}"

    async def run(self) -> None:
        """Stay connected until cancelled; what it is answered is counted."""
        while True:
            with suppress(ConnectionClosed, OSError):
                async with self._connected() as socket:
                    await self._listen(socket)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        secret = b64encode(f"{self._identity}:{self._key}".encode()).decode()
        try:
            async with self._doors:
                socket = await connect(
                    self._url,
                    subprotocols=[Subprotocol("ocpp1.6")],
                    additional_headers={"Authorization": f"Basic {secret}"},
                    compression=None,
                    open_timeout=60,
                    ping_interval=None,
                    close_timeout=1,
                )
                boot = {"chargePointVendor": "Light", "chargePointModel": "Light"}
                await socket.send(json.dumps([2, "boot", "BootNotification", boot]))
                answer = json.loads(await socket.recv())
        except InvalidStatus as refused:
            self._seen[f"refused: {refused.response.status_code}"] += 1
            raise OSError from refused
        self._seen[f"booted: {answer[2]['status']}"] += 1
        try:
            yield socket
        finally:
            await socket.close()

    async def _listen(self, socket: ClientConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            if frame[0] == 2:
                await socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
                if frame[2] == "ChangeConfiguration":
                    self._key = frame[3]["value"]
                    return


@pytest.mark.timeout(600)
async def test_an_upgrade_to_enrolment_shuts_no_charger_out(
    tmp_path: Path, sqlite_url: str, request: pytest.FixtureRequest
) -> None:
    count = MANY if request.config.getoption("--every-attack") else FEW
    lines, seen = two_users(count), Counter[str]()
    whole = running(tmp_path / "system", sqlite_url, lines, away=None, settings=SETTINGS, known_to=KnownTo.PEOPLE)
    async with whole as system:
        doors = asyncio.Semaphore(AT_ONCE)
        stations = [Light(system.stage.gateway, number, doors, seen) for number in range(1, count + 1)]
        tasks = [asyncio.create_task(station.run()) for station in stations]
        connected = (
            select(func.count())
            .select_from(PresentConnection)
            .where(PresentConnection.node.is_not(None), ~PresentConnection.quarantined)
        )
        current = select(func.count()).select_from(Credential).where(Credential.state == KeyState.CURRENT)

        async def all_there() -> bool:
            async with system.db.reading() as rows:
                enrolled = await rows.scalar(current.where(Credential.known_to == KnownTo.CHARGER)) or 0
                there = await rows.scalar(connected) or 0
            # those that come back with their new keys at this moment are on their way
            back = seen["booted: Accepted"] >= count * (1 + ENOUGH)
            return there >= count - 2 * A_SECOND and enrolled >= count * ENOUGH and back

        try:
            await eventually(all_there, 400)
            async with system.db.reading() as rows:
                assert not (await rows.scalars(select(Finding.kind).where(Finding.settlement == "parked"))).all()
                assert await rows.scalar(current) == count
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert set(seen) == {"booted: Accepted"}, seen
    assert seen["booted: Accepted"] >= count * (1 + ENOUGH)
