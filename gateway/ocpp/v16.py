"""OCPP 1.6: what a charger is told."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from ocpp.v16 import call, call_result

from domain.charger import CommandOutcome, KeyAnswer, OcppVersion
from domain.errors import HandoverError
from gateway.ocpp.dialect import DISPENSABLE, Dialect, Setting, Settings
from gateway.ocpp.line import CallNotSupported
from persistence.chargers.charging import Running
from persistence.chargers.local_lists import Entry

_KEY_ANSWERS: Final = {
    "Accepted": KeyAnswer.ACCEPTED,
    "RebootRequired": KeyAnswer.REBOOT_REQUIRED,
    "Rejected": KeyAnswer.REJECTED,
    "NotSupported": KeyAnswer.NOT_SUPPORTED,
}


class Ocpp16(Dialect):
    """A charger that speaks OCPP 1.6-J."""

    VERSION = OcppVersion.V16
    RESULTS = call_result
    NAMES = {  # noqa: RUF012 - a class's table
        Setting.LIST_ENABLED: "LocalAuthListEnabled",
        Setting.LIST_LENGTH: "LocalAuthListMaxLength",
        Setting.LIST_PART: "SendLocalListMaxLength",
        Setting.UNKNOWN_OFFLINE: "AllowOfflineTxForUnknownId",
        Setting.CACHE_ENABLED: "AuthorizationCacheEnabled",
    }
    TAG, TYPES = 20, False

    async def quiet(self, stop: Sequence[Running]) -> CommandOutcome:
        """`ChangeAvailability` of it all, then `RemoteStopTransaction`; a rejected one had nothing to stop."""
        outcome = await self._tell(call.ChangeAvailability(connector_id=0, type="Inoperative"))
        for session in stop:
            await self._tell(call.RemoteStopTransaction(transaction_id=session.id))
        return outcome

    async def release(self) -> CommandOutcome:
        """`ChangeAvailability` of the whole charger; it survives a restart, so it has to be undone."""
        return await self._tell(call.ChangeAvailability(connector_id=0, type="Operative"))

    async def read(self, settings: Iterable[Setting]) -> Settings:
        """`GetConfiguration`; a station may spell a key in its own case."""
        asked = {self.NAMES[setting].lower(): setting for setting in settings if setting in self.NAMES}
        try:
            answer = await self._wish(call.GetConfiguration(key=[self.NAMES[setting] for setting in asked.values()]))
        except DISPENSABLE:
            return {}
        said: dict[Setting, str | None] = {}
        for name in answer.unknown_key or []:
            if name.lower() in asked:
                said[asked[name.lower()]] = None
        for entry in answer.configuration_key or []:
            if entry["key"].lower() in asked and entry.get("value") is not None:
                said[asked[entry["key"].lower()]] = entry["value"]
        return said

    async def write(self, name: str, value: str, *, dispensable: bool = False) -> CommandOutcome:
        """`ChangeConfiguration`."""
        return await self._tell(call.ChangeConfiguration(key=name, value=value), dispensable=dispensable)

    async def list_version(self) -> int:
        """`GetLocalListVersion`; -1 there means that it has no list."""
        try:
            version: int = (await self._wish(call.GetLocalListVersion())).list_version
        except DISPENSABLE:
            return 0
        return max(version, 0)

    async def send_list(self, version: int, entries: Sequence[Entry], *, full: bool) -> CommandOutcome:
        """`SendLocalList`."""
        listed = [{"id_tag": entry.id_tag, "id_tag_info": {"status": entry.status}} for entry in entries]
        return await self._tell(
            call.SendLocalList(
                list_version=version, update_type="Full" if full else "Differential", local_authorization_list=listed
            )
        )

    async def clear_cache(self) -> CommandOutcome:
        """`ClearCache`."""
        return await self._tell(call.ClearCache(), dispensable=True)

    async def clear_profiles(self) -> Sequence[Mapping[str, Any]]:
        """`ClearChargingProfile` of every TxDefaultProfile: of the others none can be asked for."""
        with suppress(*DISPENSABLE):
            await self._tell(call.ClearChargingProfile(charging_profile_purpose="TxDefaultProfile"), dispensable=True)
        return ()

    async def send_key(self, key: str) -> KeyAnswer:
        """`ChangeConfiguration` of `AuthorizationKey`, in hex digits."""
        try:
            answer = await self._line.ask(call.ChangeConfiguration(key="AuthorizationKey", value=key))
        except CallNotSupported:
            return KeyAnswer.NOT_SUPPORTED
        except HandoverError:
            return KeyAnswer.UNKNOWN
        return _KEY_ANSWERS.get(answer.status, KeyAnswer.UNKNOWN)

    async def restart(self) -> CommandOutcome:
        """`Reset(Soft)`: a hard one may lose queued data."""
        return await self._tell(call.Reset(type="Soft"))
