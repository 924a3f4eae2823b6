"""A former owner who passes for his charger: an OCPP client that comes again and again with every key he knows."""

import asyncio
import json
import uuid
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from tools.simulator.news import News
from tools.simulator.simulation import Version

#: From where he comes; the chargers themselves come from 127.0.0.1.
ADDRESS: Final = "127.0.0.2"
#: The pauses between his tries, and between what he says on a connection, in seconds.
AGAIN: Final = 1.0
BEAT: Final = 3.0
#: How long he waits for an answer: what a waiting socket tells of sessions is left without one.
PATIENCE: Final = 5.0


class Temper(StrEnum):
    """What he answers to what he is told."""

    ACCEPT = "accept"
    REJECT = "reject"
    NOT_SUPPORTED = "not supported"
    SILENCE = "silence"


@dataclass(frozen=True)
class Told:
    """A call that he was sent, with the key that had opened the connection."""

    at: datetime
    opened_with: str
    action: str
    payload: dict[str, Any]

    @property
    def key(self) -> str | None:
        """The key that is in it, if one is."""
        if self.action == "ChangeConfiguration" and self.payload["key"] == "AuthorizationKey":
            return str(self.payload["value"])
        if self.action == "SetVariables":
            for one in self.payload["setVariableData"]:
                if one["variable"]["name"] == "BasicAuthPassword":
                    return str(one["attributeValue"])
        return None


@dataclass(frozen=True)
class Came:
    """A try to connect: 101 where he was let in."""

    at: datetime
    password: str
    status: int


@dataclass(frozen=True)
class Said:
    """What he was answered to a BootNotification, or to the start of a session with a tag; None: nothing."""

    at: datetime
    """When he asked."""
    opened_with: str
    answer: str | None
    tag: str | None = None


@dataclass(eq=False)
class Attacker:
    """One that passes for the charger `identity` at the gateway `url`; what he saw is kept."""

    url: str
    identity: str
    password: str
    ocpp: Version
    temper: Temper
    model: str
    tags: tuple[str, ...] = ()
    """With which he tries to charge."""
    told: list[Told] = field(default_factory=list)
    came: list[Came] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    news: News = field(default_factory=News)
    passwords: list[str] = field(init=False)
    """The keys that he knows, the newest last."""
    _calls: dict[str, asyncio.Future[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know the first key."""
        self.passwords = [self.password]

    @property
    def keys(self) -> list[Told]:
        """Every key that he was sent."""
        return [told for told in self.told if told.key is not None]

    def refused(self, after: datetime) -> set[str]:
        """Give the keys that opened nothing for him since a moment."""
        return {came.password for came in self.came if came.at > after and came.status == 401}

    def had_his_say(self, after: datetime) -> bool:
        """Whether he has been refused since a moment, or heard what his connection is worth, and tried all tags."""
        starts = {said.tag for said in self.said if said.at > after}
        return bool(self.refused(after)) or {None, *self.tags} <= starts

    async def until(self, true: Callable[[], Any], seconds: float) -> None:
        """Wait until something is so that he sees; raises TimeoutError."""
        await self.news.until(true, seconds)

    async def run(self) -> None:
        """Come again and again, with every key that he knows, until cancelled."""
        while True:
            for password in reversed(self.passwords):
                await self._come(password)
                await asyncio.sleep(AGAIN)

    async def _come(self, password: str) -> None:
        at, secret = datetime.now(UTC), b64encode(f"{self.identity}:{password}".encode()).decode()
        try:
            async with connect(
                f"{self.url}/{self.identity}",
                subprotocols=[Subprotocol(f"ocpp{self.ocpp}")],
                additional_headers={"Authorization": f"Basic {secret}"},
                local_addr=(ADDRESS, 0),
                compression=None,
                close_timeout=1,
            ) as socket:
                self._note(self.came, Came(at, password, 101))
                await self._be_there(socket, password)
        except InvalidStatus as refused:
            self._note(self.came, Came(at, password, refused.response.status_code))
        except (InvalidHandshake, OSError, TimeoutError, ConnectionClosed):
            pass

    def _note(self, kept: list[Any], what: Any) -> None:
        kept.append(what)
        self.news.changed()

    # --- on a connection ------------------------------------------------------------------------------------------

    async def _be_there(self, socket: ClientConnection, password: str) -> None:
        parts = [asyncio.create_task(self._listen(socket, password)), asyncio.create_task(self._talk(socket, password))]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _talk(self, socket: ClientConnection, password: str) -> None:
        """Boot, try to charge, beat; again and again, whatever is answered."""
        while True:
            at = datetime.now(UTC)
            booted = await self._ask(socket, "BootNotification", self._boot())
            self._note(self.said, Said(at, password, booted["status"] if booted else None))
            for tag in self.tags:
                await self._try_to_charge(socket, password, tag)
            await self._ask(socket, "Heartbeat", {})
            await asyncio.sleep(BEAT)

    async def _try_to_charge(self, socket: ClientConnection, password: str, tag: str) -> None:
        at, name = datetime.now(UTC), uuid.uuid4().hex
        action, payload = self._start(tag, name)
        begun = await self._ask(socket, action, payload)
        info = (begun or {}).get("idTagInfo") or (begun or {}).get("idTokenInfo")
        self._note(self.said, Said(at, password, info["status"] if info else None, tag))
        if begun is not None:
            action, payload = self._stop(begun, name)
            await self._ask(socket, action, payload)

    async def _ask(self, socket: ClientConnection, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Make a call; None where it is answered with an error, or not in time."""
        number = uuid.uuid4().hex
        self._calls[number] = answered = asyncio.get_running_loop().create_future()
        try:
            await socket.send(json.dumps([2, number, action, payload]))
            async with asyncio.timeout(PATIENCE):
                answer: dict[str, Any] | None = await answered
                return answer
        except TimeoutError:
            return None
        finally:
            del self._calls[number]

    async def _listen(self, socket: ClientConnection, password: str) -> None:
        async for text in socket:
            frame = json.loads(text)
            if frame[0] != 2:
                waiting = self._calls.get(frame[1])
                if waiting is not None and not waiting.done():
                    waiting.set_result(frame[2] if frame[0] == 3 else None)
                continue
            told = Told(datetime.now(UTC), password, frame[2], frame[3])
            self._note(self.told, told)
            if told.key is not None and told.key not in self.passwords:
                self.passwords.append(told.key)
            answer = self._answer(told)
            if answer is not None:
                await socket.send(json.dumps([answer[0], frame[1], *answer[1:]]))
            if told.key is not None:
                return  # he comes back with it

    # --- how it is spelled ----------------------------------------------------------------------------------------

    def _answer(self, told: Told) -> list[Any] | None:
        """Give his answer. That he is quiet before he sells is what he wants himself: it is done."""
        wants = told.payload.get("type") or told.payload.get("operationalStatus")
        temper = Temper.ACCEPT if told.action == "ChangeAvailability" and wants == "Inoperative" else self.temper
        if temper is Temper.SILENCE:
            return None
        if temper is Temper.NOT_SUPPORTED:
            return [4, "NotSupported", "", {}]
        yes = temper is Temper.ACCEPT
        status = "Accepted" if yes else "Rejected"
        if told.action in {"GetVariables", "SetVariables"}:
            return [3, _variables(told, status)]
        plain: dict[str, Any] = {
            "GetConfiguration": {"configurationKey": [], "unknownKey": []},
            "GetLocalListVersion": {"listVersion" if self.ocpp == "1.6" else "versionNumber": 0},
            "GetTransactionStatus": {"messagesInQueue": False},
            "SendLocalList": {"status": "Accepted" if yes else "Failed"},
            "ClearChargingProfile": {"status": "Accepted" if yes else "Unknown"},
        }
        return [3, plain.get(told.action, {"status": status})]

    def _boot(self) -> dict[str, Any]:
        if self.ocpp == "1.6":
            return {"chargePointVendor": "Handover", "chargePointModel": self.model, "chargePointSerialNumber": "SN-1"}
        return {
            "reason": "PowerUp",
            "chargingStation": {"vendorName": "Handover", "model": self.model, "serialNumber": "SN-1"},
        }

    def _start(self, tag: str, name: str) -> tuple[str, dict[str, Any]]:
        if self.ocpp == "1.6":
            return "StartTransaction", {"connectorId": 1, "idTag": tag, "meterStart": 0, "timestamp": _now()}
        token = {"idToken": {"idToken": tag, "type": "ISO14443"}}
        return "TransactionEvent", {**self._event("Started", name), **token, "triggerReason": "Authorized"}

    def _stop(self, begun: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
        if self.ocpp == "1.6":
            number = begun.get("transactionId", 0)
            return "StopTransaction", {"meterStop": 0, "timestamp": _now(), "transactionId": number}
        return "TransactionEvent", {**self._event("Ended", name), "triggerReason": "StopAuthorized"}

    def _event(self, kind: str, name: str) -> dict[str, Any]:
        return {
            "eventType": kind,
            "timestamp": _now(),
            "seqNo": 0 if kind == "Started" else 1,
            "evse": {"id": 1, "connectorId": 1},
            "transactionInfo": {"transactionId": name[:36]},
        }


def _variables(told: Told, status: str) -> dict[str, Any]:
    way = told.action.removesuffix("Variables").lower()
    return {
        f"{way}VariableResult": [
            {"attributeStatus": status, "component": one["component"], "variable": one["variable"]}
            | ({"attributeValue": "50"} if way == "get" and status == "Accepted" else {})
            for one in told.payload[f"{way}VariableData"]
        ]
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
