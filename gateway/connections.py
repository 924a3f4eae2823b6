"""The life of one charger's socket in this process: claimed, held, listened to, released."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode

from domain.errors import Unavailable
from domain.ids import NodeId
from domain.keys import KnownTo
from gateway.credentials import KeyRule
from gateway.dialect import Dialect
from gateway.enrolment import Enrolment
from gateway.facts import Fact, Reporter, Tasks
from gateway.guesses import address_of
from gateway.line import Line
from gateway.ocpp16 import Ocpp16
from gateway.ocpp16_reports import Reports16
from gateway.ocpp201 import Ocpp201
from gateway.ocpp201_reports import Reports201
from gateway.reports import Reports
from gateway.sessions import Session, Sessions
from gateway.watch import Watch
from persistence import charger_links, upgrades
from persistence.session import Database
from persistence.upgrades import Admission, Entry
from telemetry.subject import about

#: What a charger may speak, by the WebSocket's subprotocol; of what it offers the first is taken.
DIALECTS: Final[Mapping[str, tuple[type[Dialect], type[Reports]]]] = {
    "ocpp2.0.1": (Ocpp201, Reports201),
    "ocpp1.6": (Ocpp16, Reports16),
}
#: The longest pause, in seconds, between two tries to release a socket while the database is away.
_LONGEST_PAUSE = 30


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
        *,
        open_line: bool,
    ) -> None:
        """Hold sockets as `node`; `open_line`: over `ws`, which whoever sees the network can read."""
        self._enrolment = enrolment
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

    async def hold(self, socket: ServerConnection, admission: Admission, arrival: int) -> None:
        """Hold one charger's socket from its claim to its release; it was the `arrival`-th to be let in."""
        try:
            session = await self._claim(socket, admission, arrival)
        except Unavailable:
            await socket.close(CloseCode.TRY_AGAIN_LATER, "try again in a moment")
            return
        if session is None:
            await socket.close(CloseCode.POLICY_VIOLATION, "these credentials, or this connection, were replaced")
            return
        with about(charge_point_id=session.charge_point_id):
            await self._attend(session)

    async def _attend(self, session: Session) -> None:
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
            await session.dialect.listen()
        finally:
            session.end()
            self._watch.closed(version)
            self._sessions.let_go(session)
            await self._release(session)

    async def _claim(self, socket: ServerConnection, admission: Admission, arrival: int) -> Session | None:
        """Claim the connection; None where its key lost its place since the upgrade, or a newer one was faster."""
        charge_point_id, credential_id = admission.charge_point_id, admission.credential_id
        if charge_point_id is None or credential_id is None:
            return None
        now = datetime.now(UTC)
        async with self._sessions.in_turn(charge_point_id):
            if self._sessions.has_newer(charge_point_id, arrival):
                return None
            async with self._db.writing() as rows:
                if not await upgrades.may_connect(rows, credential_id):
                    return None
                # decided anew: another order's key may have been made since the upgrade
                late = await self._rule.quarantines(rows, charge_point_id, credential_id)
                quarantined = late or admission.entry is Entry.QUARANTINED
                address = address_of(socket.remote_address)
                generation = await charger_links.claim(
                    rows,
                    charge_point_id,
                    self._node,
                    credential_id=credential_id,
                    address=address,
                    quarantined=quarantined,
                    now=now,
                )
            session = Session(
                charge_point_id=charge_point_id,
                socket=socket,
                arrival=arrival,
                generation=generation,
                opened_at=now,
                quarantined=quarantined,
                credential_id=credential_id,
                known_to=admission.known_to,
                address=address,
                open_line=self._open_line,
                parked=admission.parked,
            )
            session.dialect = self._speak(session)
            self._sessions.hold(session)
        return session

    def _speak(self, session: Session) -> Dialect:
        """Give the language of the session's charger: the one that the upgrade has settled on."""
        dialect, reports = DIALECTS[session.socket.subprotocol or ""]
        line = Line(
            session.socket, session.charge_point_id, dialect.VERSION, dialect.RESULTS, self._call_timeout, self._watch
        )
        return dialect(line, reports(session, self._db, self._rule, self._reporter).handlers())

    async def _release(self, session: Session) -> None:
        """Say that the socket is gone; again and again while the database is away, as nobody else can."""
        pause = 1
        while True:
            try:
                async with self._db.writing() as rows:
                    gone = await charger_links.release(
                        rows, session.charge_point_id, session.generation, datetime.now(UTC)
                    )
                break
            except Unavailable:
                if self._stopping.is_set():
                    return
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                pause = min(2 * pause, _LONGEST_PAUSE)
        if gone:
            self._reporter.report(session.charge_point_id, Fact.DISCONNECTED)
