"""OCPP 1.6: what a charger is told."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ocpp.v16 import call, call_result

from domain.charger import CommandOutcome, KeyAnswer, OcppVersion
from domain.errors import HandoverError
from gateway.ocpp.dialect import Dialect
from gateway.ocpp.line import CallNotSupported, CallRefused, NoAnswer
from persistence.chargers.charging import Running
from persistence.chargers.local_lists import ListLimits, ListOrder

#: Entries a message where the charger does not say how many it takes.
_DEFAULT_PART: Final = 20
_LIMIT_KEYS: Final = ["SendLocalListMaxLength", "LocalAuthListMaxLength"]
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

    async def quiet(self, stop: Sequence[Running]) -> CommandOutcome:
        """`ChangeAvailability` of it all, then `RemoteStopTransaction`; a rejected one had nothing to stop."""
        outcome = await self._tell(call.ChangeAvailability(connector_id=0, type="Inoperative"))
        for session in stop:
            await self._tell(call.RemoteStopTransaction(transaction_id=session.id))
        return outcome

    async def release(self) -> CommandOutcome:
        """`ChangeAvailability` of the whole charger; it survives a restart, so it has to be undone."""
        return await self._tell(call.ChangeAvailability(connector_id=0, type="Operative"))

    async def limits(self) -> ListLimits:
        """`GetConfiguration` and `GetLocalListVersion`; -1 there means that it has no list."""
        said: dict[str, int] = {}
        try:
            answer = await self._line.ask(call.GetConfiguration(key=list(_LIMIT_KEYS)))
            for entry in answer.configuration_key or []:
                if str(entry.get("value") or "").isdecimal():
                    said[entry["key"]] = int(entry["value"])
        except (CallRefused, NoAnswer):
            pass
        try:
            version = (await self._line.ask(call.GetLocalListVersion())).list_version
        except (CallRefused, NoAnswer):
            version = 0
        part = said.get(_LIMIT_KEYS[0]) or _DEFAULT_PART
        return ListLimits(part, said.get(_LIMIT_KEYS[1]) or None, max(version, 0), tag=20)

    async def send_list(self, order: ListOrder) -> CommandOutcome:
        """`SendLocalList`: `Full` with the first part, `Differential` with each other one, under rising versions."""
        for number, part in enumerate(order.parts):
            request = call.SendLocalList(
                list_version=order.first_version + number,
                update_type="Differential" if number else "Full",
                local_authorization_list=[
                    {"id_tag": entry["id_tag"], "id_tag_info": {"status": entry["status"]}} for entry in part
                ],
            )
            outcome = await self._tell(request)
            if outcome is not CommandOutcome.DONE:
                return outcome
        return CommandOutcome.DONE

    async def forget(self, former: Sequence[str]) -> None:
        """`ClearCache`, and `ClearChargingProfile` (not the installation's limit); refused means nothing was there."""
        del former  # nothing to tell them by
        for request in (call.ClearCache(), call.ClearChargingProfile(charging_profile_purpose="TxDefaultProfile")):
            with suppress(CallRefused, NoAnswer):
                await self._tell(request)

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
