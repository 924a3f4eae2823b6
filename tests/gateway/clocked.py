"""A charger whose clock says what it likes, at a bare WebSocket, in either version of OCPP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from gateway.facts import Fact
from tests.gateway.bare import ask
from tests.gateway.world import OLD_KEY, World

HOUR: Final = timedelta(hours=1)
#: A tag of each one's group.
TAGS: Final = {"Ann": "ANN1", "Ben": "BEN1"}


@dataclass(frozen=True)
class Clock:
    """A charger's clock: so much off, whatever it is told; or beginning at 1970 with each start."""

    off: timedelta | None

    def tell(self, moment: datetime, started: datetime) -> str:
        if self.off is not None:
            return (moment + self.off).isoformat()
        return (datetime(1970, 1, 1, tzinfo=UTC) + (moment - started)).isoformat()


CLOCKS: Final = {
    "right": Clock(timedelta()),
    "1970": Clock(None),
    "an hour behind": Clock(-HOUR),
    "an hour ahead": Clock(HOUR),
    "a day behind": Clock(-24 * HOUR),
    "a day ahead": Clock(24 * HOUR),
    "local time as UTC": Clock(2 * HOUR),
}


@dataclass
class Charger:
    """A charger with a clock, in one version of OCPP."""

    world: World
    ocpp: str
    clock: Clock
    password: str = OLD_KEY
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it started last."""

    def tell(self, moment: datetime) -> str:
        return self.clock.tell(moment, self.started)

    @asynccontextmanager
    async def connected(self, *, starts: bool = True) -> AsyncIterator[ClientConnection]:
        times = self.world.facts.count(Fact.CONNECTED)
        async with self.world.client(self.password, subprotocols=[Subprotocol(f"ocpp{self.ocpp}")]) as socket:
            await self.world.heard(Fact.CONNECTED, times + 1)
            if starts:
                await self.boots(socket)
            yield socket
        await self.world.heard(Fact.DISCONNECTED, times + 1)

    async def boots(self, socket: ClientConnection) -> None:
        self.started = datetime.now(UTC)
        what = {"vendorName": "V", "model": "M"}
        boot: dict[str, Any] = {"chargingStation": what, "reason": "PowerUp"}
        if self.ocpp == "1.6":
            boot = {"chargePointVendor": "V", "chargePointModel": "M"}
        await ask(socket, "BootNotification", **boot)

    async def says_how_it_is(self, socket: ClientConnection, moment: datetime | None = None) -> None:
        at = {"timestamp": self.tell(moment or datetime.now(UTC)), "connectorId": 1}
        if self.ocpp == "1.6":
            await ask(socket, "StatusNotification", errorCode="NoError", status="Preparing", **at)
        else:
            await ask(socket, "StatusNotification", connectorStatus="Occupied", evseId=1, **at)

    async def begins(self, socket: ClientConnection, id_tag: str, at: str) -> str:
        """Tell of a start; gives what its tag is answered, or the error."""
        if self.ocpp == "1.6":
            said = await ask(socket, "StartTransaction", connectorId=1, idTag=id_tag, meterStart=5, timestamp=at)
            return str(said[2]["idTagInfo"]["status"] if said[0] == 3 else said[2])
        said = await ask(
            socket,
            "TransactionEvent",
            eventType="Started",
            timestamp=at,
            triggerReason="Authorized",
            seqNo=0,
            transactionInfo={"transactionId": id_tag},
            idToken={"idToken": id_tag, "type": "ISO14443"},
            evse={"id": 1},
        )
        return str(said[2]["idTokenInfo"]["status"] if said[0] == 3 else said[2])

    async def tells(self, socket: ClientConnection, times: dict[str, str]) -> None:
        """Tell of a start by each tag, at the time that it says."""
        for tag, at in times.items():
            await self.begins(socket, tag, at)

    async def starts(self, socket: ClientConnection) -> str:
        """Have a session of each begin now; gives what they are answered."""
        return "; ".join([f"{who}'s {(await self.begins(socket, tag, self.tell(datetime.now(UTC)))).lower()}"
                          for who, tag in TAGS.items()])  # fmt: skip
