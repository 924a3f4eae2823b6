"""OCPP 1.6: how a charger's reports are read, and answered."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from ocpp.v16 import call_result

from domain.charger import OcppVersion
from gateway.ocpp.line import Handler
from gateway.reports import BLOCKED_ID, SIM, TAG_STATUS, About, Reports, countable, hears, spell_time
from persistence.chargers.charging import Start, TagStatus

_SERIALS: Final = ("charge_point_serial_number", "charge_box_serial_number", "meter_serial_number")
#: What chargers send as the transactionId of a session that has none.
_NO_ID: Final = -1
_REGISTER: Final = "Energy.Active.Import.Register"
#: Calls that are answered alike: what they tell is not kept, or asks for a service that is not offered here.
_ALIKE: Final[Mapping[str, Callable[[], Any]]] = {
    "DiagnosticsStatusNotification": call_result.DiagnosticsStatusNotification,
    "FirmwareStatusNotification": call_result.FirmwareStatusNotification,
    "LogStatusNotification": call_result.LogStatusNotification,
    "SecurityEventNotification": call_result.SecurityEventNotification,
    "SignCertificate": partial(call_result.SignCertificate, status="Rejected"),
    "SignedFirmwareStatusNotification": call_result.SignedFirmwareStatusNotification,
}


class Reports16(Reports):
    """The handlers of one charger's socket."""

    VERSION = OcppVersion.V16

    def handlers(self) -> Mapping[str, Handler]:
        """Give the handler of each call that a charger may make."""
        return {
            **{action: hears(answer) for action, answer in _ALIKE.items()},
            "Authorize": self._authorize,
            "BootNotification": self._boot,
            "DataTransfer": self._data_transfer,
            "Heartbeat": self._heartbeat,
            "MeterValues": self._meter_values,
            "StartTransaction": self._start,
            "StatusNotification": self._status,
            "StopTransaction": self._stop,
        }

    async def _boot(
        self, charge_point_vendor: str, charge_point_model: str, firmware_version: str | None = None, **more: Any
    ) -> Any:
        serials = tuple(str(more[name]) for name in _SERIALS if more.get(name))
        sim = {name: str(more[name]) for name in SIM if more.get(name)}
        about = About(charge_point_vendor, charge_point_model, firmware_version, serials, sim)
        answer, seconds = await self.boots(about)
        return call_result.BootNotification(spell_time(datetime.now(UTC)), seconds, answer)

    async def _heartbeat(self, **_: Any) -> Any:
        return call_result.Heartbeat(spell_time(datetime.now(UTC)))

    async def _status(self, connector_id: int, status: str, timestamp: str | None = None, **_: Any) -> Any:
        if status == "Available" and connector_id:
            await self.frees(connector_id, timestamp)
        else:
            await self.hears(timestamp)
        return call_result.StatusNotification()

    async def _data_transfer(self, **_: Any) -> Any:
        return call_result.DataTransfer("UnknownVendorId")

    async def _authorize(self, id_tag: str, **_: Any) -> Any:
        return call_result.Authorize(_info(await self.authorizes(id_tag)))

    async def _start(self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **_: Any) -> Any:
        connector, meter = countable(connector_id), countable(meter_start)
        started = await self.starts(Start(connector, id_tag, meter, self.time_of(timestamp)))
        if started is None:
            return call_result.StartTransaction(BLOCKED_ID, _info(TagStatus.BLOCKED))
        if not started.late:
            await self.hears(timestamp)
        return call_result.StartTransaction(started.transaction_id, _info(started.status))

    async def _meter_values(self, meter_value: list[Any], transaction_id: int | None = None, **_: Any) -> Any:
        self.not_in_quarantine()
        readings = [_energy(sample) for entry in meter_value for sample in entry.get("sampled_value", [])]
        if transaction_id is not None and countable(transaction_id) is not None:
            await self.meters(transaction_id, [reading for reading in readings if reading is not None])
        return call_result.MeterValues()

    async def _stop(
        self,
        meter_stop: int | None = None,
        timestamp: str | None = None,
        transaction_id: int = _NO_ID,
        reason: str = "Local",
        **_: Any,
    ) -> Any:
        """Take whatever it says: a stop that is refused is told for ever (OCPP 1.6, 4.10)."""
        said_id, meter = countable(transaction_id), None if meter_stop is None else countable(meter_stop)
        at = self.time_of(timestamp)
        await self.stops(_NO_ID if said_id is None else said_id, meter=meter, at=at, reason=reason)
        return call_result.StopTransaction()


def _info(status: TagStatus) -> dict[str, str]:
    return {"status": TAG_STATUS[status]}


def _energy(sample: Mapping[str, Any]) -> int | None:
    """Give a sample of the meter's register in Wh, None where it is something else."""
    if sample.get("measurand", _REGISTER) != _REGISTER or "phase" in sample:
        return None
    try:
        return countable(float(sample["value"]) * (1000 if sample.get("unit", "Wh") == "kWh" else 1))
    except (ValueError, OverflowError, KeyError):
        return None
