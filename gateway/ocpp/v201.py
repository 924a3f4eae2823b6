"""OCPP 2.0.1: what a charger is told."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ocpp.v201 import call, call_result

from domain.charger import CommandOutcome, KeyAnswer, OcppVersion
from domain.errors import HandoverError
from gateway.ocpp.dialect import Dialect
from gateway.ocpp.line import CallNotSupported, CallRefused, NoAnswer
from persistence.chargers.charging import Running
from persistence.chargers.local_lists import ListLimits, ListOrder

#: Entries a message where the charger does not say how many it takes.
_DEFAULT_PART: Final = 20
#: How often, and how many seconds apart, a station is asked whether it has reported everything.
_LOOKS: Final = 10
_LOOK_EVERY: Final = 1
#: Of how many former tags a station is told, one message each, to forget what it keeps.
_CUSTOMERS: Final = 100
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

    async def quiet(self, stop: Sequence[Running]) -> CommandOutcome:
        """`ChangeAvailability` of the whole station, then `RequestStopTransaction`; a rejected one has ended.

        What the station has not reported yet is waited for a while (`GetTransactionStatus`); what comes later still is
        booked to whoever had the charge point when it happened.
        """
        outcome = await self._tell(call.ChangeAvailability(operational_status="Inoperative"))
        for session in stop:
            if session.reference is not None:
                await self._tell(call.RequestStopTransaction(transaction_id=session.reference))
        with suppress(CallRefused, NoAnswer):
            for _ in range(_LOOKS):
                if not (await self._line.ask(call.GetTransactionStatus())).messages_in_queue:
                    break
                await asyncio.sleep(_LOOK_EVERY)  # nothing tells when its queue is empty
        return outcome

    async def release(self) -> CommandOutcome:
        """`ChangeAvailability` of the whole station; it survives a restart, so it has to be undone."""
        return await self._tell(call.ChangeAvailability(operational_status="Operative"))

    async def limits(self) -> ListLimits:
        """`GetVariables` of the list's ItemsPerMessage, and `GetLocalListVersion`."""
        wanted = {"component": {"name": "LocalAuthListCtrlr"}, "variable": {"name": "ItemsPerMessage"}}
        part, version = "", 0
        with suppress(CallRefused, NoAnswer):
            answer = await self._line.ask(call.GetVariables(get_variable_data=[wanted]))
            part = str(answer.get_variable_result[0].get("attribute_value") or "")
        with suppress(CallRefused, NoAnswer):
            version = (await self._line.ask(call.GetLocalListVersion())).version_number
        return ListLimits(int(part) if part.isdecimal() and int(part) else _DEFAULT_PART, None, max(version, 0))

    async def send_list(self, order: ListOrder) -> CommandOutcome:
        """`SendLocalList`: `Full` with the first part, `Differential` with each other one, under rising versions."""
        for number, part in enumerate(order.parts):
            entries = [
                {
                    "id_token": {"id_token": entry["id_tag"], "type": "ISO14443"},
                    "id_token_info": {"status": entry["status"]},
                }
                for entry in part
            ]
            request = call.SendLocalList(
                version_number=order.first_version + number,
                update_type="Differential" if number else "Full",
                local_authorization_list=entries or None,
            )
            outcome = await self._tell(request)
            if outcome is not CommandOutcome.DONE:
                return outcome
        return CommandOutcome.DONE

    async def forget(self, former: Sequence[str]) -> None:
        """`ClearCache`, `ClearChargingProfile` (not the installation's limit), `CustomerInformation(clear)` of tags.

        Refused means that nothing was there.
        """
        profiles = {"charging_profile_purpose": "TxDefaultProfile"}
        for request in (
            call.ClearCache(),
            call.ClearChargingProfile(charging_profile_criteria=profiles),
        ):
            with suppress(CallRefused, NoAnswer):
                await self._tell(request)
        for number, tag in enumerate(former[:_CUSTOMERS], start=1):
            token = {"id_token": tag, "type": "ISO14443"}
            about = call.CustomerInformation(request_id=number, report=False, clear=True, id_token=token)
            with suppress(CallRefused, NoAnswer):
                if await self._tell(about) is CommandOutcome.NOT_SUPPORTED:
                    return

    async def send_key(self, key: str) -> KeyAnswer:
        """`SetVariables` of `BasicAuthPassword`.

        The key is hex digits: text to a station that takes it as it is, bytes to one that reads hex. Both are let in.
        """
        password = {
            "component": {"name": "SecurityCtrlr"},
            "variable": {"name": "BasicAuthPassword"},
            "attribute_value": key,
        }
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
