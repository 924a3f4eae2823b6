"""OCPP 2.0.1: how a charger's reports are read, and answered."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final

from ocpp.v201 import call_result

from domain.charger import OcppVersion
from domain.tags import TagType
from gateway.ocpp.line import Handler
from gateway.reports import SIM, TAG_STATUS, About, Reports, countable, hears, spell_time
from persistence.chargers.charging import Start, TagStatus

_REGISTER: Final = "Energy.Active.Import.Register"
#: Characters of a transactionId (identifierString).
_LONGEST_REFERENCE: Final = 36
#: Calls that are answered alike: what they tell is not kept, or asks for a service that is not offered here.
_ALIKE: Final[Mapping[str, Callable[[], Any]]] = {
    "ClearedChargingLimit": call_result.ClearedChargingLimit,
    "FirmwareStatusNotification": call_result.FirmwareStatusNotification,
    "LogStatusNotification": call_result.LogStatusNotification,
    "Get15118EVCertificate": partial(call_result.Get15118EVCertificate, status="Failed", exi_response=""),
    "GetCertificateStatus": partial(call_result.GetCertificateStatus, status="Failed"),
    "NotifyChargingLimit": call_result.NotifyChargingLimit,
    "NotifyDisplayMessages": call_result.NotifyDisplayMessages,
    "NotifyEVChargingNeeds": partial(call_result.NotifyEVChargingNeeds, status="Rejected"),
    "NotifyEVChargingSchedule": partial(call_result.NotifyEVChargingSchedule, status="Accepted"),
    "NotifyEvent": call_result.NotifyEvent,
    "NotifyMonitoringReport": call_result.NotifyMonitoringReport,
    "PublishFirmwareStatusNotification": call_result.PublishFirmwareStatusNotification,
    "ReservationStatusUpdate": call_result.ReservationStatusUpdate,
    "SecurityEventNotification": call_result.SecurityEventNotification,
    "SignCertificate": partial(call_result.SignCertificate, status="Rejected"),
}


class Reports201(Reports):
    """The handlers of one charger's socket."""

    VERSION = OcppVersion.V201

    def __init__(self, *of: Any) -> None:
        """Take over what its charger reports, as Reports does."""
        super().__init__(*of)
        #: What each connector of each EVSE was last said to be.
        self._connectors: dict[int, dict[int | None, str]] = {}

    def handlers(self) -> Mapping[str, Handler]:
        """Give the handler of each call that a charger may make."""
        return {
            **{action: hears(answer) for action, answer in _ALIKE.items()},
            "Authorize": self._authorize,
            "BootNotification": self._boot,
            "DataTransfer": self._data_transfer,
            "Heartbeat": self._heartbeat,
            "MeterValues": self._meter_values,
            "StatusNotification": self._status,
            "TransactionEvent": self._transaction_event,
        }

    async def _boot(self, charging_station: dict[str, Any], **_: Any) -> Any:
        serial = charging_station.get("serial_number")
        vendor, model = charging_station["vendor_name"], charging_station["model"]
        modem = charging_station.get("modem", {})
        sim = {name: str(modem[name]) for name in SIM if modem.get(name)}
        about = About(vendor, model, charging_station.get("firmware_version"), (str(serial),) if serial else (), sim)
        answer, seconds = await self.boots(about)
        return call_result.BootNotification(spell_time(datetime.now(UTC)), seconds, answer)

    async def _heartbeat(self, **_: Any) -> Any:
        return call_result.Heartbeat(spell_time(datetime.now(UTC)))

    async def _status(
        self, timestamp: str, connector_status: str, evse_id: int, connector_id: int | None = None, **_: Any
    ) -> Any:
        """Take note; an EVSE is free where all of its connectors are."""
        connectors = self._connectors.setdefault(evse_id, {})
        connectors[connector_id] = connector_status
        started = self._socket.clock.set_at is not None  # then it has told of all of them, and not of what changed
        if evse_id and started and set(connectors.values()) == {"Available"}:
            await self.frees(evse_id, timestamp)
        else:
            await self.hears(timestamp)
        return call_result.StatusNotification()

    async def _data_transfer(self, **_: Any) -> Any:
        return call_result.DataTransfer("UnknownVendorId")

    async def _authorize(self, id_token: dict[str, Any], **more: Any) -> Any:
        """Judge a token; a contract's certificate can't be judged here, so no car charges by one (C07.FR.13-15)."""
        if more.get("certificate") or more.get("iso15118_certificate_hash_data"):
            return call_result.Authorize(_info(TagStatus.INVALID), certificate_status="CertChainError")
        return call_result.Authorize(_info(await self.authorizes(id_token["id_token"], TagType(id_token["type"]))))

    async def _meter_values(self, **_: Any) -> Any:
        """Take note; those of a session come with its TransactionEvents."""
        self.not_in_quarantine()
        return call_result.MeterValues()

    async def _transaction_event(
        self, event_type: str, timestamp: str, transaction_info: dict[str, Any], **event: Any
    ) -> Any:
        """Record what happened in a session, at whichever of its events it is heard of first.

        In quarantine a start of now is blocked, and everything else gets an error, so that it is sent again.
        """
        at, begins = self.time_of(timestamp), event_type == "Started"
        reference = _reference(transaction_info["transaction_id"])
        token, offline = event.get("id_token"), event.get("offline")
        id_tag, tag_type = (token["id_token"], TagType(token["type"])) if token else ("", None)
        known, at_start = _readings(event.get("meter_value", []))
        meter_start = min(known) if begins and known else at_start
        connector = countable(event["evse"]["id"]) if "evse" in event else None
        known_as = None if begins else await self.known(reference)
        status, late = TagStatus.ACCEPTED, False
        if known_as is None:
            start = Start(connector, id_tag, meter_start, at, reference, offline, begins, tag_type)
            started = await self.starts(start)
            if started is None:
                return _answered(token, TagStatus.BLOCKED)
            session_id, status, late = started.transaction_id, started.status, started.late
        else:
            session_id = known_as.id
            if token:
                status = await self.names(session_id, id_tag, tag_type)
            if known_as.lacks:
                await self.adds(session_id, connector=connector, meter_start=meter_start)
        if not offline and not late:
            await self.hears(timestamp)
        if event_type == "Ended":
            reason = str(transaction_info.get("stopped_reason", "Local"))
            await self.stops(session_id, meter=max(known, default=None), at=at, reason=reason)
        elif event_type == "Updated":
            await self.meters(session_id, known)
        return _answered(token, status)


def _readings(meter_values: list[Any]) -> tuple[list[int], int | None]:
    """Give every reading of the meter's register in Wh, and the one that is said to be of the start."""
    samples = [(sample, _energy(sample)) for entry in meter_values for sample in entry["sampled_value"]]
    known = [(sample.get("context"), wh) for sample, wh in samples if wh is not None]
    at_start = [wh for context, wh in known if context == "Transaction.Begin"]
    return [wh for _, wh in known], at_start[0] if at_start else None


def _reference(transaction_id: str) -> str:
    """Give the name of a session; one that is longer than it may be is not cut, as others may begin with the same."""
    said = transaction_id.encode()  # a database that knows of no encoding counts bytes
    return transaction_id if len(said) <= _LONGEST_REFERENCE else sha256(said).hexdigest()[:_LONGEST_REFERENCE]


def _info(status: TagStatus) -> dict[str, str]:
    return {"status": TAG_STATUS[status]}


def _answered(token: object, status: TagStatus) -> Any:
    """Say whether a token may charge, where one was presented."""
    return call_result.TransactionEvent(id_token_info=_info(status) if token else None)


def _energy(sample: Mapping[str, Any]) -> int | None:
    """Give a sample of the meter's register in Wh, None where it is something else."""
    if sample.get("measurand", _REGISTER) != _REGISTER or "phase" in sample:
        return None
    unit = sample.get("unit_of_measure", {})
    try:
        value = float(sample["value"]) * 10.0 ** int(unit.get("multiplier", 0))
        return countable(value * (1000 if unit.get("unit", "Wh") == "kWh" else 1))
    except (ValueError, OverflowError):
        return None
