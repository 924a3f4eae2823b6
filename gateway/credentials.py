"""The rule for credentials at the sockets: what an upgrade leads to, and how a charger gets its pending key."""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession
from websockets.frames import CloseCode

from domain.charger import REFUSALS, CommandOutcome, KeyAnswer
from domain.errors import Unavailable
from domain.ids import ChargePointId
from domain.keys import KnownTo
from gateway.charger_sockets import ChargerSocket, ChargerSockets
from gateway.facts import Fact, Reporter
from gateway.ocpp.line import CallRefused, NoAnswer, NotConnected
from persistence.chargers import credentials, key_sending, present_connections, upgrades
from persistence.chargers.key_sending import Connection
from persistence.chargers.upgrades import Admission, Entry, OldKeys
from persistence.session import Database
from persistence.vault import Vault

_log = logging.getLogger(__name__)


#: How long a charger that gave no answer to a key is left alone, in seconds.
_AGAIN_AFTER: Final = 60


class Answer(NamedTuple):
    """What a charger answered to a key; `counts`: over a released connection that only the charger can have opened."""

    said: KeyAnswer
    counts: bool = True


class KeyRule:
    """Decides upgrades and sends pending keys; what it knows is in the database only."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        sockets: ChargerSockets,
        reporter: Reporter,
        *,
        old_keys: OldKeys,
        boot_patience: float,
        reconnect_patience: float,
        restart_patience: timedelta,
    ) -> None:
        """Let old keys open what `old_keys` says.

        A quarantined charger is given `boot_patience` seconds to send its BootNotification before the key is sent, and
        `reconnect_patience` seconds to come back with it before its socket is closed. One that has accepted to restart
        for it is given `restart_patience`: until then it is sent neither again.
        """
        self._db = db
        self._vault = vault
        self._sockets = sockets
        self._reporter = reporter
        self._old_keys = old_keys
        self._boot_patience = boot_patience
        self._reconnect_patience = reconnect_patience
        self._restart_patience = restart_patience

    async def decide(self, identity: str, password: bytes, address: str = "") -> Admission:
        """Say what an upgrade from `address` leads to; the proof, where it is one, is committed when this returns.

        A wrong password takes no lock. Raises Unavailable where the database does not answer.
        """
        async with self._db.reading() as rows:
            known = await upgrades.recognise(rows, self._vault, identity, password)
        if known.admission is not None or known.charge_point_id is None:
            return known.admission or Admission(Entry.REFUSED)
        async with self._db.writing() as rows:
            admission = await upgrades.admit(
                rows,
                self._vault,
                known.charge_point_id,
                password,
                old_keys=self._old_keys,
                now=datetime.now(UTC),
                address=address,
            )
        if admission.entry is Entry.PROVED:
            self._reporter.report(known.charge_point_id, Fact.PROVED)
        elif admission.returned:
            self._reporter.report(known.charge_point_id, Fact.RETURNED_WITH_OLD_KEY)
        return admission

    async def send_pending(self, socket: ChargerSocket, order_id: str | None = None) -> Answer | None:
        """Send the pending key, always the same one, and record what came back; None: there is none to send.

        It is on record as sent before it leaves, so a lost reply, or the death of this process, loses nothing. With an
        `order_id` a refusal that counts ends the rotation; without one that of a key that its order has left to the
        gateway makes it the new owner's to type one.
        """
        point = socket.charge_point_id
        connection = Connection(socket.generation, socket.serials, socket.open_line, socket.address, socket.sim)
        try:
            async with self._db.writing() as rows:
                key = await key_sending.record_sent(
                    rows,
                    self._vault,
                    point,
                    connection,
                    datetime.now(UTC),
                    order_id=order_id,
                    restart_patience=self._restart_patience,
                )
        except key_sending.Restarting:
            return Answer(KeyAnswer.REBOOT_REQUIRED, _counts(socket))
        if key is None:
            return None
        said = await socket.dialect.send_key(key.text)
        answer = Answer(said, _counts(socket))
        async with self._db.writing() as rows:
            now = datetime.now(UTC)
            await key_sending.record_answer(
                rows, point, key.credential_id, said, counts=answer.counts, address=socket.address
            )
            if order_id is None:
                await key_sending.refuse_own(rows, point, now)
                await credentials.refuse_unattended(rows, point, now)
            elif said.value in REFUSALS and answer.counts:
                await credentials.withdraw(rows, point, order_id, now)
        return answer

    async def send_own(self, socket: ChargerSocket, *, asked: bool = False) -> Answer | None:
        """Send a fresh key in place of the present owner's own; None where none may be made, or it waits for its proof.

        `asked`: by the owner, who may have it tried where it was refused before.
        """
        async with self._db.writing() as rows:
            made = await credentials.make_own(rows, self._vault, socket.charge_point_id, datetime.now(UTC), asked=asked)
        return await self.send_pending(socket) if made is not None else None

    async def count_start(self, socket: ChargerSocket) -> None:
        """Record that a charger has started anew on a released connection: it may show that a key was not taken."""
        if socket.quarantined:
            return
        point, key = socket.charge_point_id, socket.credential_id
        async with self._db.reading() as rows:
            if not await key_sending.start_shows(rows, point, key):
                return
        async with self._db.writing() as rows:
            await key_sending.record_start(rows, point, key, socket.opened_at, datetime.now(UTC))

    async def quarantines(self, rows: AsyncSession, charge_point_id: ChargePointId, credential_id: str) -> bool:
        """Whether a connection with this key opens in quarantine now."""
        return await upgrades.still_quarantines(rows, charge_point_id, credential_id, self._old_keys, datetime.now(UTC))

    async def lift_quarantine(self, socket: ChargerSocket) -> bool:
        """Make the connection an ordinary one, where the reason for its quarantine is gone; whether it is one now."""
        async with self._db.writing() as rows:
            if not (await present_connections.status(rows, socket.charge_point_id)).good(socket.generation):
                return False
            if await self.quarantines(rows, socket.charge_point_id, socket.credential_id):
                return False
            now = datetime.now(UTC)
            if not await present_connections.lift_quarantine(rows, socket.charge_point_id, socket.generation, now):
                return False
        socket.quarantined, socket.released_at = False, now
        self._reporter.report(socket.charge_point_id, Fact.CONNECTED)
        return True

    async def keep_in_quarantine(self, socket: ChargerSocket) -> None:
        """Give a quarantined charger the same key again: after its BootNotification, or soon without one.

        As long as it gives no answer, again after each of its BootNotifications, or a minute. A charger that has taken
        the key, and keeps its socket, has it closed; one that needs a restart for it is restarted. A parked one is left
        alone, and so is one whose new owner is to type a key: there is none to send.
        """
        if socket.parked:
            _log.warning("%s keeps coming back with its old key: parked in quarantine.", socket.charge_point_id)
            return
        await self.wait_for_boot(socket, self._boot_patience)
        while socket.quarantined and not socket.over:
            try:
                answer = await self.send_pending(socket)
            except Unavailable:
                answer = Answer(KeyAnswer.UNKNOWN)
            if answer is not None and answer.said is KeyAnswer.ACCEPTED:
                await self.make_it_reconnect(socket)
            elif answer is not None and answer.said is KeyAnswer.REBOOT_REQUIRED:
                await self.restart(socket)
                await self._let_restart(socket)
            if answer is None or answer.said is not KeyAnswer.UNKNOWN:
                return
            await self.wait_for_boot(socket, _AGAIN_AFTER)

    async def wait_for_boot(self, socket: ChargerSocket, patience: float | None) -> None:
        """Wait for a BootNotification, at most `patience` seconds; one that was sent already counts once."""
        try:
            async with asyncio.timeout(patience):
                await socket.booted.wait()
        except TimeoutError:
            pass  # it has booted long ago, and came back without saying so
        socket.booted.clear()

    async def make_it_reconnect(self, socket: ChargerSocket) -> None:
        """Close the socket of a charger that has taken its key, where it does not come back with it by itself."""
        try:
            async with asyncio.timeout(self._reconnect_patience):
                await socket.websocket.wait_closed()
        except TimeoutError:
            self._sockets.close(socket, CloseCode.SERVICE_RESTART, "reconnect with the new credentials")

    async def restart(self, socket: ChargerSocket) -> None:
        """Restart a charger that needs it for its key, with the next connection where it does not answer."""
        with suppress(NotConnected, NoAnswer, CallRefused):
            if await self.restart_once(socket) in {CommandOutcome.REJECTED, CommandOutcome.NOT_SUPPORTED}:
                _log.warning("%s needs a restart for its new credentials, and refused it.", socket.charge_point_id)

    async def restart_once(self, socket: ChargerSocket) -> CommandOutcome:
        """Restart a charger, unless it has accepted that for its key already and may still be at it.

        Raises NotConnected, NoAnswer, CallRefused.
        """
        point = socket.charge_point_id
        async with self._db.reading() as rows:
            if await key_sending.is_restarting(rows, point, datetime.now(UTC) - self._restart_patience):
                return CommandOutcome.DONE
        outcome = await socket.dialect.restart()
        if outcome in {CommandOutcome.DONE, CommandOutcome.SCHEDULED}:
            async with self._db.writing() as rows:
                await key_sending.record_restart(rows, point, datetime.now(UTC))
        return outcome

    async def _let_restart(self, socket: ChargerSocket) -> None:
        """Close the socket of a charger that does not restart, so that it comes back and is told again."""
        try:
            async with asyncio.timeout(self._restart_patience.total_seconds()):
                await socket.websocket.wait_closed()
        except TimeoutError:
            self._sockets.close(socket, CloseCode.SERVICE_RESTART, "reconnect with the new credentials")


def _counts(socket: ChargerSocket) -> bool:
    return not socket.quarantined and socket.known_to is KnownTo.CHARGER
