"""How a simulated charge point speaks OCPP 2.0.1."""
# mypy: disable-error-code="misc,untyped-decorator"

import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from ocpp.exceptions import OCPPError
from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.enums import Action

from tools.simulator.body import Body
from tools.simulator.deeds import Deeds
from tools.simulator.faults import Fault, Step
from tools.simulator.settings import Setting
from tools.simulator.state import Report
from tools.simulator.talk import Talk
from tools.simulator.wire import Wire

#: The library logs whole frames, keys included: nothing of it comes out.
_silent = logging.getLogger(f"{__name__}.frames")
_silent.setLevel(logging.CRITICAL + 1)
_EVSE = {"id": 1, "connector_id": 1}
_PASSWORD = ("SecurityCtrlr", "BasicAuthPassword")
_ENTRIES = ("LocalAuthListCtrlr", "Entries")
#: How this version names what can be read and set; how long the list may be only a report tells.
SETTINGS: Final = {
    ("LocalAuthListCtrlr", "Enabled"): Setting.LIST_ENABLED,
    ("LocalAuthListCtrlr", "ItemsPerMessage"): Setting.LIST_PART,
    ("LocalAuthListCtrlr", "BytesPerMessage"): Setting.LIST_BYTES,
    ("AuthCtrlr", "OfflineTxForUnknownIdEnabled"): Setting.UNKNOWN_OFFLINE,
    ("AuthCacheCtrlr", "Enabled"): Setting.CACHE_ENABLED,
}


class Commands201(ChargePoint):
    """One connection of a charge point: what it answers."""

    def __init__(self, station: Body, deeds: Deeds, wire: Wire, call_timeout: float) -> None:
        """Answer over `wire` for `station`."""
        super().__init__(station.identity, wire, response_timeout=call_timeout, logger=_silent)
        self._station = station
        self._deeds = deeds
        self._others = {
            ("OCPPCommCtrlr", "NetworkConfigurationPriority"): "0",
            ("OCPPCommCtrlr", "ActiveNetworkProfile"): "0",
            ("SecurityCtrlr", "SecurityProfile"): "1",
        }

    @on(Action.get_variables)
    def on_get_variables(self, get_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        """Tell variables; BasicAuthPassword can only be written."""
        return call_result.GetVariables([self._told(asked) for asked in get_variable_data])

    def _told(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = _name(asked)
        setting = SETTINGS.get(name)
        value = self._others.get(name) if setting is None else self._station.settings.get(setting)
        about = {"component": asked["component"], "variable": asked["variable"]}
        if name == _PASSWORD:
            return {**about, "attribute_status": "Rejected"}
        if value is None:
            return {**about, "attribute_status": "UnknownVariable"}
        return {**about, "attribute_status": "Accepted", "attribute_value": value}

    @on(Action.set_variables)
    def on_set_variables(self, set_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        """Take the new key on, or a setting."""
        return call_result.SetVariables([self._set(wanted) for wanted in set_variable_data])

    def _set(self, wanted: dict[str, Any]) -> dict[str, Any]:
        name, value = _name(wanted), wanted["attribute_value"]
        if name in SETTINGS:
            status = self._deeds.put(SETTINGS[name], value)
        elif name == _PASSWORD:
            status = self._deeds.take_key(value, unknown="UnknownComponent")
        else:
            status = "UnknownVariable"
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
        self._deeds.restart()
        return call_result.Reset("Accepted")

    @after(Action.reset)
    async def after_reset(self, type: str, **_: Any) -> None:  # noqa: A002 - OCPP's own name
        """Be gone, and boot."""
        del type
        await self._station.restart()

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
    def on_customer_information(self, id_token: dict[str, Any], clear: bool, report: bool, **_: Any) -> Any:
        """Forget whoever charged with a tag, or tell of them: what follows comes in messages of its own."""
        del report
        station, tag = self._station, id_token["id_token"]
        if station.struck.strikes(Fault.BUSY, Step.LISTS):
            return call_result.CustomerInformation("Rejected")
        if clear and tag in station.state.customers and not station.struck.has(Fault.KEEPS_CUSTOMERS, Step.LISTS):
            station.state.customers.remove(tag)
            station.save()
        return call_result.CustomerInformation("Accepted")

    @after(Action.customer_information)
    async def after_customer_information(
        self, request_id: int, id_token: dict[str, Any], report: bool, **_: Any
    ) -> None:
        """Tell, in two messages."""
        known = report and id_token["id_token"] in self._station.state.customers
        for number, text in enumerate(("What is known: ", id_token["id_token"] if known else "nothing")):
            await self._follow(call.NotifyCustomerInformation(text, number, _now(), request_id, tbc=not number))

    @on(Action.get_report)
    def on_get_report(self, **_: Any) -> Any:
        """Tell of variables, in a message of its own."""
        return call_result.GetReport("Accepted")

    @after(Action.get_report)
    async def after_get_report(
        self, request_id: int, component_variable: list[dict[str, Any]] | None = None, **_: Any
    ) -> None:
        """Tell how long the local list may be, where that was asked for."""
        length = float(self._station.settings.get(Setting.LIST_LENGTH))
        told = [
            {
                **asked,
                "variable_attribute": [{"value": str(len(self._station.state.local_list))}],
                "variable_characteristics": {"data_type": "integer", "max_limit": length, "supports_monitoring": False},
            }
            for asked in component_variable or []
            if _name(asked) == _ENTRIES
        ]
        await self._follow(call.NotifyReport(request_id, _now(), 0, told or None))

    @on(Action.get_charging_profiles)
    def on_get_charging_profiles(self, **_: Any) -> Any:
        """Tell of the profiles, in messages of their own."""
        return call_result.GetChargingProfiles("Accepted" if self._station.state.profiles else "NoProfiles")

    @after(Action.get_charging_profiles)
    async def after_get_charging_profiles(self, request_id: int, **_: Any) -> None:
        """Tell of one profile a message."""
        profiles = self._station.state.profiles
        for number, profile in enumerate(profiles, start=1):
            told = {
                "id": profile["id"],
                "stack_level": 0,
                "charging_profile_purpose": profile["purpose"],
                "charging_profile_kind": "Absolute",
                "charging_schedule": [
                    {
                        "id": 1,
                        "charging_rate_unit": "A",
                        "charging_schedule_period": [{"start_period": 0, "limit": 16.0}],
                    }
                ],
            }
            more = number < len(profiles)
            await self._follow(call.ReportChargingProfiles(request_id, profile["source"], [told], 0, tbc=more))

    async def _follow(self, message: Any) -> None:
        with suppress(OCPPError, TimeoutError):
            await self.call(message, suppress=False)

    @on(Action.clear_cache)
    def on_clear_cache(self, **_: Any) -> Any:
        """Forget the tags that it remembers."""
        return call_result.ClearCache(self._deeds.clear_cache())

    @on(Action.clear_charging_profile)
    def on_clear_charging_profile(
        self, charging_profile_id: int | None = None, charging_profile_criteria: dict[str, Any] | None = None, **_: Any
    ) -> Any:
        """Forget profiles."""
        purpose = (charging_profile_criteria or {}).get("charging_profile_purpose")
        return call_result.ClearChargingProfile(self._deeds.clear_profiles(purpose, charging_profile_id))

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
