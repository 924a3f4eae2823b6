"""Enrolment: keys that people know are replaced by ones that only the charger does, without a storm and at no cost."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.charger import KeyAnswer
from domain.errors import Unavailable
from domain.ids import ChargePointId
from domain.keys import KnownTo
from gateway.charger_sockets import ChargerSocket
from gateway.credentials import KeyRule
from gateway.metrics import GatewayMetrics
from gateway.socket_limits import Bucket
from persistence.chargers import charging, credentials, present_connections
from persistence.session import Database

_log = logging.getLogger(__name__)
#: How long a charger that was sent a key may be away before it counts as lost, and how long it is counted at all.
BACK_WITHIN: Final = timedelta(minutes=15)
COUNTED_FOR: Final = timedelta(hours=1)
#: More than this part of those begun in the last hour lost, and no more are begun.
TOLERATED: Final = 0.02
#: How often a running charging session, the hour, and those that are away are looked at, in seconds.
_LOOK_EVERY: Final = 60
#: How long after a key that was not answered it is sent again over the same connection, in seconds.
_AGAIN_AFTER: Final = 3600


@dataclass(frozen=True)
class EnrolmentOptions:
    """Which chargers are enrolled, and how many: the limits are those of one gateway process."""

    models: frozenset[str] | None = None
    """The models, in lower case; None: all."""
    at_once: int = 20
    per_hour: int = 1000
    restart_hours: tuple[int, int] = (1, 5)
    """From which hour (UTC) to which a charger may be restarted that needs it for its key; (0, 24): always."""

    def may_restart(self, now: datetime) -> bool:
        """Whether it is the hour for it; the hours may go over midnight."""
        begin, end = self.restart_hours
        return begin <= now.hour < end if begin <= end else now.hour >= begin or now.hour < end


@dataclass
class _Begun:
    charge_point_id: ChargePointId
    at: float
    lost: bool = False


class Enrolment:
    """The enrolments of one gateway process. What one may do is decided in the database; here is how many, and when."""

    def __init__(
        self,
        db: Database,
        rule: KeyRule,
        options: EnrolmentOptions | None,
        boot_patience: float,
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Enrol as `options` say; None: nobody. A charger has `boot_patience` seconds to boot first."""
        self._db = db
        self._rule = rule
        self._options = options or EnrolmentOptions(models=frozenset())
        self._boot_patience = boot_patience
        self._clock = clock
        self._slots = asyncio.Semaphore(self._options.at_once)
        self._bucket = Bucket(self._options.per_hour / 3600, self._options.at_once, clock)
        self._begun: deque[_Begun] = deque()
        self._halted = False
        self._metrics = metrics
        metrics.show_enrolment(lambda: self._halted, lambda: sum(one.lost for one in self._begun))

    async def see_to(self, socket: ChargerSocket) -> None:
        """Enrol a charger on its ordinary connection, opened with a key that people know, if that is wanted.

        One that gives no answer is tried again after its next BootNotification, or after an hour; one that is not
        wanted, as long as it has not said what it is, after its BootNotification.
        """
        patience: float | None = self._boot_patience
        while not socket.over:
            await self._rule.wait_for_boot(socket, patience)
            try:
                if not await self._is_wanted(socket):
                    patience = None
                elif not await self._wait_for_turn(socket) or await self._enrol(socket) is not KeyAnswer.UNKNOWN:
                    return
                else:
                    patience = _AGAIN_AFTER
            except Unavailable:
                patience = _AGAIN_AFTER

    async def _is_wanted(self, socket: ChargerSocket) -> bool:
        """Whether the socket may enrol its charger, and its model is one that is."""
        models = self._options.models
        if socket.quarantined or socket.known_to is not KnownTo.PEOPLE or models == frozenset():
            return False
        if models is None:
            return True
        async with self._db.reading() as rows:
            model = await present_connections.model_of(rows, socket.charge_point_id)
        return (model or "").lower() in models

    async def _wait_for_turn(self, socket: ChargerSocket) -> bool:
        """Wait until one more may begin; False where the connection is over before."""
        while not socket.over:
            pause = _LOOK_EVERY if self._halted else self._bucket.pause()
            if not pause:
                self._bucket.take()
                return True
            if await _is_closed(socket, pause * random.uniform(0.5, 1.5)):  # noqa: S311 - so that not all come at once
                break
        return False

    async def _enrol(self, socket: ChargerSocket) -> KeyAnswer | None:
        """Send the key, so many at once; what the charger waits for before it comes back holds up no other."""
        async with self._slots:
            answer = await self._rule.send_own(socket)
        if answer is None:
            await self._restart_where_due(socket)
            return None
        self._begun.append(_Begun(socket.charge_point_id, self._clock()))
        self._metrics.enrolment(answer.said.value)
        await self.bring_back(socket, answer.said)
        return answer.said

    async def _restart_where_due(self, socket: ChargerSocket) -> None:
        """Restart a charger that took its key over an earlier connection and was lost before it was restarted."""
        async with self._db.reading() as rows:
            due = await credentials.needs_restart(rows, socket.charge_point_id)
        if due:
            self._begun.append(_Begun(socket.charge_point_id, self._clock()))
            await self.bring_back(socket, KeyAnswer.REBOOT_REQUIRED)

    async def bring_back(self, socket: ChargerSocket, said: KeyAnswer, *, at_any_hour: bool = False) -> None:
        """Have a charger that has taken its key come back with it, once it is idle; a restart waits for its hour.

        `at_any_hour`: somebody asked for the key, and knows that a restart may follow.
        """
        if said is KeyAnswer.ACCEPTED:
            if await self._until_idle(socket):
                await self._rule.make_it_reconnect(socket)
        elif said is KeyAnswer.REBOOT_REQUIRED and await self._until_idle(socket, its_hour=not at_any_hour):
            await self._rule.restart(socket)

    async def _until_idle(self, socket: ChargerSocket, *, its_hour: bool = False) -> bool:
        """Wait until no charging session runs, and with `its_hour` for that; False where it is gone before."""
        while not socket.over:
            if not its_hour or self._options.may_restart(datetime.now(UTC)):
                async with self._db.reading() as rows:
                    if not await charging.session_running(rows, socket.charge_point_id):
                        return True
            if await _is_closed(socket, _LOOK_EVERY):
                break
        return False

    async def watch(self) -> None:
        """Look again and again, until cancelled, whether those that were enrolled are back."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            with suppress(Unavailable):  # the next look
                await self.look()

    async def look(self) -> None:
        """Stop where too many of those begun in the last hour are away; go on once they are back."""
        now = self._clock()
        while self._begun and now - self._begun[0].at > (COUNTED_FOR + BACK_WITHIN).total_seconds():
            self._begun.popleft()
        due = [one for one in self._begun if now - one.at >= BACK_WITHIN.total_seconds()]
        if due:
            async with self._db.reading() as rows:
                there = await present_connections.online_among(rows, {one.charge_point_id for one in due})
            for one in due:
                one.lost = one.charge_point_id not in there
        lost = sum(one.lost for one in self._begun)
        halted = lost > TOLERATED * len(self._begun)
        if halted and not self._halted:
            _log.error("%d of %d chargers are not back after enrolment: no more are begun.", lost, len(self._begun))
        self._halted = halted


async def _is_closed(socket: ChargerSocket, seconds: float) -> bool:
    """Wait so long; True where the socket is closed by then."""
    try:
        async with asyncio.timeout(seconds):
            await socket.websocket.wait_closed()
    except TimeoutError:
        return socket.over
    return True
