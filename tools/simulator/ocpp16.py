"""How a simulated charge point speaks OCPP 1.6."""
# mypy: disable-error-code="misc,untyped-decorator"

import logging
from datetime import UTC, datetime
from typing import Any, Final

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action

from tools.simulator.body import Body
from tools.simulator.deeds import Deeds
from tools.simulator.settings import Setting
from tools.simulator.state import Report
from tools.simulator.talk import Talk
from tools.simulator.wire import Wire

#: The library logs whole frames, keys included: nothing of it comes out.
_silent = logging.getLogger(f"{__name__}.frames")
_silent.setLevel(logging.CRITICAL + 1)
#: How this version names what can be read and set.
SETTINGS: Final = {
    "LocalAuthListEnabled": Setting.LIST_ENABLED,
    "LocalAuthListMaxLength": Setting.LIST_LENGTH,
    "SendLocalListMaxLength": Setting.LIST_PART,
    "AllowOfflineTxForUnknownId": Setting.UNKNOWN_OFFLINE,
    "AuthorizationCacheEnabled": Setting.CACHE_ENABLED,
}


class Commands16(ChargePoint):
    """One connection of a charge point: what it answers."""

    def __init__(self, station: Body, deeds: Deeds, wire: Wire, call_timeout: float) -> None:
        """Answer over `wire` for `station`."""
        super().__init__(station.identity, wire, response_timeout=call_timeout, logger=_silent)
        self._station = station
        self._deeds = deeds
        self._others = {
            "SupportedFeatureProfiles": "Core,LocalAuthListManagement,SmartCharging",
            "SecurityProfile": "1",
            "LocalPreAuthorize": "true",
            "LocalAuthorizeOffline": "true",
        }

    @on(Action.get_configuration)
    def on_get_configuration(self, key: list[str] | None = None) -> Any:
        """Tell the settings; AuthorizationKey can only be written."""
        settings = self._others | {name: self._station.settings.get(one) for name, one in SETTINGS.items()}
        asked = key if key is not None else list(settings)
        known = [{"key": name, "readonly": False, "value": settings[name]} for name in asked if name in settings]
        unknown = [name for name in asked if name not in settings]
        return call_result.GetConfiguration(known, unknown or None)

    @on(Action.change_configuration)
    def on_change_configuration(self, key: str, value: str) -> Any:
        """Take the new key on, or a setting."""
        if key in SETTINGS:
            return call_result.ChangeConfiguration(self._deeds.put(SETTINGS[key], value))
        if key != "AuthorizationKey":
            return call_result.ChangeConfiguration("NotSupported")
        return call_result.ChangeConfiguration(self._deeds.take_key(value, unknown="NotSupported"))

    @after(Action.change_configuration)
    async def after_change_configuration(self, key: str, value: str) -> None:
        """Come back with the new key."""
        if key == "AuthorizationKey":
            await self._deeds.come_back(value)

    @on(Action.reset)
    def on_reset(self, type: str) -> Any:  # noqa: A002 - OCPP's own name
        """Restart; the running session is ended first, and its report kept."""
        del type
        self._deeds.restart()
        return call_result.Reset("Accepted")

    @after(Action.reset)
    async def after_reset(self, type: str) -> None:  # noqa: A002 - OCPP's own name
        """Be gone, and boot."""
        del type
        await self._station.restart()

    @on(Action.change_availability)
    def on_change_availability(self, connector_id: int, type: str) -> Any:  # noqa: A002 - OCPP's own name
        """Let sessions start or not."""
        del connector_id
        return call_result.ChangeAvailability(self._deeds.set_available(available=type == "Operative"))

    @on(Action.send_local_list)
    def on_send_local_list(
        self, list_version: int, update_type: str, local_authorization_list: list[dict[str, Any]] | None = None
    ) -> Any:
        """Replace the local list, or change it."""
        listed = local_authorization_list or []
        entries = {entry["id_tag"]: entry.get("id_tag_info", {}).get("status") for entry in listed}
        full = update_type == "Full"
        return call_result.SendLocalList(self._deeds.take_list(list_version, full=full, entries=entries))

    @on(Action.get_local_list_version)
    def on_get_local_list_version(self) -> Any:
        """Tell the version of the local list."""
        return call_result.GetLocalListVersion(self._station.state.list_version)

    @on(Action.cancel_reservation)
    def on_cancel_reservation(self, reservation_id: int) -> Any:
        """Say that there is none."""
        del reservation_id
        return call_result.CancelReservation("Rejected")

    @on(Action.clear_cache)
    def on_clear_cache(self) -> Any:
        """Forget the tags that it remembers."""
        return call_result.ClearCache(self._deeds.clear_cache())

    @on(Action.clear_charging_profile)
    def on_clear_charging_profile(self, charging_profile_purpose: str | None = None, **which: Any) -> Any:
        """Forget profiles."""
        status = self._deeds.clear_profiles(charging_profile_purpose, which.get("id"))
        return call_result.ClearChargingProfile(status)

    @on(Action.remote_stop_transaction)
    def on_remote_stop_transaction(self, transaction_id: int) -> Any:
        """Stop the session, where it runs."""
        keys = [key for key, known in self._station.state.transactions.items() if known == transaction_id]
        return call_result.RemoteStopTransaction(self._deeds.stop(keys[0] if keys else None))


class Talk16(Talk):
    """What it tells by itself."""

    def boot(self) -> Any:
        """Give the BootNotification."""
        station = self._station
        return call.BootNotification(
            charge_point_model=station.model,
            charge_point_vendor="Simulated",
            charge_point_serial_number=station.serial,
            firmware_version="1.0",
        )

    def status(self, status: str) -> Any:
        """Give the StatusNotification."""
        return call.StatusNotification(0, "NoError", status)

    def report(self, report: Report) -> Any:
        """Give StartTransaction or StopTransaction."""
        if report["event"] == "started":
            return call.StartTransaction(1, report["id_tag"], report["meter"], report["at"])
        known = self._station.state.transactions.get(report["key"], 0)
        return call.StopTransaction(report["meter"], report["at"], known, report["reason"])

    def take_answer(self, report: Report, answer: Any) -> str:
        """Keep the number that the platform gave the session."""
        if report["event"] == "started":
            self._station.state.transactions[report["key"]] = answer.transaction_id
            return str(answer.id_tag_info["status"])
        return "Accepted"

    def heartbeat(self) -> Any:
        """Give the Heartbeat."""
        return call.Heartbeat()

    def meter(self, session: dict[str, Any]) -> Any:
        """Give MeterValues."""
        known = self._station.state.transactions.get(session["key"])
        if known is None:
            return None
        reading = {"value": str(self._station.state.meter), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        values = [{"timestamp": datetime.now(UTC).isoformat(), "sampled_value": [reading]}]
        return call.MeterValues(1, values, known)

    def asks_for(self, id_tag: str) -> Any:
        """Give the Authorize of a tag."""
        return call.Authorize(id_tag)

    def allowed(self, answer: Any) -> str:
        """Give the status in an Authorize's answer."""
        return str(answer.id_tag_info["status"])
