"""Which chargers' sockets this process holds: of two sockets of one charger the newer wins."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakValueDictionary

from websockets.frames import CloseCode

from domain.ids import ChargePointId
from domain.keys import KnownTo
from gateway.charger_clock import ChargerClock
from gateway.facts import Tasks
from gateway.ocpp.dialect import Dialect
from gateway.socket_limits import LimitedSocket


@dataclass(eq=False)
class ChargerSocket:
    """One charger's socket: the `arrival`-th that this process let in; `generation` is that of its claim."""

    charge_point_id: ChargePointId
    websocket: LimitedSocket
    arrival: int
    generation: int
    opened_at: datetime
    released_at: datetime
    """Since when it is an ordinary one; while it is in quarantine, when it was opened."""
    quarantined: bool
    credential_id: str
    """The key that opened it."""
    known_to: KnownTo
    """Who may know that key."""
    address: str
    open_line: bool
    """It came over `ws`: whoever sees the network reads along."""
    parked: bool = False
    waits: bool = False
    """Another socket with the same key has the place, and is there: it is quarantined, and nothing is sent to it."""
    serials: tuple[str, ...] = ()
    """The serial numbers that its BootNotification named."""
    sim: Mapping[str, str] = field(default_factory=dict)
    """`iccid` and `imsi` of its modem, where that named them."""
    clock: ChargerClock = field(default_factory=ChargerClock)
    booted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it sends a BootNotification."""
    over: bool = False
    """The socket is closed."""
    dialect: Dialect = field(init=False)

    def end(self) -> None:
        """Say that the socket is closed; wakes whoever waits for a BootNotification."""
        self.over = True
        self.booted.set()


class ChargerSockets:
    """The sockets of this process, one a charger."""

    def __init__(self, tasks: Tasks) -> None:
        """Close sockets in `tasks`."""
        self._tasks = tasks
        self._held: dict[ChargePointId, ChargerSocket] = {}
        self._turns: WeakValueDictionary[ChargePointId, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def in_turn(self, charge_point_id: ChargePointId) -> AsyncIterator[None]:
        """Let nobody else claim and hold a socket of this charger inside the block."""
        lock = self._turns.setdefault(charge_point_id, asyncio.Lock())
        async with lock:
            yield

    def has_newer(self, charge_point_id: ChargePointId, arrival: int) -> bool:
        """Whether a socket is held that was let in after the `arrival`-th: that one may be dead and not know it."""
        held = self._held.get(charge_point_id)
        return held is not None and held.arrival > arrival

    def hold(self, socket: ChargerSocket) -> ChargerSocket | None:
        """Keep the socket; gives an older one of its charger, which has lost its place and is to be seen off."""
        other = self._held.get(socket.charge_point_id)
        self._held[socket.charge_point_id] = socket
        return other

    def find(self, charge_point_id: ChargePointId) -> ChargerSocket | None:
        """Give the charger's socket, None where it has none here."""
        return self._held.get(charge_point_id)

    def all(self) -> list[ChargerSocket]:
        """Give every socket that is held now."""
        return list(self._held.values())

    def let_go(self, socket: ChargerSocket) -> None:
        """Forget the socket, where it is still the charger's."""
        if self._held.get(socket.charge_point_id) is socket:
            del self._held[socket.charge_point_id]

    def close(self, socket: ChargerSocket, code: CloseCode, reason: str) -> None:
        """Close its socket in the background; it counts as gone at once.

        Its close frame is not waited for: there are chargers that never send one.
        """
        self.let_go(socket)
        self._tasks.start(socket.websocket.close(code, reason), f"closing the socket of {socket.charge_point_id}")
