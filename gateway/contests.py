"""Two sockets with one key: who came later waits until it is known whether the other one is there.

The place and who waits for it are on record (persistence.chargers.contenders), so the two may be at different nodes.
"""

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from websockets.frames import CloseCode

from domain.errors import Unavailable
from domain.ids import ChargePointId, NodeId
from domain.keys import KnownTo
from gateway.auth_throttle import Tallies
from gateway.charger_sockets import ChargerSocket, ChargerSockets
from gateway.facts import Fact, Reporter, Tasks
from gateway.socket_limits import LimitedSocket, SocketLimits
from persistence.chargers import contenders, present_connections, sightings
from persistence.chargers.contenders import Contest, Placing
from persistence.chargers.upgrades import NEVER_HELD, Admission
from persistence.session import Database

_log = logging.getLogger(__name__)
#: How often a node looks for sockets that wait for a place of its own, and for places that its own wait for.
LOOK_EVERY: Final = timedelta(seconds=1)
#: The longest that a socket is asked, in seconds: stations wait for 30 for what they said to be answered.
_LONGEST: Final = 26
#: For how many seconds whoever finds the turn taken is sent away at most.
_AWAY: Final = 10


class PlaceTaken(Exception):
    """Another socket has the charger's place, and one more waits for it, or this one has tried too often."""

    wait: Final = _AWAY


class ContenderStatus(StrEnum):
    """How it stands for one that waits."""

    WAITS = "waits"
    ANSWERED = "answered"
    """The socket that has the place is there."""
    FREE = "free"
    """Nobody has the place any more."""
    LOST = "lost"
    """Another one waits instead, or has the place for good."""
    GONE = "gone"
    """Its own socket is closed."""


@dataclass(eq=False)
class Contender:
    """A socket of this node that waits for its charger's place."""

    charge_point_id: ChargePointId
    credential_id: str
    address: str
    websocket: LimitedSocket
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    entered: bool = False
    """It is on record."""
    status: ContenderStatus = ContenderStatus.WAITS
    leaving: asyncio.Task[None] | None = None
    """It waits no longer, which is being written."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def learn(self, status: ContenderStatus) -> None:
        """Say how it stands; that is told again, except that it answered, as what followed may have failed."""
        if self.status in {ContenderStatus.LOST, ContenderStatus.GONE}:
            return
        if status is not self.status or status is ContenderStatus.FREE:
            self.status = status
            self._news.set()

    async def next(self) -> ContenderStatus:
        """Wait until something is known, or known anew."""
        await self._news.wait()
        self._news.clear()
        return self.status


def may_be_held(admission: Admission) -> bool:
    """Whether a newcomer has to wait where another socket of its charger is open."""
    return admission.entry not in NEVER_HELD and admission.known_to is KnownTo.PEOPLE


class Contests:
    """The contests of one gateway process: of its own sockets for places anywhere, and of any for its own places."""

    def __init__(
        self,
        db: Database,
        node: NodeId,
        sockets: ChargerSockets,
        reporter: Reporter,
        tasks: Tasks,
        limits: SocketLimits,
        look_every: timedelta = LOOK_EVERY,
    ) -> None:
        """Settle contests as `node`."""
        self._db = db
        self._node = node
        self._sockets = sockets
        self._reporter = reporter
        self._tasks = tasks
        self._look_every = look_every.total_seconds()
        self._patience = min(limits.ping_timeout.total_seconds(), _LONGEST)
        self._tries = Tallies(limits.contests_per_identity)
        self._here: dict[str, Contender] = {}
        self._asking: set[ChargePointId] = set()
        self._woken = asyncio.Event()

    def held(self) -> int:
        """Count the sockets here that wait."""
        return len(self._here)

    def give_up(self) -> None:
        """Send away all that wait here: whether their keys are good still can't be known."""
        for contender in self._here.values():
            contender.learn(ContenderStatus.LOST)

    def wake(self) -> None:
        """Have it looked at once, for the sockets that wait here: the others are looked for again and again anyway."""
        if self._here:
            self._woken.set()

    # --- who waits ------------------------------------------------------------------------------------------------

    async def enter(self, websocket: LimitedSocket, admission: Admission, address: str) -> Contender | None:
        """Let a newcomer wait for its charger's place, where it has to; None: it may claim it.

        Raises PlaceTaken where it may not even wait, Unavailable.
        """
        point, key = admission.charge_point_id, admission.credential_id
        if point is None or key is None or not may_be_held(admission):
            return None
        async with self._db.reading() as rows:
            if not await contenders.is_contested(rows, point):
                return None
        if self._tries.wait(address, point):
            raise PlaceTaken
        self._tries.count(address, point)
        contender = Contender(point, key, address, websocket)
        self._here[contender.id] = contender  # before it is on record: what is on record and not here is cleared away
        try:
            async with self._db.writing() as rows:
                found = await contenders.enter(rows, point, contender.id, self._node, address)
        except BaseException:
            del self._here[contender.id]
            raise
        if found is not Placing.WAITS:
            del self._here[contender.id]
            if found is Placing.TAKEN:
                raise PlaceTaken
            return None
        contender.entered = True
        self._tasks.start(self._await_end(contender), f"the wait of a socket of {point}")
        self.wake()
        return contender

    async def _await_end(self, contender: Contender) -> None:
        """Notice that a socket that waits is closed, even where its upgrade comes to nothing."""
        await contender.websocket.wait_closed()
        contender.learn(ContenderStatus.GONE)
        await self.leave(contender)

    async def leave(self, contender: Contender) -> None:
        """Let it wait no longer; where that can't be written now, the next look does."""
        if self._here.pop(contender.id, None) is not None:
            point = contender.charge_point_id
            contender.leaving = self._tasks.start(self._leave(point, contender.id), f"the leave of a socket of {point}")
        if contender.leaving is not None:
            await asyncio.wait([contender.leaving])  # two may be here: its handler, and who noticed its end

    async def _leave(self, charge_point_id: ChargePointId, contender_id: str) -> None:
        try:
            async with self._db.writing() as rows:
                await contenders.leave(rows, charge_point_id, contender_id)
        except Unavailable:
            return
        self.wake()

    def let_in(self, contender: Contender) -> None:
        """Say that it has the place: it is on record as waiting no longer."""
        self._here.pop(contender.id, None)
        self.wake()

    # --- looking --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look until cancelled; a database that is away is asked again next time."""
        while True:
            try:
                async with asyncio.timeout(self._look_every):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            try:
                await self.look()
            except Unavailable:
                pass
            except Exception as error:  # noqa: BLE001 - whatever fails, the next look is taken
                _log.error("A look at contests failed: %s", type(error).__name__)

    async def look(self) -> None:
        """Tell those that wait here how it stands, and ask the sockets here whose places others wait for."""
        waiting = [one for one in self._here.values() if one.entered]
        async with self._db.reading() as rows:
            found = await contenders.contests_at(rows, self._node)
            good = await contenders.good_keys(rows, {one.credential_id for one in waiting}) if waiting else set()
        contests = {one.contender: one for one in found}
        for contender in waiting:
            contest = contests.get(contender.id)
            contender.learn(_judge(contest) if contender.credential_id in good else ContenderStatus.LOST)
        for contest in found:
            if contest.contender_node == self._node and contest.contender not in self._here:
                await self._leave(contest.charge_point_id, contest.contender)
            elif contest.node == self._node and not contest.answered:
                self._ask(contest)

    # --- asking ---------------------------------------------------------------------------------------------------

    def _ask(self, contest: Contest) -> None:
        if contest.charge_point_id in self._asking:
            return
        self._asking.add(contest.charge_point_id)
        task = self._tasks.start(self._settle(contest), f"the contest for {contest.charge_point_id}")
        task.add_done_callback(lambda _: self._asking.discard(contest.charge_point_id))

    async def _settle(self, contest: Contest) -> None:
        """Ask the socket that has the place; one that is not there loses it, and is closed for good."""
        point = contest.charge_point_id
        async with self._sockets.in_turn(point):  # not between its claim and its being held
            socket = self._sockets.find(point)
        try:
            if socket is None or socket.generation != contest.generation:
                async with self._db.writing() as rows:  # its socket is gone, which nobody could write
                    await present_connections.release(rows, point, contest.generation, datetime.now(UTC))
            elif await socket.websocket.answers(self._patience):
                await self._note_answer(socket)
            else:
                _log.info("The open socket of %s does not answer: the one that waits has its place.", point)
                socket.websocket.transport.abort()  # whoever listens to it releases it; the line below is for now
                async with self._db.writing() as rows:
                    if await present_connections.release(rows, point, socket.generation, datetime.now(UTC)):
                        self._reporter.report(point, Fact.DISCONNECTED)
        except Unavailable:
            return  # the next look asks again
        self.wake()

    async def _note_answer(self, socket: ChargerSocket) -> None:
        point, now = socket.charge_point_id, datetime.now(UTC)
        async with self._db.writing() as rows:
            address = await contenders.note_answer(rows, point, socket.generation)
            news = address is not None and await sightings.note_two_holders(
                rows, point, address=address, holder_address=socket.address, now=now
            )
        if news:
            self._reporter.report(point, Fact.TWO_HOLDERS)

    # --- those that have lost their place -------------------------------------------------------------------------

    def see_off(self, socket: ChargerSocket, code: CloseCode, credential_id: str | None, address: str) -> None:
        """Close a socket whose place one has that came from `address`: at once where that came with another key.

        Where it was the same, the old one is asked first whether it is there: that two hold the key is put on record.
        """
        if socket.credential_id != credential_id:
            self._sockets.close(socket, code, "replaced by a newer connection")
            return
        self._sockets.let_go(socket)
        self._tasks.start(self._see_off(socket, code, address), f"the older socket of {socket.charge_point_id}")

    async def _see_off(self, socket: ChargerSocket, code: CloseCode, address: str) -> None:
        point = socket.charge_point_id
        try:
            if await socket.websocket.answers(self._patience):
                async with self._db.writing() as rows:
                    news = await sightings.note_two_holders(
                        rows, point, address=address, holder_address=socket.address, now=datetime.now(UTC)
                    )
                if news:
                    self._reporter.report(point, Fact.TWO_HOLDERS)
        except Unavailable:
            pass  # it is on record another time
        self._sockets.close(socket, code, "replaced by a newer connection")


def _judge(contest: Contest | None) -> ContenderStatus:
    """Say how it stands for whoever waits in a contest; None: it does so no longer."""
    if contest is None:
        return ContenderStatus.LOST
    if contest.node is None:
        return ContenderStatus.FREE
    return ContenderStatus.ANSWERED if contest.answered else ContenderStatus.WAITS
