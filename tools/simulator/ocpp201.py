"""How a simulated charge point speaks OCPP 2.0.1."""
# mypy: disable-error-code="misc,untyped-decorator"

import logging
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.enums import Action

from tools.simulator.body import Body
from tools.simulator.deeds import Deeds
from tools.simulator.state import Report
from tools.simulator.talk import Talk
from tools.simulator.wire import Wire

#: The library logs whole frames, keys included: nothing of it comes out.
_silent = logging.getLogger(f"{__name__}.frames")
_silent.setLevel(logging.CRITICAL + 1)
_EVSE = {"id": 1, "connector_id": 1}
_PASSWORD = ("SecurityCtrlr", "BasicAuthPassword")


class Commands201(ChargePoint):
    """One connection of a charge point: what it answers."""

    def __init__(self, station: Body, deeds: Deeds, wire: Wire, call_timeout: float) -> None:
        """Answer over `wire` for `station`."""
        super().__init__(station.identity, wire, response_timeout=call_timeout, logger=_silent)
        self._station = station
        self._deeds = deeds
        self._variables = {
            ("OCPPCommCtrlr", "NetworkConfigurationPriority"): "0",
            ("OCPPCommCtrlr", "ActiveNetworkProfile"): "0",
            ("SecurityCtrlr", "SecurityProfile"): "1",
            ("LocalAuthListCtrlr", "Enabled"): "true",
            ("LocalAuthListCtrlr", "ItemsPerMessage"): str(station.list_part),
            ("AuthCacheCtrlr", "Enabled"): "false",
        }

    @on(Action.get_variables)
    def on_get_variables(self, get_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        """Tell variables; BasicAuthPassword can only be written."""
        return call_result.GetVariables([self._told(asked) for asked in get_variable_data])

    def _told(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = _name(asked)
        value = self._variables.get(name)
        about = {"component": asked["component"], "variable": asked["variable"]}
        if name == _PASSWORD:
            return {**about, "attribute_status": "Rejected"}
        if value is None:
            return {**about, "attribute_status": "UnknownVariable"}
        return {**about, "attribute_status": "Accepted", "attribute_value": value}

    @on(Action.set_variables)
    def on_set_variables(self, set_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        """Take the new key on; nothing else can be set."""
        return call_result.SetVariables([self._set(wanted) for wanted in set_variable_data])

    def _set(self, wanted: dict[str, Any]) -> dict[str, Any]:
        known = _name(wanted) == _PASSWORD
        status = self._deeds.take_key(wanted["attribute_value"], unknown="UnknownComponent") if known else "Rejected"
        return {"component": wanted["component"], "variable": wanted["variable"], "attribute_status": status}

    @after(Action.set_variables)
    async def after_set_variables(self, set_variable_data: list[dict[str, Any]], **_: Any) -> None:
        """Come back with the new key."""
        for wanted in set_variable_data:
            if _name(wanted) == _PASSWORD:
                await self._deeds.come_back(wanted["attribute_value"])

    @on(Action.reset)
    def on_reset(self, type: str, **_: Any) -> Any:  # noqa: A002 - OCPP's own name
        """Restart; the running session is ended first, and its report kept."""
        del type
        self._station.prepare_restart()
        return call_result.Reset("Accepted")

    @after(Action.reset)
    async def after_reset(self, type: str, **_: Any) -> None:  # noqa: A002 - OCPP's own name
        """Be gone, and boot."""
        del type
        await self._station.reconnect()

    @on(Action.change_availability)
    def on_change_availability(self, operational_status: str, **_: Any) -> Any:
        """Let sessions start or not."""
        available = operational_status == "Operative"
        return call_result.ChangeAvailability(self._deeds.set_available(available=available))

    @on(Action.send_local_list)
    def on_send_local_list(
        self,
        version_number: int,
        update_type: str,
        local_authorization_list: list[dict[str, Any]] | None = None,
        **_: Any,
    ) -> Any:
        """Replace the local list, or change it."""
        listed = local_authorization_list or []
        entries = {entry["id_token"]["id_token"]: entry.get("id_token_info", {}).get("status") for entry in listed}
        full = update_type == "Full"
        return call_result.SendLocalList(self._deeds.take_list(version_number, full=full, entries=entries))

    @on(Action.get_local_list_version)
    def on_get_local_list_version(self, **_: Any) -> Any:
        """Tell the version of the local list."""
        return call_result.GetLocalListVersion(self._station.state.list_version)

    @on(Action.get_transaction_status)
    def on_get_transaction_status(self, transaction_id: str | None = None, **_: Any) -> Any:
        """Say whether reports are still queued, and whether that session runs."""
        state = self._station.state
        runs = None if transaction_id is None else bool(state.session and state.session["key"] == transaction_id)
        return call_result.GetTransactionStatus(messages_in_queue=bool(state.queue), ongoing_indicator=runs)

    @on(Action.cancel_reservation)
    def on_cancel_reservation(self, **_: Any) -> Any:
        """Say that there is none."""
        return call_result.CancelReservation("Rejected")

    @on(Action.customer_information)
    def on_customer_information(self, **_: Any) -> Any:
        """Forget a token: there is nothing but the list, which this does not touch."""
        return call_result.CustomerInformation("Accepted")

    @on(Action.clear_cache)
    def on_clear_cache(self, **_: Any) -> Any:
        """Say that the cache is off."""
        return call_result.ClearCache("Rejected")

    @on(Action.clear_charging_profile)
    def on_clear_charging_profile(self, **_: Any) -> Any:
        """Say that there is no profile."""
        return call_result.ClearChargingProfile("Unknown")

    @on(Action.request_stop_transaction)
    def on_request_stop_transaction(self, transaction_id: str, **_: Any) -> Any:
        """Stop the session, where it runs."""
        return call_result.RequestStopTransaction(self._deeds.stop(transaction_id))


class Talk201(Talk):
    """What it tells by itself. A session's transaction id is its own key."""

    def boot(self) -> Any:
        """Give the BootNotification."""
        station = {
            "model": self._station.model,
            "vendor_name": "Simulated",
            "serial_number": self._station.serial,
            "firmware_version": "1.0",
        }
        return call.BootNotification(station, "PowerUp")

    def status(self, status: str) -> Any:
        """Give the StatusNotification."""
        word = {"Charging": "Occupied"}.get(status, status)
        return call.StatusNotification(_now(), word, _EVSE["id"], _EVSE["connector_id"])

    def report(self, report: Report) -> Any:
        """Give the TransactionEvent."""
        ended = report["event"] == "stopped"
        info = {"transaction_id": report["key"]} | ({"stopped_reason": report["reason"]} if ended else {})
        return call.TransactionEvent(
            event_type="Ended" if ended else "Started",
            timestamp=report["at"],
            trigger_reason="StopAuthorized" if ended else "Authorized",
            seq_no=2 if ended else 0,
            transaction_info=info,
            evse=_EVSE,
            id_token=None if ended else _token(report["id_tag"]),
            meter_value=[_reading(report["meter"], report["at"])],
        )

    def take_answer(self, report: Report, answer: Any) -> str:
        """Read whether the tag may charge."""
        del report
        return self.allowed(answer)

    def heartbeat(self) -> Any:
        """Give the Heartbeat."""
        return call.Heartbeat()

    def meter(self, session: dict[str, Any]) -> Any:
        """Give the TransactionEvent of a reading."""
        return call.TransactionEvent(
            event_type="Updated",
            timestamp=_now(),
            trigger_reason="MeterValuePeriodic",
            seq_no=1,
            transaction_info={"transaction_id": session["key"]},
            meter_value=[_reading(self._station.state.meter, _now())],
        )

    def asks_for(self, id_tag: str) -> Any:
        """Give the Authorize of a tag."""
        return call.Authorize(_token(id_tag))

    def allowed(self, answer: Any) -> str:
        """Give the status of the tag in an answer; one that names none lets it be."""
        return str((answer.id_token_info or {}).get("status", "Accepted"))


def _name(variable: dict[str, Any]) -> tuple[str, str]:
    return str(variable["component"]["name"]), str(variable["variable"]["name"])


def _token(id_tag: str) -> dict[str, str]:
    return {"id_token": id_tag, "type": "ISO14443"}


def _reading(meter: int, at: str) -> dict[str, Any]:
    return {"timestamp": at, "sampled_value": [{"value": meter, "measurand": "Energy.Active.Import.Register"}]}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
