"""The life of one charger's socket in this process: claimed, held, listened to, released."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from websockets.frames import CloseCode

from domain.charger import OcppVersion
from domain.errors import Unavailable
from domain.ids import ChargePointId, NodeId
from domain.keys import KnownTo
from gateway.charger_sockets import ChargerSocket, ChargerSockets
from gateway.contests import Contender, ContenderStatus, Contests, PlaceTaken, may_be_held
from gateway.credentials import KeyRule
from gateway.enrolment import Enrolment
from gateway.facts import Fact, Reporter, Tasks
from gateway.metrics import GatewayMetrics
from gateway.ocpp.dialect import Dialect
from gateway.ocpp.line import Line
from gateway.ocpp.v16 import Ocpp16
from gateway.ocpp.v16_reports import Reports16
from gateway.ocpp.v201 import Ocpp201
from gateway.ocpp.v201_reports import Reports201
from gateway.reports import ChargingRules, Reports
from gateway.socket_limits import LimitedSocket
from persistence.chargers import contenders, present_connections, upgrades
from persistence.chargers.contenders import Placing
from persistence.chargers.upgrades import Admission, Entry
from persistence.session import Database
from telemetry.subject import about


def _spoken(version: OcppVersion) -> tuple[type[Dialect], type[Reports]]:
    match version:
        case OcppVersion.V16:
            return Ocpp16, Reports16
        case OcppVersion.V201:
            return Ocpp201, Reports201
        case _:
            assert_never(version)


#: What a charger may speak, by the WebSocket's subprotocol; of what it offers the first is taken.
DIALECTS: Final = {f"ocpp{version}": _spoken(version) for version in reversed(OcppVersion)}
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
        sockets: ChargerSockets,
        rule: KeyRule,
        reporter: Reporter,
        tasks: Tasks,
        call_timeout: timedelta,
        metrics: GatewayMetrics,
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
        self._metrics = metrics
        self._db = db
        self._node = node
        self._sockets = sockets
        self._rule = rule
        self._reporter = reporter
        self._tasks = tasks
        self._call_timeout = call_timeout.total_seconds()
        self._stopping = asyncio.Event()

    def give_up(self) -> None:
        """Try no longer to release sockets that could not be: the node's next start does."""
        self._stopping.set()

    async def hold(
        self, websocket: LimitedSocket, admission: Admission, arrival: int, contender: Contender | None = None
    ) -> None:
        """Hold one charger's socket from its claim to its release; it was the `arrival`-th to be let in.

        As `contender` it waits for its charger's place first.
        """
        try:
            while contender is None:
                try:
                    socket = await self._claim(websocket, admission, arrival)
                except MustWait:
                    contender = await self._contests.enter(websocket, admission, websocket.address)
                else:
                    await self._begin(websocket, socket)
                    return
        except Unavailable:
            await websocket.close(CloseCode.TRY_AGAIN_LATER, "try again in a moment")
        except PlaceTaken:
            await websocket.close(CloseCode.TRY_AGAIN_LATER, "another connection has this place")
        else:
            await self._hold_back(contender, admission, arrival)

    async def _begin(self, websocket: LimitedSocket, socket: ChargerSocket | None) -> None:
        if socket is None:
            await websocket.close(CloseCode.POLICY_VIOLATION, "these credentials, or this connection, were replaced")
            return
        with about(charge_point_id=socket.charge_point_id):
            await self._attend(socket, socket.dialect.listen())

    async def _hold_back(self, contender: Contender, admission: Admission, arrival: int) -> None:
        """Let a socket wait for its charger's place, until it has that, or has lost its turn.

        Its frames are not read before it is known whether the socket that has the place is there. Where it is, they are
        answered as in quarantine; where it is not, they are handled in their order.
        """
        websocket, socket, listening = contender.websocket, None, None
        websocket.waits = True
        try:
            with about(charge_point_id=contender.charge_point_id):
                while (status := await contender.next()) is not ContenderStatus.GONE:
                    if status is ContenderStatus.LOST:
                        await websocket.close(CloseCode.TRY_AGAIN_LATER, "another connection has this place")
                        return
                    if status is ContenderStatus.ANSWERED and socket is None:
                        socket = self._make(websocket, admission, arrival, contender.since)
                        socket.quarantined = socket.waits = True
                        websocket.waits = False
                        name = f"listening to a socket that waits for {contender.charge_point_id}"
                        listening = self._tasks.start(socket.dialect.listen(), name)
                    if status is not ContenderStatus.FREE:
                        continue
                    try:
                        claimed = await self._let_in(contender, admission, arrival, socket)
                    except MustWait:
                        continue
                    if claimed is None:
                        await websocket.close(
                            CloseCode.POLICY_VIOLATION, "these credentials, or this place, were taken"
                        )
                    else:
                        await self._attend(claimed, listening or claimed.dialect.listen())
                    return
        finally:
            await self._contests.leave(contender)
            if socket is not None:
                socket.end()
            if listening is not None:
                await listening

    async def _let_in(
        self, contender: Contender, admission: Admission, arrival: int, socket: ChargerSocket | None
    ) -> ChargerSocket | None:
        """Give the place to one that waited; raises MustWait where it waits on."""
        try:
            claimed = await self._claim(contender.websocket, admission, arrival, contender, socket)
        except Unavailable:
            raise MustWait from None  # the next look finds the place free again
        if claimed is not None:
            self._contests.let_in(contender)
            contender.websocket.waits = False
        return claimed

    async def _attend(self, socket: ChargerSocket, listening: Awaitable[None]) -> None:
        """Listen to a charger until its socket is closed."""
        version = socket.dialect.VERSION
        self._metrics.opened(version, quarantined=socket.quarantined)
        self._reporter.report(socket.charge_point_id, Fact.CONNECTED)
        if socket.quarantined:
            work = self._rule.keep_in_quarantine(socket)
            self._tasks.start(work, f"the quarantine of {socket.charge_point_id}")
        elif socket.known_to is KnownTo.PEOPLE:
            self._tasks.start(self._enrolment.see_to(socket), f"the enrolment of {socket.charge_point_id}")
        try:
            await listening
        finally:
            socket.end()
            self._metrics.closed(version)
            self._sockets.let_go(socket)
            await self._release(socket)

    async def _claim(
        self,
        websocket: LimitedSocket,
        admission: Admission,
        arrival: int,
        contender: Contender | None = None,
        socket: ChargerSocket | None = None,
    ) -> ChargerSocket | None:
        """Claim the connection; None where its key lost its place since the upgrade, or a newer one was faster.

        A `contender` has waited; its `socket` is there where it was listened to meanwhile. Raises MustWait where
        another socket has the place, and this one may not have it at once.
        """
        charge_point_id, credential_id = admission.charge_point_id, admission.credential_id
        if charge_point_id is None or credential_id is None:
            return None
        async with self._sockets.in_turn(charge_point_id):
            if contender is None and self._sockets.has_newer(charge_point_id, arrival):
                return None
            now = datetime.now(UTC)
            async with self._db.writing() as rows:
                if not await upgrades.may_connect(rows, credential_id):
                    return None
                address = websocket.address
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
            if socket is None:
                socket = self._make(websocket, admission, arrival, contender.since if contender is not None else now)
            socket.generation, socket.quarantined, socket.waits = generation, quarantined, False
            older = self._sockets.hold(socket)
            if older is not None:
                self._contests.see_off(older, CloseCode.NORMAL_CLOSURE, credential_id, address)
        self._contests.wake()  # whoever waited for it has lost its turn
        return socket

    def _make(self, websocket: LimitedSocket, admission: Admission, arrival: int, opened_at: datetime) -> ChargerSocket:
        """Make the socket of a charger that has no place yet."""
        socket = ChargerSocket(
            charge_point_id=admission.charge_point_id or ChargePointId(""),
            websocket=websocket,
            arrival=arrival,
            generation=0,
            opened_at=opened_at,
            released_at=opened_at,
            quarantined=False,
            credential_id=admission.credential_id or "",
            known_to=admission.known_to,
            address=websocket.address,
            open_line=self._open_line,
            parked=admission.parked,
        )
        socket.dialect = self._speak(socket)
        return socket

    def _speak(self, socket: ChargerSocket) -> Dialect:
        """Give the language of the socket's charger: the one that the upgrade has settled on."""
        dialect, reports = DIALECTS[socket.websocket.subprotocol or ""]
        line = Line(
            socket.websocket,
            socket.charge_point_id,
            dialect.VERSION,
            dialect.RESULTS,
            self._call_timeout,
            self._metrics,
        )
        heard = reports(socket, self._db, self._rule, self._reporter, self._charging_rules)
        return dialect(line, heard.handlers())

    async def _release(self, socket: ChargerSocket) -> None:
        """Say that the socket is gone; again and again while the database is away, as nobody else can."""
        pause, ended = 1, datetime.now(UTC)
        while True:
            try:
                async with self._db.writing() as rows:
                    it, shown = socket.charge_point_id, socket.clock.shown
                    gone = await present_connections.release(rows, it, socket.generation, ended, shown)
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
            self._reporter.report(socket.charge_point_id, Fact.DISCONNECTED)
