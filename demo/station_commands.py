"""How a simulated charge point carries out what the platform tells it: on disk before it is answered."""
# mypy: disable-error-code="misc,untyped-decorator"

import logging
from typing import TYPE_CHECKING, Any

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action

from demo.faults import Fault

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from demo.simulation import Station

#: The library logs whole frames, keys included: nothing of it comes out.
_silent = logging.getLogger(f"{__name__}.frames")
_silent.setLevel(logging.CRITICAL + 1)


class Commands(ChargePoint):
    """One connection of a simulated OCPP 1.6 charge point."""

    def __init__(self, station: "Station", socket: "ClientConnection", call_timeout: float) -> None:
        """Answer on `socket` for `station`."""
        super().__init__(station.identity, socket, response_timeout=call_timeout, logger=_silent)
        self._socket = socket
        self._station = station

    @on(Action.get_configuration)
    def on_get_configuration(self, key: list[str] | None = None) -> Any:
        """Tell the settings; AuthorizationKey can only be written."""
        settings = self._station.settings
        asked = key if key is not None else list(settings)
        known = [{"key": name, "readonly": True, "value": settings[name]} for name in asked if name in settings]
        unknown = [name for name in asked if name not in settings]
        return call_result.GetConfiguration(known, unknown or None)

    @on(Action.change_configuration)
    def on_change_configuration(self, key: str, value: str) -> Any:
        """Take the new key on, or do what the station's faults make of it."""
        station, faults = self._station, self._station.faults
        if key != "AuthorizationKey" or Fault.NOT_SUPPORTED in faults:
            return call_result.ChangeConfiguration("NotSupported")
        if Fault.REJECT_KEY in faults:
            return call_result.ChangeConfiguration("Rejected")
        if Fault.LIE in faults:
            return call_result.ChangeConfiguration("Accepted")
        if Fault.REBOOT_REQUIRED in faults:
            station.state.next_password = value
            station.save()
            return call_result.ChangeConfiguration("RebootRequired")
        station.take_password(value)
        if Fault.LOSE_REPLY in faults:
            self._socket.transport.abort()
        return call_result.ChangeConfiguration("Accepted")

    @after(Action.change_configuration)
    async def after_change_configuration(self, key: str, value: str) -> None:
        """Come back with the new key at once."""
        if key == "AuthorizationKey" and self._station.state.password == value:
            await self._station.reconnect()

    @on(Action.reset)
    def on_reset(self, type: str) -> Any:  # noqa: A002 - OCPP's own name
        """Restart; the running session is ended first, and its report kept."""
        del type
        self._station.prepare_restart()
        return call_result.Reset("Accepted")

    @after(Action.reset)
    async def after_reset(self, type: str) -> None:  # noqa: A002 - OCPP's own name
        """Be gone, and boot."""
        del type
        await self._station.reconnect()

    @on(Action.change_availability)
    def on_change_availability(self, connector_id: int, type: str) -> Any:  # noqa: A002 - OCPP's own name
        """Let sessions start or not; a running one ends first."""
        del connector_id
        self._station.state.available = type == "Operative"
        self._station.save()
        waits = not self._station.state.available and self._station.state.session is not None
        return call_result.ChangeAvailability("Scheduled" if waits else "Accepted")

    @on(Action.send_local_list)
    def on_send_local_list(
        self, list_version: int, update_type: str, local_authorization_list: list[dict[str, Any]] | None = None
    ) -> Any:
        """Replace the local list, or change it."""
        state, entries = self._station.state, local_authorization_list or []
        if len(entries) > int(self._station.settings["SendLocalListMaxLength"]):
            return call_result.SendLocalList("Failed")
        if update_type == "Differential" and list_version <= state.list_version:
            return call_result.SendLocalList("VersionMismatch")
        wanted = {} if update_type == "Full" else dict(state.local_list)
        for entry in entries:
            info = entry.get("id_tag_info")
            if info is None:
                wanted.pop(entry["id_tag"], None)
            else:
                wanted[entry["id_tag"]] = info["status"]
        state.local_list, state.list_version = wanted, list_version
        self._station.save()
        return call_result.SendLocalList("Accepted")

    @on(Action.get_local_list_version)
    def on_get_local_list_version(self) -> Any:
        """Tell the version of the local list."""
        return call_result.GetLocalListVersion(self._station.state.list_version)

    @on(Action.clear_cache)
    def on_clear_cache(self) -> Any:
        """Say that there is no cache."""
        return call_result.ClearCache("Rejected")

    @on(Action.clear_charging_profile)
    def on_clear_charging_profile(self, **_: Any) -> Any:
        """Say that there is no profile."""
        return call_result.ClearChargingProfile("Unknown")

    @on(Action.remote_stop_transaction)
    def on_remote_stop_transaction(self, transaction_id: int) -> Any:
        """Stop the session, where it runs."""
        session = self._station.state.session
        if session is None or self._station.state.transactions.get(session["key"]) != transaction_id:
            return call_result.RemoteStopTransaction("Rejected")
        self._station.stop_session("Remote")
        return call_result.RemoteStopTransaction("Accepted")
