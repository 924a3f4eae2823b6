"""What this node can be asked to do at the chargers whose sockets it holds; who asks, and why, it does not know."""

from datetime import UTC, datetime

from websockets.frames import CloseCode

from domain.charger import REFUSALS, TAKEN, CommandOutcome, KeyAnswer
from domain.ids import ChargePointId
from gateway.charger_sockets import ChargerSocket, ChargerSockets
from gateway.credentials import Answer, KeyRule
from gateway.enrolment import Enrolment
from gateway.facts import Tasks
from gateway.list_replacement import ListReplacement, Replaced
from gateway.ocpp.line import CallRefused, NoAnswer, NotConnected
from persistence.chargers import charging, credentials, present_connections, upgrades
from persistence.session import Database


class Orders:
    """The device intents. Each raises NotConnected where the charger's socket is not here, NoAnswer, CallRefused.

    `order_id` is what makes an order idempotent; it means nothing here.
    """

    def __init__(
        self, db: Database, sockets: ChargerSockets, rule: KeyRule, enrolment: Enrolment, tasks: Tasks
    ) -> None:
        """Carry orders out over `sockets`; what follows from one afterwards runs in `tasks`."""
        self._db = db
        self._sockets = sockets
        self._rule = rule
        self._enrolment = enrolment
        self._tasks = tasks

    async def quiet(self, charge_point_id: ChargePointId, *, stop_session: bool) -> CommandOutcome:
        """Make the charger inoperative; with `stop_session` ask it to stop what runs. A repeat asks the same again."""
        socket = await self._find(charge_point_id)
        stop: list[charging.Running] = []
        if stop_session:
            async with self._db.reading() as rows:
                stop = await charging.running_sessions(rows, charge_point_id)
        return await socket.dialect.quiet(stop)

    async def release(self, charge_point_id: ChargePointId) -> CommandOutcome:
        """Make the charger operative. A repeat asks the same again."""
        return await (await self._find(charge_point_id)).dialect.release()

    async def replace_lists(self, charge_point_id: ChargePointId, order_id: str, *, restore: bool) -> Replaced:
        """Make the charger know the present group's tags, or with `restore` those that this order replaced.

        What is sent is on record before it leaves. A repeat sends it whole again, under versions that were never used.
        """
        work = ListReplacement(self._db, await self._find(charge_point_id), order_id)
        return await (work.restore() if restore else work.replace())

    async def rotate(self, charge_point_id: ChargePointId, order_id: str) -> Answer:
        """Send the order's pending key, always the same one, and say what the charger answered; raises nothing else.

        Proven already: `accepted`, and nothing is sent; refused already: that answer. A refusal that counts takes
        effect at once.
        """
        known = await self._known_answer(charge_point_id, order_id)
        if known is None:
            socket = await self._find(charge_point_id, in_quarantine=True)
            answer = await self._rule.send_pending(socket, order_id)
            if answer is None or answer.said is KeyAnswer.UNKNOWN:  # its reply may have lost the race against its proof
                return await self._known_answer(charge_point_id, order_id) or Answer(KeyAnswer.UNKNOWN)
            return answer
        if known.said is not KeyAnswer.ACCEPTED and known.counts:
            async with self._db.writing() as rows:
                await credentials.withdraw(rows, charge_point_id, order_id, datetime.now(UTC))
        return known

    async def take_own_key(self, charge_point_id: ChargePointId) -> Answer | None:
        """Send a fresh key in place of the present owner's own, and say what the charger answered; None: none may be.

        A repeat sends the same key again. One that keeps its socket, or needs a restart for its key, has the one closed
        or is restarted afterwards, as soon as no charging session runs.
        """
        socket = await self._find(charge_point_id)
        answer = await self._rule.send_own(socket, asked=True)
        if answer is not None and answer.said.value in TAKEN:
            work = self._enrolment.bring_back(socket, answer.said, at_any_hour=True)
            self._tasks.start(work, f"the return of {charge_point_id} with its new key")
        return answer

    async def identify(self, charge_point_id: ChargePointId) -> CommandOutcome | None:
        """Restart the charger over its ordinary connection; None: no answer was heard, and it may be restarting.

        A repeat restarts it again. Raises NotConnected only where it was told nothing.
        """
        socket = await self._find(charge_point_id)
        try:
            return await socket.dialect.restart()
        except CallRefused:
            return CommandOutcome.REJECTED
        except (NotConnected, NoAnswer):
            return None

    async def reset(self, charge_point_id: ChargePointId) -> CommandOutcome:
        """Restart the charger for its key. A repeat restarts it again, but while it may still be at it."""
        return await self._rule.restart_once(await self._find(charge_point_id, in_quarantine=True))

    async def disconnect(self, charge_point_id: ChargePointId) -> None:
        """Close the charger's socket: 1008 where no key of it is good any more, else 1012, so that it comes back."""
        socket = await self._find(charge_point_id, in_quarantine=True)
        async with self._db.reading() as rows:
            welcome = await upgrades.has_key(rows, charge_point_id)
        if welcome:
            self._sockets.close(socket, CloseCode.SERVICE_RESTART, "connect again")
        else:
            self._sockets.close(socket, CloseCode.POLICY_VIOLATION, "the credentials are revoked")

    async def _find(self, charge_point_id: ChargePointId, *, in_quarantine: bool = False) -> ChargerSocket:
        """Give the charger's socket, if it has not connected elsewhere since; an outlived socket is closed.

        In quarantine it may be a former owner's: only what is `in_quarantine` reaches it.
        """
        socket = self._sockets.find(charge_point_id)
        if socket is None:
            raise NotConnected("The charger is not connected to this node.")
        async with self._db.reading() as rows:
            place = await present_connections.whereabouts(rows, charge_point_id)
        if place.generation != socket.generation:
            self._sockets.close(socket, CloseCode.NORMAL_CLOSURE, "replaced by a newer connection")
            raise NotConnected("The charger has connected to another node.")
        if socket.quarantined and not in_quarantine:
            raise NotConnected("The charger is in quarantine.")
        return socket

    async def _known_answer(self, charge_point_id: ChargePointId, order_id: str) -> Answer | None:
        """Give the answer after which the charger need not be asked, None where it has to be."""
        async with self._db.reading() as rows:
            status = await credentials.status(rows, charge_point_id, order_id)
        if status.proven:
            return Answer(KeyAnswer.ACCEPTED)
        if not status.has_key:
            return Answer(KeyAnswer.REJECTED)
        return Answer(KeyAnswer(status.answer), status.answer_counts) if status.answer in REFUSALS else None
