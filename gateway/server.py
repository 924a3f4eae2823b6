"""The WebSocket server of one gateway node: lets chargers in, holds their sockets, says so in the database."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from domain.charger import OcppVersion
from domain.charging import CONNECTOR_POWER_LIMIT, LOST_AFTER
from domain.errors import ErrorCode, HandoverError, Unavailable
from domain.ids import NodeId
from domain.networks import is_loopback
from domain.policy import DEFAULT_POLICY
from domain.proxies import NO_PROXIES, Proxies
from gateway.auth_throttle import AuthThrottle
from gateway.charger_sockets import ChargerSockets
from gateway.connections import DIALECTS, Connections
from gateway.contests import LOOK_EVERY, Contender, Contests, PlaceTaken
from gateway.credentials import KeyRule
from gateway.ended_keys import EndedKeys
from gateway.enrolment import Enrolment, EnrolmentOptions
from gateway.facts import OnFact, Reporter, Tasks
from gateway.metrics import GatewayMetrics, Refused
from gateway.orders import Orders
from gateway.proxy_protocol import after_header
from gateway.reports import ChargingRules
from gateway.socket_limits import STANDARD, LimitedSocket, Silent, SocketLimits
from gateway.sweep import Sweep
from gateway.tls import Certificate
from gateway.upgrade import BadUpgrade, Presented, choose_subprotocol, later, offered_in, read_upgrade, unauthorized
from persistence.chargers import gateway_nodes, present_connections
from persistence.chargers.gateway_nodes import LATE_AFTER, SIGN_EVERY, SILENT_AFTER
from persistence.chargers.upgrades import Admission, Entry, OldKeys, RefusedFor
from persistence.session import Database
from persistence.vault import Vault

_log = logging.getLogger(__name__)
#: The library logs frames and headers at DEBUG, keys included: it never gets that far, whatever the root logger says.
_sockets_log = logging.getLogger(f"{__name__}.sockets")
_sockets_log.setLevel(logging.CRITICAL)

_CLOSE_PATIENCE = 2
#: After how long without a sign of life that was written a node sends its chargers away, a try's length later at most:
#: longer than a database takes to fail over, as all of them come back at once.
LET_GO_AFTER: Final = timedelta(seconds=45)
_FACTS_PATIENCE = 5


class PortTaken(HandoverError):
    """The gateway's port can't be listened on."""

    code = ErrorCode.UNAVAILABLE


class Gateway:
    """One gateway process. `orders` is what it can be asked to do at the chargers that it holds."""

    def __init__(  # noqa: PLR0913 - each is one setting
        self,
        db: Database,
        vault: Vault,
        *,
        host: str,
        port: int,
        node: NodeId,
        call_timeout: timedelta,
        old_keys: OldKeys,
        on_fact: OnFact,
        enrolment: EnrolmentOptions | None = None,
        boot_patience: timedelta = timedelta(seconds=5),
        reconnect_patience: timedelta = DEFAULT_POLICY.reconnect_after,
        restart_patience: timedelta = DEFAULT_POLICY.restart_patience,
        sweep_every: timedelta = timedelta(seconds=3),
        certificate: Certificate | None = None,
        open_line: bool = True,
        without_subprotocol: OcppVersion | None = None,
        limits: SocketLimits = STANDARD,
        proxies: Proxies = NO_PROXIES,
        proxy_protocol: bool = False,
        power_limit: float = CONNECTOR_POWER_LIMIT,
        lost_after: timedelta = LOST_AFTER,
        clock: Callable[[], float] = time.monotonic,
        metrics: GatewayMetrics | None = None,
        sign_every: timedelta = SIGN_EVERY,
        look_every: timedelta = LOOK_EVERY,
    ) -> None:
        """Listen on `host` and `port` (0: any free one) once started; `node` names it in the database.

        A charger may take `call_timeout` over a call; `old_keys` says what a key opens that is to be replaced. Keys
        that people know are replaced as `enrolment` says, or not at all. The patiences are those of KeyRule. Sockets
        that have lost their right elsewhere are closed at a sweep, one `sweep_every`. It serves wss where there is a
        `certificate`, else ws; that is an `open_line` unless a proxy does the TLS. A charger that offers no subprotocol
        speaks the version `without_subprotocol`, where that is given. `proxies` are those that are trusted; with
        `proxy_protocol` they begin with its header. `clock`, in seconds, is that of failed authentications and of how
        old its last sign is; `metrics` counts and traces. The node writes a sign of life `sign_every` so often, and
        looks `look_every` so often for sockets that wait for a charger's place.
        """
        self._db = db
        self._host = host
        self._port = port
        self._node = node
        self._certificate = certificate
        self._open_line = open_line and certificate is None
        self._sweep_every = sweep_every
        self._limits = limits
        self._proxies = proxies
        self._proxy_protocol = proxy_protocol
        self._silent = Silent(limits.silent_at_once)
        self._guesses = AuthThrottle(limits, clock)
        self._tasks = Tasks()
        self._facts = Tasks()
        self._reporter = Reporter(on_fact, self._facts)
        self._sockets = ChargerSockets(self._tasks)
        self._metrics = metrics or GatewayMetrics()
        self._metrics.show(lambda: [(held.dialect.VERSION, held.quarantined) for held in self._sockets.all()])
        self._sign_every = sign_every.total_seconds()
        self._clock = clock
        self._signed_at: float | None = None
        self._contests = Contests(db, node, self._sockets, self._reporter, self._tasks, limits, look_every)
        self._ended = EndedKeys(db, self._reporter, self._tasks)
        self._metrics.show_waiting(
            self._contests.held, lambda: sum(held.quarantined and held.parked for held in self._sockets.all())
        )
        self._admissions: WeakKeyDictionary[ServerConnection, tuple[Admission, int, Contender | None]] = (
            WeakKeyDictionary()
        )
        self._spoken: WeakKeyDictionary[ServerConnection, Subprotocol] = WeakKeyDictionary()
        self._without_subprotocol = without_subprotocol and f"ocpp{without_subprotocol}"
        self._arrivals = 0
        self._server: Server | None = None
        self._rule = KeyRule(
            db,
            vault,
            self._sockets,
            self._reporter,
            old_keys=old_keys,
            boot_patience=boot_patience.total_seconds(),
            reconnect_patience=reconnect_patience.total_seconds(),
            restart_patience=restart_patience,
        )
        self._enrolment = Enrolment(db, self._rule, enrolment, boot_patience.total_seconds(), self._metrics)
        self._connections = Connections(
            db,
            node,
            self._sockets,
            self._rule,
            self._reporter,
            self._tasks,
            call_timeout,
            self._metrics,
            self._enrolment,
            self._contests,
            open_line=self._open_line,
            charging_rules=ChargingRules(limits.ping_every + limits.ping_timeout, power_limit, lost_after),
        )
        self._sweep = Sweep(db, node, self._sockets, self._rule, self._contests, sweep_every)
        self.orders = Orders(db, self._sockets, self._rule, self._enrolment, self._tasks)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def listening(self) -> bool:
        """Whether chargers can connect."""
        return self._server is not None and self._server.is_serving()

    @property
    def signing(self) -> bool:
        """Whether its last sign of life is so young that no other node takes it for dead."""
        return self._signed_at is not None and self._clock() - self._signed_at < SILENT_AFTER.total_seconds()

    async def start(self) -> None:
        """Release what a former process of this node held, then listen; raises PortTaken, Unavailable."""
        make: Callable[..., Any] = partial(LimitedSocket, self._limits, self._proxies, self._silent)
        context, within = None, self._limits.upgrade_within.total_seconds()
        if self._certificate:
            context = self._certificate.context
        if self._proxy_protocol:  # TLS comes after the header
            make, context = after_header(make, self._proxies, self._silent, context, within), None
        server = serve(
            self._hold,
            self._host,
            self._port,
            process_request=self._let_in,
            process_response=self._name_subprotocol,
            compression=None,
            max_size=self._limits.frame_size or None,
            ping_interval=self._limits.ping_every.total_seconds() or None,
            open_timeout=within,
            close_timeout=_CLOSE_PATIENCE,
            logger=_sockets_log,
            create_connection=cast("type[ServerConnection]", make),
            ssl=context,
            start_serving=False,
        )
        try:
            self._server = await server
            async with self._db.writing() as rows:  # not before the port is ours: it may be another node's
                await present_connections.clear_node(rows, self._node, datetime.now(UTC))
                await present_connections.clear_dead(rows, datetime.now(UTC))
                await gateway_nodes.sign(rows, self._node)
            self._signed_at = self._clock()
            await self._server.start_serving()
        except OSError:
            await self.stop()
            raise PortTaken(
                f"The gateway can't listen on {self._host}:{self._port}; free the port or set HANDOVER_GATEWAY_PORT."
            ) from None
        except Unavailable:
            await self.stop()
            raise
        self._tasks.start(self._sign(), "the signs of life")
        self._tasks.start(self._sweep.run(), "the sweep")
        self._tasks.start(self._contests.run(), "the look at contests")
        self._tasks.start(self._enrolment.watch(), "the look at enrolments")
        if self._certificate:
            self._tasks.start(self._certificate.watch(self._sweep_every), "the look at the certificate")
        self._port = self._server.sockets[0].getsockname()[1]
        scheme = "wss" if self._certificate else "ws"
        _log.info("Chargers connect to %s://%s:%d/ocpp/{identity}.", scheme, self._host, self._port)
        if self._open_line and not is_loopback(self._host):
            _log.warning(
                "Chargers are sent their keys over ws, which whoever sees the network can read; set "
                "HANDOVER_GATEWAY_TLS_CERT and HANDOVER_GATEWAY_TLS_KEY, or HANDOVER_GATEWAY_BEHIND_TLS where a proxy "
                "does the TLS."
            )

    async def stop(self) -> None:
        """Close every socket so that its charger comes back (1012), and release it."""
        if self._server is not None:
            self._connections.give_up()
            self._server.close(code=CloseCode.SERVICE_RESTART, reason="the gateway restarts")
            self._silent.close()
            await self._server.wait_closed()
        await self._tasks.stop()
        await self._facts.finish(_FACTS_PATIENCE)

    async def _sign(self) -> None:
        """Write signs of life until cancelled; where one can not be written, the next one is.

        A node whose signs have not been written for long can do nothing for its chargers.
        """
        while True:
            await asyncio.sleep(self._sign_every)
            try:
                async with asyncio.timeout(LATE_AFTER.total_seconds()), self._db.writing() as rows:
                    await gateway_nodes.sign(rows, self._node)
                self._signed_at = self._clock()
            except (Unavailable, TimeoutError):
                self._let_go_if_cut_off()
            except Exception as error:  # noqa: BLE001 - whatever fails, the next one is written
                _log.error("A sign of life failed: %s", type(error).__name__)

    def _let_go_if_cut_off(self) -> None:
        """Send the chargers away: to a node that has the database, or to charge by what they know themselves."""
        held, waiting = self._sockets.all(), self._contests.held()
        if self._signed_at is None or self._clock() - self._signed_at < LET_GO_AFTER.total_seconds():
            return
        if held or waiting:
            _log.warning("The database does not answer: %d sockets are sent elsewhere.", len(held) + waiting)
        for socket in held:
            self._sockets.close(socket, CloseCode.TRY_AGAIN_LATER, "try again in a moment")
        self._contests.give_up()

    async def _let_in(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer an upgrade: None lets it in. Whoever can't be told apart from a stranger is answered like one."""
        try:
            presented = read_upgrade(request.path, request.headers)
        except BadUpgrade as bad:
            return socket.respond(bad.status, bad.text)
        spoken = choose_subprotocol(offered_in(request.headers), DIALECTS, self._without_subprotocol)
        if spoken is None:
            return None  # it is closed once it is open
        self._spoken[socket] = spoken
        if presented is None:
            self._metrics.refused(Refused.NO_CREDENTIALS)
            return unauthorized(socket)
        address = cast("LimitedSocket", socket).address
        if wait := self._guesses.begin(address, presented.identity, presented.password):
            self._metrics.refused(Refused.RATE_LIMITED)
            return later(socket, HTTPStatus.TOO_MANY_REQUESTS, "Failed too often; try again", wait)
        return await self._admit(socket, presented, address)

    async def _admit(self, socket: ServerConnection, presented: Presented, address: str) -> Response | None:
        failed, contender = False, None
        try:
            admission = await self._rule.decide(presented.identity, presented.password, address)
            good = admission.entry not in {Entry.REFUSED, Entry.QUARANTINED}
            self._guesses.learn(presented.identity, presented.password, good=good)
            if admission.entry is not Entry.REFUSED:
                contender = await self._contests.enter(cast("LimitedSocket", socket), admission, address)
            failed = admission.entry is Entry.REFUSED and admission.refused_for is not RefusedFor.ENDED
        except PlaceTaken as taken:
            self._metrics.refused(Refused.CONTESTED)
            return later(socket, HTTPStatus.SERVICE_UNAVAILABLE, "Try again", taken.wait)
        except Exception as error:  # noqa: BLE001 - whatever fails, the charger is told to try again
            if not isinstance(error, Unavailable):
                _log.error("An upgrade failed: %s", type(error).__name__)  # a trace may hold keys
            self._metrics.refused(Refused.UNAVAILABLE)
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Try again in a moment.\n")
        finally:
            self._guesses.end(address, presented.identity, failed=failed)
        if admission.entry is Entry.REFUSED:
            if admission.refused_for is RefusedFor.ENDED:
                self._ended.note(admission, address)
            self._metrics.refused(admission.refused_for or RefusedFor.WRONG_PASSWORD)
            return unauthorized(socket)
        self._arrivals += 1
        self._admissions[socket] = (admission, self._arrivals, contender)
        return None

    def _name_subprotocol(self, socket: ServerConnection, request: Request, response: Response) -> None:
        """Say which of the subprotocols that are offered is spoken."""
        spoken = self._spoken.get(socket)
        if spoken is not None and spoken in offered_in(request.headers):
            response.headers["Sec-WebSocket-Protocol"] = spoken

    async def _hold(self, socket: ServerConnection) -> None:
        if socket not in self._spoken:
            await socket.close(CloseCode.PROTOCOL_ERROR, f"offer the subprotocol {' or '.join(DIALECTS)}")
            return
        socket.protocol.subprotocol = self._spoken.pop(socket)
        try:
            await self._connections.hold(cast("LimitedSocket", socket), *self._admissions.pop(socket))
        except Exception as error:
            _log.error("Holding a socket failed: %s", type(error).__name__)  # a trace may hold keys
            raise
