"""Looks after the sockets of this node: closes what lost its right elsewhere, ends quarantines without a reason."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from websockets.frames import CloseCode

from domain.errors import Unavailable
from domain.ids import NodeId
from gateway.charger_sockets import ChargerSocket, ChargerSockets
from gateway.contests import Contests
from gateway.credentials import KeyRule
from persistence.chargers import present_connections
from persistence.chargers.present_connections import ConnectionStatus
from persistence.session import Database

_log = logging.getLogger(__name__)
#: How long a socket whose keys were all revoked stays: the transfer's last orders go over it before it is disconnected.
LAST_ORDERS: Final = timedelta(seconds=60)
#: So many sockets are looked at in one go: meanwhile the process does nothing else.
_AT_ONCE: Final = 200


class Sweep:
    """Looks at every socket of this node again and again."""

    def __init__(
        self,
        db: Database,
        node: NodeId,
        sockets: ChargerSockets,
        rule: KeyRule,
        contests: Contests,
        every: timedelta,
    ) -> None:
        """Look at all of `sockets`, which are `node`'s, every so often."""
        self._db = db
        self._node = node
        self._sockets = sockets
        self._rule = rule
        self._contests = contests
        self._every = every.total_seconds()

    async def run(self) -> None:
        """Sweep until cancelled; a database that is away is asked again next time."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.once()
            except Unavailable:
                pass
            except Exception as error:  # noqa: BLE001 - whatever fails, the next sweep is tried
                _log.error("A sweep failed: %s", type(error).__name__)

    async def once(self) -> None:
        """Close what has no right to be open any more; no close frame is waited for.

        End quarantines whose reason is gone: a charger that stays connected sends no BootNotification that would.
        """
        held = self._sockets.all()
        async with self._db.reading() as rows:
            good = await present_connections.good_at(rows, self._node)
        doubtful = [
            one
            for one in held
            if one.quarantined or present_connections.claim_of(one.charge_point_id, one.generation) not in good
        ]
        for first in range(0, len(doubtful), _AT_ONCE):
            await self._look_at(doubtful[first : first + _AT_ONCE])

    async def _look_at(self, some: list[ChargerSocket]) -> None:
        async with self._db.reading() as rows:
            found = await present_connections.statuses(rows, [socket.charge_point_id for socket in some])
            freed = [
                socket
                for socket in some
                if socket.quarantined
                and not await self._rule.quarantines(rows, socket.charge_point_id, socket.credential_id)
            ]
        now = datetime.now(UTC)
        for socket in some:
            if self._sockets.find(socket.charge_point_id) is socket:  # others were seen off meanwhile
                self._judge(socket, found.get(socket.charge_point_id, ConnectionStatus()), now)
        for socket in freed:
            if not socket.over:
                await self._rule.lift_quarantine(socket)

    def _judge(self, socket: ChargerSocket, status: ConnectionStatus, now: datetime) -> None:
        if status.generation != socket.generation:
            self._contests.see_off(socket, CloseCode.POLICY_VIOLATION, status.credential_id, status.address or "")
        elif not status.keyed and (status.revoked_at is None or now - status.revoked_at > LAST_ORDERS):
            self._sockets.close(socket, CloseCode.POLICY_VIOLATION, "the credentials are revoked")
        elif status.keyed and (not status.online or status.unsettled or status.shut):
            self._sockets.close(socket, CloseCode.SERVICE_RESTART, "connect again")
