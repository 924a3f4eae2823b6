"""The rule for credentials at the sockets: what an upgrade leads to, and how a charger gets its pending key."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from websockets.frames import CloseCode

from domain.errors import Unavailable
from domain.ids import ChargePointId
from gateway.dialect import Outcome
from gateway.facts import Fact, Reporter
from gateway.line import CallRefused, NoAnswer, NotConnected
from gateway.sessions import Session, Sessions
from persistence import charger_links, credentials, upgrades
from persistence.credentials import REFUSALS, KeyAnswer
from persistence.session import Database
from persistence.upgrades import Admission, Entry
from persistence.vault import Vault

_log = logging.getLogger(__name__)


class KeyRule:
    """Decides upgrades and sends pending keys; what it knows is in the database only."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        sessions: Sessions,
        reporter: Reporter,
        *,
        grace: timedelta,
        boot_patience: float,
        reconnect_patience: float,
    ) -> None:
        """Let the old key open ordinary connections for `grace` after the new one was sent.

        A quarantined charger is given `boot_patience` seconds to send its BootNotification before the key is sent, and
        `reconnect_patience` seconds to come back with it before its socket is closed.
        """
        self._db = db
        self._vault = vault
        self._sessions = sessions
        self._reporter = reporter
        self._grace = grace
        self._boot_patience = boot_patience
        self._reconnect_patience = reconnect_patience

    async def decide(self, identity: str, password: bytes) -> Admission:
        """Say what an upgrade leads to; the proof, where it is one, is committed when this returns.

        A wrong password takes no lock. Raises Unavailable where the database does not answer.
        """
        async with self._db.reading() as session:
            known = await upgrades.recognise(session, self._vault, identity, password)
        if known.admission is not None or known.charge_point_id is None:
            return known.admission or Admission(Entry.REFUSED)
        async with self._db.writing() as session:
            admission = await upgrades.admit(
                session,
                self._vault,
                known.charge_point_id,
                password,
                grace=self._grace,
                now=datetime.now(UTC),
            )
        if admission.entry is Entry.PROVED:
            self._reporter.report(known.charge_point_id, Fact.PROVED)
        elif admission.returned:
            self._reporter.report(known.charge_point_id, Fact.RETURNED_WITH_OLD_KEY)
        return admission

    async def send_pending(self, session: Session, order_id: str | None = None) -> KeyAnswer | None:
        """Send the pending key, always the same one, and record what came back; None: there is none to send.

        It is on record as sent before it leaves, so a lost reply, or the death of this process, loses nothing. With an
        `order_id` a refusal ends the rotation; without one only that of a key that its order has left to the gateway.
        """
        async with self._db.writing() as rows:
            key = await credentials.record_sent(
                rows, self._vault, session.charge_point_id, datetime.now(UTC), order_id=order_id
            )
        if key is None:
            return None
        answer = await session.dialect.send_key(key.text)
        async with self._db.writing() as rows:
            await credentials.record_answer(rows, session.charge_point_id, key.credential_id, answer)
            if order_id is None:
                await credentials.withdraw_unattended(rows, session.charge_point_id, datetime.now(UTC))
            elif answer.value in REFUSALS:
                await credentials.withdraw(rows, session.charge_point_id, order_id, datetime.now(UTC))
        return answer

    async def quarantines(self, rows: AsyncSession, charge_point_id: ChargePointId) -> bool:
        """Whether a connection with the current key opens in quarantine now, as another one is to replace it."""
        return await upgrades.still_quarantines(rows, charge_point_id, self._grace, datetime.now(UTC))

    async def lift_quarantine(self, session: Session) -> bool:
        """Make the connection an ordinary one, where the reason for its quarantine is gone; whether it is one now."""
        async with self._db.writing() as rows:
            if not (await charger_links.standing(rows, session.charge_point_id)).good(session.generation):
                return False
            await credentials.withdraw_unattended(rows, session.charge_point_id, datetime.now(UTC))
            if await self.quarantines(rows, session.charge_point_id):
                return False
            if not await charger_links.lift_quarantine(rows, session.charge_point_id, session.generation):
                return False
        session.quarantined = False
        self._reporter.report(session.charge_point_id, Fact.CONNECTED)
        return True

    async def keep_in_quarantine(self, session: Session) -> None:
        """Give a quarantined charger the same key again: after its BootNotification, or soon without one.

        As long as it gives no answer, again after each of its BootNotifications. A charger that has taken the key, and
        keeps its socket, has it closed; one that needs a restart for it is restarted. A parked one is left alone.
        """
        if session.parked:
            _log.warning("%s keeps coming back with its old key: parked in quarantine.", session.charge_point_id)
            return
        await self._wait_for_boot(session, self._boot_patience)
        while session.quarantined and not session.over:
            try:
                answer = await self.send_pending(session)
                if answer in REFUSALS:
                    await self.lift_quarantine(session)
            except Unavailable:
                answer = KeyAnswer.UNKNOWN
            if answer is KeyAnswer.ACCEPTED:
                await self._make_it_reconnect(session)
            elif answer is KeyAnswer.REBOOT_REQUIRED:
                await self._restart(session)
            if answer is not KeyAnswer.UNKNOWN:
                return
            await self._wait_for_boot(session, None)

    async def _wait_for_boot(self, session: Session, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience):
                await session.booted.wait()
        except TimeoutError:
            pass  # it has booted long ago, and came back without saying so
        session.booted.clear()

    async def _make_it_reconnect(self, session: Session) -> None:
        try:
            async with asyncio.timeout(self._reconnect_patience):
                await session.socket.wait_closed()
        except TimeoutError:
            self._sessions.close(session, CloseCode.SERVICE_RESTART, "reconnect with the new credentials")

    async def _restart(self, session: Session) -> None:
        try:
            outcome = await session.dialect.restart()
        except (NotConnected, NoAnswer, CallRefused):
            return  # the next connection tries again
        if outcome is not Outcome.DONE:
            _log.warning("%s needs a restart for its new credentials, and refused it.", session.charge_point_id)
