"""The life of one charger's socket in this process: claimed, held, listened to, released."""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from websockets.frames import CloseCode

from domain.charger import OcppVersion
from domain.errors import Unavailable
from domain.ids import ChargePointId, NodeId
from domain.keys import KnownTo
from gateway.auth_throttle import address_of
from gateway.charger_sockets import Session, Sessions
from gateway.contests import Contender, ContenderStatus, Contests, PlaceTaken, may_be_held
from gateway.credentials import KeyRule
from gateway.enrolment import Enrolment
from gateway.facts import Fact, Reporter, Tasks
from gateway.limits import LimitedSocket
from gateway.ocpp.dialect import Dialect
from gateway.ocpp.line import Line
from gateway.ocpp.v16 import Ocpp16
from gateway.ocpp.v16_reports import Reports16
from gateway.ocpp.v201 import Ocpp201
from gateway.ocpp.v201_reports import Reports201
from gateway.reports import ChargingRules, Reports
from gateway.watch import Watch
from persistence.chargers import contenders, present_connections, upgrades
from persistence.chargers.contenders import Placing
from persistence.chargers.upgrades import Admission, Entry
from persistence.session import Database
from telemetry.subject import about

#: What a charger may speak, by the WebSocket's subprotocol; of what it offers the first is taken.
DIALECTS: Final[Mapping[str, tuple[type[Dialect], type[Reports]]]] = {
    f"ocpp{OcppVersion.V201}": (Ocpp201, Reports201),
    f"ocpp{OcppVersion.V16}": (Ocpp16, Reports16),
}
#: The longest pause, in seconds, between two tries to release a socket while the database is away.
_LONGEST_PAUSE = 30


class MustWait(Exception):
    """Another socket has the charger's place, and is to be asked first."""


class Connections:
    """Takes admitted sockets and keeps the database's picture of them true."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one gateway
        self,
        db: Database,
        node: NodeId,
        sessions: Sessions,
        rule: KeyRule,
        reporter: Reporter,
        tasks: Tasks,
        call_timeout: timedelta,
        watch: Watch,
        enrolment: Enrolment,
        contests: Contests,
        *,
        open_line: bool,
        charging_rules: ChargingRules,
    ) -> None:
        """Hold sockets as `node`; `open_line`: over `ws`, which whoever sees the network can read."""
        self._charging_rules = charging_rules
        self._enrolment = enrolment
        self._contests = contests
        self._open_line = open_line
        self._watch = watch
        self._db = db
        self._node = node
        self._sessions = sessions
        self._rule = rule
        self._reporter = reporter
        self._tasks = tasks
        self._call_timeout = call_timeout.total_seconds()
        self._stopping = asyncio.Event()

    def give_up(self) -> None:
        """Try no longer to release sockets that could not be: the node's next start does."""
        self._stopping.set()

    async def hold(
        self, socket: LimitedSocket, admission: Admission, arrival: int, contender: Contender | None = None
    ) -> None:
        """Hold one charger's socket from its claim to its release; it was the `arrival`-th to be let in.

        As `contender` it waits for its charger's place first.
        """
        try:
            while contender is None:
                try:
                    session = await self._claim(socket, admission, arrival)
                except MustWait:
                    contender = await self._contests.enter(socket, admission, address_of(socket.remote_address))
                else:
                    await self._begin(socket, session)
                    return
        except Unavailable:
            await socket.close(CloseCode.TRY_AGAIN_LATER, "try again in a moment")
        except PlaceTaken:
            await socket.close(CloseCode.TRY_AGAIN_LATER, "another connection has this place")
        else:
            await self._hold_back(contender, admission, arrival)

    async def _begin(self, socket: LimitedSocket, session: Session | None) -> None:
        if session is None:
            await socket.close(CloseCode.POLICY_VIOLATION, "these credentials, or this connection, were replaced")
            return
        with about(charge_point_id=session.charge_point_id):
            await self._attend(session, session.dialect.listen())

    async def _hold_back(self, contender: Contender, admission: Admission, arrival: int) -> None:
        """Let a socket wait for its charger's place, until it has that, or has lost its turn.

        Its frames are not read before it is known whether the socket that has the place is there. Where it is, they are
        answered as in quarantine; where it is not, they are handled in their order.
        """
        socket, session, listening = contender.socket, None, None
        socket.waits = True
        try:
            with about(charge_point_id=contender.charge_point_id):
                while (status := await contender.next()) is not ContenderStatus.GONE:
                    if status is ContenderStatus.LOST:
                        await socket.close(CloseCode.TRY_AGAIN_LATER, "another connection has this place")
                        return
                    if status is ContenderStatus.ANSWERED and session is None:
                        session = self._make(socket, admission, arrival, contender.since)
                        session.quarantined = session.waits = True
                        socket.waits = False
                        name = f"listening to a socket that waits for {contender.charge_point_id}"
                        listening = self._tasks.start(session.dialect.listen(), name)
                    if status is not ContenderStatus.FREE:
                        continue
                    try:
                        claimed = await self._let_in(contender, admission, arrival, session)
                    except MustWait:
                        continue
                    if claimed is None:
                        await socket.close(CloseCode.POLICY_VIOLATION, "these credentials, or this place, were taken")
                    else:
                        await self._attend(claimed, listening or claimed.dialect.listen())
                    return
        finally:
            await self._contests.leave(contender)
            if session is not None:
                session.end()
            if listening is not None:
                await listening

    async def _let_in(
        self, contender: Contender, admission: Admission, arrival: int, session: Session | None
    ) -> Session | None:
        """Give the place to one that waited; raises MustWait where it waits on."""
        try:
            claimed = await self._claim(contender.socket, admission, arrival, contender, session)
        except Unavailable:
            raise MustWait from None  # the next look finds the place free again
        if claimed is not None:
            self._contests.let_in(contender)
            contender.socket.waits = False
        return claimed

    async def _attend(self, session: Session, listening: Awaitable[None]) -> None:
        """Listen to a charger until its socket is closed."""
        version = session.dialect.VERSION
        self._watch.opened(version, quarantined=session.quarantined)
        self._reporter.report(session.charge_point_id, Fact.CONNECTED)
        if session.quarantined:
            work = self._rule.keep_in_quarantine(session)
            self._tasks.start(work, f"the quarantine of {session.charge_point_id}")
        elif session.known_to is KnownTo.PEOPLE:
            self._tasks.start(self._enrolment.see_to(session), f"the enrolment of {session.charge_point_id}")
        try:
            await listening
        finally:
            session.end()
            self._watch.closed(version)
            self._sessions.let_go(session)
            await self._release(session)

    async def _claim(
        self,
        socket: LimitedSocket,
        admission: Admission,
        arrival: int,
        contender: Contender | None = None,
        session: Session | None = None,
    ) -> Session | None:
        """Claim the connection; None where its key lost its place since the upgrade, or a newer one was faster.

        A `contender` has waited; its `session` is there where it was listened to meanwhile. Raises MustWait where
        another socket has the place, and this one may not have it at once.
        """
        charge_point_id, credential_id = admission.charge_point_id, admission.credential_id
        if charge_point_id is None or credential_id is None:
            return None
        async with self._sessions.in_turn(charge_point_id):
            if contender is None and self._sessions.has_newer(charge_point_id, arrival):
                return None
            now = datetime.now(UTC)
            async with self._db.writing() as rows:
                if not await upgrades.may_connect(rows, credential_id):
                    return None
                address = address_of(socket.remote_address)
                if may_be_held(admission):
                    waiting = contender.id if contender is not None else None
                    found = await contenders.placing(rows, charge_point_id, address, contender=waiting)
                    if found is None:
                        return None
                    if found is not Placing.FREE:
                        raise MustWait
                # decided anew: another order's key may have been made since the upgrade
                late = await self._rule.quarantines(rows, charge_point_id, credential_id)
                quarantined = late or admission.entry is Entry.QUARANTINED
                generation = await present_connections.claim(
                    rows,
                    charge_point_id,
                    self._node,
                    credential_id=credential_id,
                    address=address,
                    quarantined=quarantined,
                    now=now,
                )
            if session is None:
                session = self._make(socket, admission, arrival, contender.since if contender is not None else now)
            session.generation, session.quarantined, session.waits = generation, quarantined, False
            older = self._sessions.hold(session)
            if older is not None:
                self._contests.see_off(older, CloseCode.NORMAL_CLOSURE, credential_id, address)
        self._contests.wake()  # whoever waited for it has lost its turn
        return session

    def _make(self, socket: LimitedSocket, admission: Admission, arrival: int, opened_at: datetime) -> Session:
        """Make the session of a socket that has no place yet."""
        session = Session(
            charge_point_id=admission.charge_point_id or ChargePointId(""),
            socket=socket,
            arrival=arrival,
            generation=0,
            opened_at=opened_at,
            released_at=opened_at,
            quarantined=False,
            credential_id=admission.credential_id or "",
            known_to=admission.known_to,
            address=address_of(socket.remote_address),
            open_line=self._open_line,
            parked=admission.parked,
        )
        session.dialect = self._speak(session)
        return session

    def _speak(self, session: Session) -> Dialect:
        """Give the language of the session's charger: the one that the upgrade has settled on."""
        dialect, reports = DIALECTS[session.socket.subprotocol or ""]
        line = Line(
            session.socket, session.charge_point_id, dialect.VERSION, dialect.RESULTS, self._call_timeout, self._watch
        )
        heard = reports(session, self._db, self._rule, self._reporter, self._charging_rules)
        return dialect(line, heard.handlers())

    async def _release(self, session: Session) -> None:
        """Say that the socket is gone; again and again while the database is away, as nobody else can."""
        pause, ended = 1, datetime.now(UTC)
        while True:
            try:
                async with self._db.writing() as rows:
                    it, shown = session.charge_point_id, session.clock.shown
                    gone = await present_connections.release(rows, it, session.generation, ended, shown)
                break
            except Unavailable:
                if self._stopping.is_set():
                    return
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._contests.wake()
        if gone:
            self._reporter.report(session.charge_point_id, Fact.DISCONNECTED)
