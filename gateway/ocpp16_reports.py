"""OCPP 1.6: what a charger reports, and what is taken over of it; in quarantine, nothing is."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ocpp.v16 import call_result

from gateway.credentials import KeyRule
from gateway.facts import Fact, Reporter
from gateway.line import Handler, NotInQuarantine
from gateway.sessions import Session
from persistence import charger_links, charging
from persistence.charging import Start, TagStatus
from persistence.session import Database

#: How often a charger sends a heartbeat, and one in quarantine its BootNotification, in seconds.
_HEARTBEAT: Final = 300
_BOOT_AGAIN: Final = 30
_TAG_INFO: Final = {
    TagStatus.ACCEPTED: {"status": "Accepted"},
    TagStatus.BLOCKED: {"status": "Blocked"},
    TagStatus.INVALID: {"status": "Invalid"},
}
_REGISTER: Final = "Energy.Active.Import.Register"


class Reports:
    """The handlers of one charger's socket."""

    def __init__(self, session: Session, db: Database, rule: KeyRule, reporter: Reporter) -> None:
        """Take over what `session`'s charger reports into `db`."""
        self._session = session
        self._id = session.charge_point_id
        self._db = db
        self._rule = rule
        self._reporter = reporter

    def handlers(self) -> Mapping[str, Handler]:
        """Give the handler of each call that a charger may make."""
        return {
            "Authorize": self._authorize,
            "BootNotification": self._boot,
            "DataTransfer": self._data_transfer,
            "DiagnosticsStatusNotification": self._diagnostics,
            "FirmwareStatusNotification": self._firmware,
            "Heartbeat": self._heartbeat,
            "MeterValues": self._meter_values,
            "SecurityEventNotification": self._security_event,
            "StartTransaction": self._start,
            "StatusNotification": self._status,
            "StopTransaction": self._stop,
        }

    async def _boot(
        self, charge_point_vendor: str, charge_point_model: str, firmware_version: str | None = None, **_: Any
    ) -> Any:
        """Take over what the charger is; end its quarantine where the reason is gone (the order was called off).

        A socket that was replaced is rejected; one without a key is left pending, as orders may still go over it.
        """
        now = datetime.now(UTC)
        if self._session.quarantined and not await self._rule.lift_quarantine(self._session):
            self._session.booted.set()
            return call_result.BootNotification(_spell(now), _BOOT_AGAIN, "Pending")
        async with self._db.writing() as session:
            standing = await charger_links.standing(session, self._id)
            if not standing.good(self._session.generation):
                answer = "Pending" if standing.generation == self._session.generation else "Rejected"
                return call_result.BootNotification(_spell(now), _BOOT_AGAIN, answer)
            await charger_links.record_boot(
                session,
                self._id,
                ocpp="1.6",
                vendor=charge_point_vendor,
                model=charge_point_model,
                firmware=firmware_version,
                now=now,
            )
        self._session.booted.set()
        return call_result.BootNotification(_spell(now), _HEARTBEAT, "Accepted")

    async def _heartbeat(self, **_: Any) -> Any:
        return call_result.Heartbeat(_spell(datetime.now(UTC)))

    async def _status(self, **_: Any) -> Any:
        return call_result.StatusNotification()

    async def _firmware(self, **_: Any) -> Any:
        return call_result.FirmwareStatusNotification()

    async def _diagnostics(self, **_: Any) -> Any:
        return call_result.DiagnosticsStatusNotification()

    async def _security_event(self, **_: Any) -> Any:
        return call_result.SecurityEventNotification()

    async def _data_transfer(self, **_: Any) -> Any:
        return call_result.DataTransfer("UnknownVendorId")

    async def _authorize(self, id_tag: str, **_: Any) -> Any:
        if self._session.quarantined:
            return call_result.Authorize(_TAG_INFO[TagStatus.BLOCKED])
        async with self._db.reading() as session:
            status = TagStatus.BLOCKED
            if (await charger_links.standing(session, self._id)).good(self._session.generation):
                status = await charging.authorize(session, self._id, id_tag)
        return call_result.Authorize(_TAG_INFO[status])

    async def _start(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **_: Any) -> Any:
        """Record a session; nothing in quarantine, on a socket that was replaced, or without a key.

        There a start from before this connection gets an error, so that it is sent again.
        """
        now = datetime.now(UTC)
        at = _read_time(timestamp, now)
        queued = at < self._session.opened_at
        start, started = Start(connector_id, id_tag, meter_start, at, queued), None
        if not self._session.quarantined:
            async with self._db.writing() as session:
                if (await charger_links.standing(session, self._id)).good(self._session.generation):
                    started = await charging.start_session(session, self._id, start, now)
        if started is not None:
            return call_result.StartTransaction(started.transaction_id, _TAG_INFO[started.status])
        if queued:
            raise NotInQuarantine
        return call_result.StartTransaction(0, _TAG_INFO[TagStatus.BLOCKED])

    async def _meter_values(self, meter_value: list[Any], transaction_id: int | None = None, **_: Any) -> Any:
        if self._session.quarantined:
            raise NotInQuarantine
        readings = [_energy(sample) for entry in meter_value for sample in entry.get("sampled_value", [])]
        known = [reading for reading in readings if reading is not None]
        if known and transaction_id is not None:
            async with self._db.writing() as session:
                await charging.record_meter(session, self._id, transaction_id, max(known))
        return call_result.MeterValues()

    async def _stop(self, meter_stop: int, timestamp: str, transaction_id: int, reason: str = "Local", **_: Any) -> Any:
        if self._session.quarantined:
            raise NotInQuarantine
        now = datetime.now(UTC)
        async with self._db.writing() as session:
            ended = await charging.stop_session(
                session,
                self._id,
                transaction_id,
                meter=meter_stop,
                at=_read_time(timestamp, now),
                reason=reason,
                now=now,
            )
        if ended:
            self._reporter.report(self._id, Fact.SESSION_ENDED)
        return call_result.StopTransaction()


def _spell(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_time(text: str, now: datetime) -> datetime:
    """Read a reported time; without a zone it is UTC, and one that can't be read is `now`."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return now


def _energy(sample: Mapping[str, Any]) -> int | None:
    """Give a sample of the meter's register in Wh, None where it is something else."""
    if sample.get("measurand", _REGISTER) != _REGISTER or "phase" in sample:
        return None
    try:
        value = float(sample["value"]) * (1000 if sample.get("unit", "Wh") == "kWh" else 1)
        return int(value)
    except (ValueError, OverflowError, KeyError):
        return None
