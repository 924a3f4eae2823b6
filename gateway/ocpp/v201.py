"""OCPP 2.0.1: what a charger is told."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from ocpp.v201 import call, call_result

from domain.charger import CommandOutcome, KeyAnswer, OcppVersion
from domain.errors import HandoverError
from gateway.ocpp.dialect import DISPENSABLE, Dialect, Setting, Settings, outcome_of
from gateway.ocpp.line import CallNotSupported, CallRejected, Handler, Line
from gateway.ocpp.v201_requested import Requested
from persistence.chargers.charging import Running
from persistence.chargers.local_lists import Entry

#: How often, and how many seconds apart, a station is asked whether it has reported everything.
_LOOKS: Final = 10
_LOOK_EVERY: Final = 1
#: For how many seconds a station is told of one former tag after the other to forget what it keeps.
_CUSTOMERS_FOR: Final = 120
#: The variable whose limit is the length of the local list.
_ENTRIES: Final = "LocalAuthListCtrlr.Entries"
#: The purposes of the profiles that whoever has the station makes; the others are limits of the installation.
_OF_CHARGING: Final = frozenset({"TxDefaultProfile", "TxProfile"})
_KEY: Final = "SecurityCtrlr.BasicAuthPassword"
_KEY_ANSWERS: Final = {
    "Accepted": KeyAnswer.ACCEPTED,
    "RebootRequired": KeyAnswer.REBOOT_REQUIRED,
    "Rejected": KeyAnswer.REJECTED,
    "UnknownComponent": KeyAnswer.NOT_SUPPORTED,
    "UnknownVariable": KeyAnswer.NOT_SUPPORTED,
    "NotSupportedAttributeType": KeyAnswer.NOT_SUPPORTED,
}


class Ocpp201(Dialect):
    """A charger that speaks OCPP 2.0.1."""

    VERSION = OcppVersion.V201
    RESULTS = call_result
    NAMES = {  # noqa: RUF012 - a class's table
        Setting.LIST_ENABLED: "LocalAuthListCtrlr.Enabled",
        Setting.LIST_PART: "LocalAuthListCtrlr.ItemsPerMessage",
        Setting.LIST_BYTES: "LocalAuthListCtrlr.BytesPerMessage",
        Setting.UNKNOWN_OFFLINE: "AuthCtrlr.OfflineTxForUnknownIdEnabled",
        Setting.CACHE_ENABLED: "AuthCacheCtrlr.Enabled",
    }
    TAG, TYPES = 36, True

    def __init__(self, line: Line, handlers: Mapping[str, Handler]) -> None:
        """Tell over `line`; `handlers` take what the charger sends by itself."""
        self._requested = Requested(line.call_timeout)
        super().__init__(line, {**handlers, **self._requested.handlers()})

    async def quiet(self, stop: Sequence[Running]) -> CommandOutcome:
        """`ChangeAvailability` of the whole station, then `RequestStopTransaction`; a rejected one has ended.

        What the station has not reported yet is waited for a while (`GetTransactionStatus`); what comes later still is
        booked to whoever had the charge point when it happened.
        """
        outcome = await self._tell(call.ChangeAvailability(operational_status="Inoperative"))
        for session in stop:
            if session.reference is not None:
                await self._tell(call.RequestStopTransaction(transaction_id=session.reference))
        with suppress(*DISPENSABLE):
            for _ in range(_LOOKS):
                if not (await self._line.ask(call.GetTransactionStatus())).messages_in_queue:
                    break
                await asyncio.sleep(_LOOK_EVERY)  # nothing tells when its queue is empty
        return outcome

    async def release(self) -> CommandOutcome:
        """`ChangeAvailability` of the whole station; it survives a restart, so it has to be undone."""
        return await self._tell(call.ChangeAvailability(operational_status="Operative"))

    async def read(self, settings: Iterable[Setting]) -> Settings:
        """`GetVariables`; the length of the list is a limit, which only a report tells (`GetReport`)."""
        wanted = set(settings)
        asked = [setting for setting in wanted if setting in self.NAMES]
        said: dict[Setting, str | None] = {}
        with suppress(*DISPENSABLE):
            request = call.GetVariables(get_variable_data=[_variable(self.NAMES[setting]) for setting in asked])
            for found in (await self._wish(request)).get_variable_result:
                setting = self._setting(found)
                if setting is not None and outcome_of(found["attribute_status"]) is CommandOutcome.NOT_SUPPORTED:
                    said[setting] = None
                elif setting is not None and found.get("attribute_value") is not None:
                    said[setting] = found["attribute_value"]
        if Setting.LIST_LENGTH in wanted and (length := await self._list_length()) is not None:
            said[Setting.LIST_LENGTH] = length
        return said

    def _setting(self, found: Mapping[str, Any]) -> Setting | None:
        name = f"{found['component']['name']}.{found['variable']['name']}".lower()
        return next((setting for setting, known in self.NAMES.items() if known.lower() == name), None)

    async def _list_length(self) -> str | None:
        with suppress(*DISPENSABLE), self._requested.request() as number:
            answer = await self._wish(call.GetReport(request_id=number, component_variable=[_variable(_ENTRIES)]))
            if outcome_of(answer.status) is CommandOutcome.DONE:
                for message in await self._requested.messages(number):
                    for entry in message.get("report_data") or []:
                        limit = entry.get("variable_characteristics", {}).get("max_limit")
                        if limit is not None:
                            return str(int(limit))
        return None

    async def write(self, name: str, value: str, *, dispensable: bool = False) -> CommandOutcome:
        """`SetVariables`."""
        try:
            ask = self._wish if dispensable else self._line.ask
            answer = await ask(call.SetVariables([{**_variable(name), "attribute_value": value}]))
        except CallNotSupported:
            return CommandOutcome.NOT_SUPPORTED
        except CallRejected:
            return CommandOutcome.REJECTED
        return outcome_of(answer.set_variable_result[0]["attribute_status"])

    async def list_version(self) -> int:
        """`GetLocalListVersion`."""
        try:
            version: int = (await self._wish(call.GetLocalListVersion())).version_number
        except DISPENSABLE:
            return 0
        return max(version, 0)

    async def send_list(self, version: int, entries: Sequence[Entry], *, full: bool) -> CommandOutcome:
        """`SendLocalList`."""
        listed = [{"id_token": _token(entry), "id_token_info": {"status": entry.status}} for entry in entries]
        return await self._tell(
            call.SendLocalList(
                version_number=version,
                update_type="Full" if full else "Differential",
                local_authorization_list=listed or None,
            )
        )

    async def clear_cache(self) -> CommandOutcome:
        """`ClearCache`."""
        return await self._tell(call.ClearCache(), dispensable=True)

    async def forget_customers(self, tags: Sequence[Entry]) -> bool:
        """`CustomerInformation(clear)`, one tag after the other, each to its last message (N10); then one as proof.

        A station without the call keeps nothing.
        """
        until = asyncio.get_running_loop().time() + _CUSTOMERS_FOR
        for tag in tags:
            if asyncio.get_running_loop().time() > until:
                return False
            said = await self._ask_about(tag, clear=True)
            if said is None:
                return False
            if said is CommandOutcome.NOT_SUPPORTED:
                return True
        return not tags or await self._ask_about(tags[-1], clear=False) is not CommandOutcome.REJECTED

    async def _ask_about(self, tag: Entry, *, clear: bool) -> CommandOutcome | None:
        """Have what a station keeps of a tag's holder cleared, or reported: REJECTED where that is something.

        None where it stays busy, or does not say all. `Rejected` means that it is (N10.FR.05).
        """
        try:
            for _ in range(_LOOKS):
                with self._requested.request() as number:
                    request = call.CustomerInformation(
                        request_id=number, report=not clear, clear=clear, id_token=_token(tag)
                    )
                    outcome = await self._tell(request, dispensable=True)
                    if outcome is CommandOutcome.DONE:
                        told = "".join(message.get("data", "") for message in await self._requested.messages(number))
                        return CommandOutcome.REJECTED if not clear and tag.id_tag in told.upper() else outcome
                if outcome is CommandOutcome.NOT_SUPPORTED:
                    return outcome
                await asyncio.sleep(_LOOK_EVERY)  # nothing tells when it is free
        except DISPENSABLE:
            pass
        return None

    async def clear_profiles(self) -> Sequence[Mapping[str, Any]]:
        """`GetChargingProfiles` and its reports, then `ClearChargingProfile` of each that was made for charging.

        Where none can be asked for: of every TxDefaultProfile.
        """
        try:
            profiles = await self._profiles()
            for profile in profiles:
                if profile["purpose"] in _OF_CHARGING:
                    await self._tell(call.ClearChargingProfile(charging_profile_id=profile["id"]), dispensable=True)
        except DISPENSABLE:
            criteria = {"charging_profile_purpose": "TxDefaultProfile"}
            with suppress(*DISPENSABLE):
                await self._tell(call.ClearChargingProfile(charging_profile_criteria=criteria), dispensable=True)
            return ()
        return [profile for profile in profiles if profile["purpose"] not in _OF_CHARGING]

    async def _profiles(self) -> list[dict[str, Any]]:
        with self._requested.request() as number:
            answer = await self._wish(call.GetChargingProfiles(request_id=number, charging_profile={}))
            if answer.status != "Accepted":  # there are none
                return []
            return [
                {
                    "id": profile["id"],
                    "purpose": profile["charging_profile_purpose"],
                    "source": message.get("charging_limit_source"),
                    "evse": message.get("evse_id"),
                }
                for message in await self._requested.messages(number)
                for profile in message.get("charging_profile") or []
            ]

    async def send_key(self, key: str) -> KeyAnswer:
        """`SetVariables` of `BasicAuthPassword`.

        The key is hex digits: text to a station that takes it as it is, bytes to one that reads hex. Both are let in.
        """
        password = {**_variable(_KEY), "attribute_value": key}
        try:
            answer = await self._line.ask(call.SetVariables(set_variable_data=[password]))
        except CallNotSupported:
            return KeyAnswer.NOT_SUPPORTED
        except HandoverError:
            return KeyAnswer.UNKNOWN
        return _KEY_ANSWERS.get(answer.set_variable_result[0]["attribute_status"], KeyAnswer.UNKNOWN)

    async def restart(self) -> CommandOutcome:
        """`Reset(OnIdle)`: a running session ends by itself first."""
        return await self._tell(call.Reset(type="OnIdle"))


def _variable(name: str) -> dict[str, dict[str, str]]:
    component, _, variable = name.partition(".")
    return {"component": {"name": component}, "variable": {"name": variable}}


def _token(tag: Entry) -> dict[str, str]:
    return {"id_token": tag.id_tag, "type": tag.type}
