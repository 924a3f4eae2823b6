"""What a charger reports, whichever version of OCPP it speaks: what is taken over of it; in quarantine, nothing is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from domain.charger import OcppVersion
from domain.charger_clock import ChargerTime
from domain.charging import CONNECTOR_POWER_LIMIT, LOST_AFTER
from domain.errors import Unavailable
from domain.tags import TagType
from gateway.charger_sockets import ChargerSocket
from gateway.credentials import KeyRule
from gateway.facts import Fact, Reporter
from gateway.ocpp.line import Handler, NotInQuarantine, Unanswered
from persistence.chargers import charger_connections, charging, present_connections
from persistence.chargers.charging import Known, Over, Start, Started, TagStatus
from persistence.session import Database

#: How often a charger sends a heartbeat, and one in quarantine its BootNotification, in seconds.
HEARTBEAT: Final = 300
BOOT_AGAIN: Final = 30
#: The same for one that waits for the place of a socket with the same key.
BOOT_AGAIN_SOON: Final = 10
#: Beyond what a database counts.
_FAR: Final = 2**63
#: The transactionId of a start that was blocked: no lost stop names it.
BLOCKED_ID: Final = 2**31 - 1
#: How both versions name a modem's SIM card, and its subscription.
SIM: Final = ("iccid", "imsi")
#: How both versions spell whether a tag may charge.
TAG_STATUS: Final = {TagStatus.ACCEPTED: "Accepted", TagStatus.BLOCKED: "Blocked", TagStatus.INVALID: "Invalid"}


@dataclass(frozen=True)
class ChargingRules:
    """What is believed of charging sessions."""

    dead_for: timedelta = timedelta()
    """So long a connection may be dead before it is over: until a ping shows that."""
    power_limit: float = CONNECTOR_POWER_LIMIT
    """What a connector gives at most, in kW."""
    lost_after: timedelta = LOST_AFTER
    """How long after its last start or connection a charger has told of every session that it kept."""


@dataclass(frozen=True)
class About:
    """What a charger says of itself as it starts."""

    vendor: str
    model: str
    firmware: str | None
    serials: tuple[str, ...] = ()
    sim: Mapping[str, str] = field(default_factory=dict)
    """`iccid` and `imsi` of its modem, where it names them."""


class Reports(ABC):
    """The handlers of one charger's socket. A version's own class reads its calls and spells the answers."""

    VERSION: ClassVar[OcppVersion]

    def __init__(
        self,
        socket: ChargerSocket,
        db: Database,
        rule: KeyRule,
        reporter: Reporter,
        rules: ChargingRules,
    ) -> None:
        """Take over what `socket`'s charger reports into `db`."""
        self._rules = rules
        self._socket = socket
        self._id = socket.charge_point_id
        self._db = db
        self._rule = rule
        self._reporter = reporter

    @abstractmethod
    def handlers(self) -> Mapping[str, Handler]:
        """Give the handler of each call that a charger may make."""

    async def boots(self, about: About) -> tuple[str, int]:
        """Take over what the charger is; end its quarantine where the reason is gone (the order was called off).

        Gives the answer and how many seconds follow from it. A socket that was replaced is rejected; one without a key
        is left pending, as orders may still go over it.
        """
        self._socket.serials, self._socket.sim = about.serials, about.sim
        if self._socket.waits:
            return "Pending", BOOT_AGAIN_SOON
        if self._socket.quarantined and not await self._rule.lift_quarantine(self._socket):
            self._socket.booted.set()
            return "Pending", BOOT_AGAIN
        async with self._db.writing() as rows:
            status = await present_connections.status(rows, self._id)
            if not status.good(self._socket.generation):
                return "Pending" if status.generation == self._socket.generation else "Rejected", BOOT_AGAIN
            await present_connections.record_boot(
                rows,
                self._id,
                ocpp=self.VERSION,
                vendor=about.vendor,
                model=about.model,
                firmware=about.firmware,
                serials=about.serials,
                now=datetime.now(UTC),
            )
        await self._rule.count_start(self._socket)
        self._socket.clock.is_set(datetime.now(UTC))
        self._socket.booted.set()
        return "Accepted", HEARTBEAT

    async def authorizes(self, id_tag: str, tag_type: TagType | None = None) -> TagStatus:
        """Say whether a tag may start a session on this socket now."""
        if self._socket.quarantined:
            return TagStatus.BLOCKED
        async with self._db.reading() as rows:
            if not (await present_connections.status(rows, self._id)).good(self._socket.generation):
                return TagStatus.BLOCKED
            return await charging.authorize(rows, self._id, id_tag, tag_type)

    async def starts(self, start: Start) -> Started | None:
        """Record a session; None for one that may not start: in quarantine, on a replaced socket, without a key.

        There a start that may be from before this connection gets an error, so that it is sent again. One that waits
        for its place gets no answer, whatever it tells of a session: no error that might make it throw that away.
        """
        if self._socket.waits:
            raise Unanswered
        if not self._socket.quarantined:
            async with self._db.writing() as rows:
                if (await present_connections.status(rows, self._id)).good(self._socket.generation):
                    return await charging.start_session(rows, self._id, start, self._over(), datetime.now(UTC))
        if not start.begins or start.offline:
            raise NotInQuarantine
        async with self._db.reading() as rows:
            if not await charging.happens_now(rows, self._id, start.at, self._over(), datetime.now(UTC)):
                raise NotInQuarantine
        return None

    async def known(self, reference: str) -> Known | None:
        """Find a session that was reported before, by the charger's own name of it."""
        async with self._db.reading() as rows:
            return await charging.session_of(rows, self._id, reference)

    async def names(self, session_id: int, id_tag: str, tag_type: TagType | None = None) -> TagStatus:
        """Write who charges in a session, and say whether they may."""
        self.not_in_quarantine()
        async with self._db.writing() as rows:
            return await charging.name_tag(rows, self._id, session_id, id_tag, tag_type)

    async def adds(self, session_id: int, *, connector: int | None, meter_start: int | None) -> None:
        """Fill in what the first report of a session did not say."""
        self.not_in_quarantine()
        async with self._db.writing() as rows:
            await charging.add_what_was_missing(
                rows, session_id, self._over(), datetime.now(UTC), connector=connector, meter_start=meter_start
            )

    async def meters(self, session_id: int, readings: list[int]) -> None:
        """Keep the highest of the readings (Wh) of a session that runs."""
        self.not_in_quarantine()
        if readings:
            async with self._db.writing() as rows:
                await charging.record_meter(rows, self._id, session_id, max(readings))

    async def stops(self, said_id: int, *, meter: int | None, at: ChargerTime, reason: str) -> None:
        """Record a stop, and tell who waits for the end of the session; one that fits none is kept.

        That of a start that was blocked is of none.
        """
        self.not_in_quarantine()
        if said_id == BLOCKED_ID:
            return
        async with self._db.writing() as rows:
            now, over = datetime.now(UTC), self._over()
            session_id = await charging.session_to_stop(rows, self._id, said_id, over, meter=meter, at=at)
            if session_id is None:
                await charging.keep_stop(rows, self._id, said_id, over, now, meter=meter, at=at, reason=reason)
                return
            ended = await charging.stop_session(
                rows, self._id, session_id, over, now, meter=meter, at=at, reason=reason
            )
        if ended:
            self._reporter.report(self._id, Fact.SESSION_ENDED)

    async def frees(self, connector: int, text: str | None) -> None:
        """Take over that nothing is plugged into a connector: a session that still runs there has lost its stop.

        Not before the charger has had time to tell what it kept while it was away; and not what it tells so itself.
        """
        await self.hears(text)
        clock, now, since = self._socket.clock, datetime.now(UTC), self._socket.released_at
        told_all = max(since, clock.set_at or since) + self._rules.lost_after
        if self._socket.quarantined or self._socket.waits or now < told_all:
            return
        at = None if (said := read_time(text)) is None else clock.read(said)
        async with self._db.writing() as rows:
            over = self._over()
            ended = await charging.end_lost(rows, self._id, connector, over, now, at=at, told_all=told_all)
        if ended:
            self._reporter.report(self._id, Fact.SESSION_ENDED)

    def _over(self) -> Over:
        socket, rules = self._socket, self._rules
        return Over(socket.generation, socket.released_at, rules.dead_for, rules.power_limit)

    def time_of(self, text: str | None) -> ChargerTime:
        """Read a reported time with what is known of the charger's clock; one that can't be read is now."""
        return self._socket.clock.read(read_time(text) or datetime.now(UTC))

    async def hears(self, text: str | None) -> None:
        """Learn what the charger's clock is off by, from the time of a report of now; what is new is kept at once.

        Where the database is away the next report has it kept: the answer does not wait for that.
        """
        clock = self._socket.clock
        clock.hear(read_time(text), datetime.now(UTC))
        if clock.tells_news() and self._socket.generation:
            with suppress(Unavailable):
                async with self._db.writing() as rows:
                    await charger_connections.note_clock(rows, self._id, self._socket.generation, clock.shown)
                clock.is_noted()

    def not_in_quarantine(self) -> None:
        """Refuse what no quarantined charger may report; it keeps it and sends it again."""
        if self._socket.waits:
            raise Unanswered
        if self._socket.quarantined:
            raise NotInQuarantine


def hears(answer: Callable[[], Any]) -> Handler:
    """Give the handler of a call that is answered alike, whatever it tells: nothing of it is kept."""

    async def hear(**_: Any) -> Any:
        return answer()

    return hear


def countable(number: float) -> int | None:
    """Give a number that a charger counts as a whole one; None where no database can hold it."""
    try:
        whole = int(number)
    except (ValueError, OverflowError):
        return None
    return whole if -_FAR < whole < _FAR else None


def spell_time(moment: datetime) -> str:
    """Write a time as both versions have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str | None) -> datetime | None:
    """Read a reported time; without a zone it is UTC. None where it can't be read, or nobody could count from it."""
    try:
        moment = datetime.fromisoformat(text or "")
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if MINYEAR < moment.year < MAXYEAR else None
