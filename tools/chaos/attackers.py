"""Clients of former owners: each knows the first password of a charge point, and comes with it all through the run.

Each from an address of its own, straight to either gateway node. They begin where that password is not the present
owner's any more, or a change of owner is under way: until then it is the owner who connects, as they may.
"""

import asyncio
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from domain.errors import Unavailable
from persistence.session import Database
from tools.chaos.journal import Journal
from tools.chaos.site import FIRST_ATTACKER, Site
from tools.chaos.town import ENROLLED_MODEL, OTHER_MODEL
from tools.stage.ports import HOST

#: Charge points whose first password is the present owner's, and nobody else is becoming it.
_OWNERS_OWN: Final = text(
    "SELECT c.id FROM charge_points c WHERE EXISTS (SELECT 1 FROM credentials k WHERE k.charge_point_id = c.id"
    "  AND k.purpose = 'given' AND k.state <> 'revoked' AND k.version >= c.owner_version)"
    " AND NOT EXISTS (SELECT 1 FROM transfers t WHERE t.charge_point_id = c.id AND t.active"
    "  AND t.state IN ('transferring', 'reconfiguring') AND t.from_owner_id <> t.to_owner_id)"
)
_LOOK_EVERY: Final = 0.2
_OPEN_WITHIN: Final = 10.0
#: Seconds between two tries, and how long one stays that was let in; many stay until they are sent away.
_BETWEEN: Final = (0.2, 4.0)
_STAYS: Final = (1.0, 20.0)
_FOR_GOOD: Final = 3600.0
_SAYS_EVERY: Final = (0.5, 4.0)
_UNAUTHORIZED: Final = 401
#: What is answered where no status is asked for, and how each other call is, by chance.
_ASKED: Final[Mapping[str, Any]] = {"GetConfiguration": {}, "GetTransactionStatus": {"messagesInQueue": False}}
_WAYS: Final = ("accept", "accept", "reject", "not supported", "silence")


@dataclass(frozen=True)
class Heard:
    """One call that an attacker got."""

    point: str
    at: datetime
    action: str
    texts: Sequence[str] = field(repr=False)
    """Every text in its payload."""


@dataclass(frozen=True)
class Stay:
    """One connection that an attacker got with the first password."""

    point: str
    began: datetime
    """Before its upgrade."""
    ended: datetime


@dataclass(frozen=True)
class Attacks:
    """What became of the attacks of one run."""

    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By the id of the charge point: the first one, which its former owner knows."""
    heard: Sequence[Heard] = ()
    stays: Sequence[Stay] = ()
    opens: Mapping[str, bool] = field(default_factory=dict)
    """Whether the first password opened a connection at the very end."""
    chargers_from: str = HOST
    """The address that the chargers themselves come from."""
    became: frozenset[str] = frozenset()
    """Charge points whose attacker came in with a key that it was sent."""


def texts_in(value: Any) -> Iterator[str]:
    """Give every text in a payload."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def key_in(action: str, payload: Any) -> str | None:
    """Give the key that a call sets, in either version of OCPP."""
    if action == "ChangeConfiguration" and payload["key"] == "AuthorizationKey":
        return str(payload["value"])
    for one in payload.get("setVariableData", []) if action == "SetVariables" else []:
        if one["variable"]["name"] == "BasicAuthPassword":
            return str(one["attributeValue"])
    return None


def answer(way: str, ocpp: str, number: str, action: str, payload: Any) -> list[Any] | None:
    """Answer a call in one of the ways; None: not at all."""
    if way == "silence":
        return None
    if way == "not supported" and key_in(action, payload) is None:
        return [4, number, "NotImplemented", "", {}]
    status = {"accept": "Accepted", "reject": "Rejected"}.get(way, "NotSupported")
    if action == "SetVariables":
        result = "UnknownVariable" if status == "NotSupported" else status
        said: dict[str, Any] = {"setVariableResult": [_told(one, result) for one in payload["setVariableData"]]}
    elif action == "GetVariables":
        said = {"getVariableResult": [_told(one, "UnknownVariable") for one in payload["getVariableData"]]}
    elif action == "GetLocalListVersion":
        said = {"listVersion" if ocpp == "1.6" else "versionNumber": 0}
    elif action in _ASKED:
        said = _ASKED[action]
    else:
        said = {"status": "Failed" if action == "SendLocalList" and way != "accept" else status}
    return [3, number, said]


def _told(one: Mapping[str, Any], status: str) -> dict[str, Any]:
    return {"attributeStatus": status, "component": one["component"], "variable": one["variable"]}


class Attackers:
    """All of them, and what they got."""

    def __init__(self, site: Site, chance: Random, journal: Journal) -> None:
        """Draw by `chance`."""
        points = {str(point["id"]): point for point in site.town.charge_points}
        self._attackers = [
            _Attacker(
                points[point],
                f"{site.street}.{FIRST_ATTACKER + number}",
                site.gateways,
                Random(chance.random()),  # noqa: S311 - to be repeated
            )
            for number, point in enumerate(site.town.attacked)
        ]
        self._chargers_from = site.chargers_from
        self._db: Database = site.db
        self._journal = journal
        self.counts: Counter[str] = Counter()
        """How often a try ended how."""

    @property
    def became(self) -> set[str]:
        """Charge points whose attacker came in with a key that it was sent."""
        return {one.point for one in self._attackers if one.became_it}

    async def run(self) -> None:
        """Attack until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            for attacker in self._attackers:
                group.create_task(attacker.run(self.counts, self._journal))

    async def _look(self) -> None:
        """Keep each away from what is its own charge point."""
        while True:
            with suppress(Unavailable):
                async with self._db.reading() as rows:
                    own = set(await rows.scalars(_OWNERS_OWN))
                for attacker in self._attackers:
                    attacker.may(attacks=attacker.point not in own)
            await asyncio.sleep(_LOOK_EVERY)  # pacing: other processes' doing

    async def conclude(self) -> Attacks:
        """Let each try its first password once more, and give what came of it all."""
        opens = {one.point: await one.opens() for one in self._attackers}
        return Attacks(
            {one.point: one.password for one in self._attackers},
            [heard for one in self._attackers for heard in one.heard],
            [stay for one in self._attackers for stay in one.stays],
            opens,
            self._chargers_from,
            frozenset(self.became),
        )


class _Attacker:
    """One client, at one charge point."""

    def __init__(
        self, point: Mapping[str, Any], address: str, gateways: Sequence[tuple[str, int]], chance: Random
    ) -> None:
        self.point, self.password, self.address = str(point["id"]), str(point["password"]), address
        self._identity, self._ocpp = str(point["identity"]), str(point["ocpp"])
        self._gateways, self._chance = gateways, chance
        self._may, self._may_not = asyncio.Event(), asyncio.Event()
        self._sent: list[str] = []
        self._number = 0
        self.heard: list[Heard] = []
        self.stays: list[Stay] = []
        self.became_it = False

    def may(self, *, attacks: bool) -> None:
        """Let it attack, or have it leave at once."""
        yes, no = (self._may, self._may_not) if attacks and not self.became_it else (self._may_not, self._may)
        yes.set()
        no.clear()

    async def run(self, counts: Counter[str], journal: Journal) -> None:
        """Come again and again, with what it knows."""
        while True:
            await self._may.wait()
            secret = self._secret()
            first, began = secret == self.password.encode(), datetime.now(UTC)
            try:
                async with self._connect(secret) as socket:
                    counts[f"let in with {'the first password' if first else 'a key that it was sent'}"] += 1
                    self.became_it |= not first
                    journal.note(attacker=self.point, at=began.isoformat(), first=first)
                    try:
                        await self._stay(socket)
                    finally:
                        if first:
                            self.stays.append(Stay(self.point, began, datetime.now(UTC)))
            except InvalidStatus as refused:
                counts[f"refused with {refused.response.status_code}"] += 1
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, EOFError) as error:
                counts[f"no connection, or one that broke: {type(error).__name__}"] += 1
            await asyncio.sleep(self._chance.uniform(*_BETWEEN))  # pacing: as a client tries again

    def _secret(self) -> bytes:
        """Take the first password, or a key that it was sent, as digits or as the bytes that they stand for."""
        if not self._sent or self._chance.random() < 0.3:
            return self.password.encode()
        key = self._chance.choice(self._sent)
        with suppress(ValueError):
            if self._chance.random() < 0.3:
                return bytes.fromhex(key)
        return key.encode()

    def _connect(self, secret: bytes, gateway: tuple[str, int] | None = None) -> connect:
        host, port = gateway or self._chance.choice(self._gateways)
        basic = b64encode(self._identity.encode() + b":" + secret).decode()
        return connect(
            f"ws://{host}:{port}/ocpp/{self._identity}",
            subprotocols=[Subprotocol(f"ocpp{self._ocpp}")],
            additional_headers={"Authorization": f"Basic {basic}"},
            compression=None,
            open_timeout=_OPEN_WITHIN,
            close_timeout=1,
            local_addr=(self.address, 0),
            proxy=None,
        )

    async def opens(self) -> bool:
        """Whether the first password opens a connection, at any node."""
        for gateway in self._gateways:
            if await self._opens_at(gateway):
                return True
        return False

    async def _opens_at(self, gateway: tuple[str, int]) -> bool:
        """Whether it does at one; asked until that is certain, also of one that lets nobody try for a minute."""
        while True:
            try:
                async with self._connect(self.password.encode(), gateway):
                    return True
            except InvalidStatus as error:
                if error.response.status_code == _UNAUTHORIZED:
                    return False
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, EOFError):
                pass
            await asyncio.sleep(1)  # pacing: a part that is being started again

    async def _stay(self, socket: ClientConnection) -> None:
        """Play the charger for a while; now and then it leaves as if its line were cut."""
        for_good = self._chance.random() < 0.6
        until = _FOR_GOOD if for_good else self._chance.uniform(*_STAYS)
        parts = [asyncio.create_task(part) for part in (self._listen(socket), self._talk(socket), self._may_not.wait())]
        try:
            await asyncio.wait(parts, timeout=until, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            if self._may_not.is_set() or self._chance.random() < 0.5:
                socket.transport.abort()

    async def _listen(self, socket: ClientConnection) -> None:
        async for frame in socket:
            message = json.loads(frame)
            if message[0] != 2:  # an answer to what it said
                continue
            number, action, payload = message[1:4]
            self.heard.append(Heard(self.point, datetime.now(UTC), action, list(texts_in(payload))))
            if (key := key_in(action, payload)) is not None:
                self._sent.append(key)
            said = answer(self._chance.choice(_WAYS), self._ocpp, number, action, payload)
            if said is not None:
                await socket.send(json.dumps(said))
            if key is not None and self._chance.random() < 0.7:
                return  # it comes back with that

    async def _talk(self, socket: ClientConnection) -> None:
        if self._chance.random() < 0.8:
            await self._say(socket, "BootNotification", self._boot())
        while True:
            await asyncio.sleep(self._chance.uniform(*_SAYS_EVERY))  # pacing: a charger's own
            what = self._chance.choice(("Heartbeat", "Authorize", "StatusNotification"))
            await self._say(socket, what, self._words()[what])

    async def _say(self, socket: ClientConnection, action: str, payload: Mapping[str, Any]) -> None:
        self._number += 1
        await socket.send(json.dumps([2, f"a-{self._number}", action, payload]))

    def _boot(self) -> dict[str, Any]:
        model = self._chance.choice((ENROLLED_MODEL, OTHER_MODEL))
        if self._ocpp == "1.6":
            return {"chargePointVendor": "Handover", "chargePointModel": model}
        return {"reason": "PowerUp", "chargingStation": {"vendorName": "Handover", "model": model}}

    def _words(self) -> dict[str, dict[str, Any]]:
        tag = self._chance.choice(("NORTH1", "SOUTH1", "ADA", "EVE"))
        if self._ocpp == "1.6":
            status: dict[str, Any] = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
            return {"Heartbeat": {}, "Authorize": {"idTag": tag}, "StatusNotification": status}
        now = datetime.now(UTC).isoformat()
        status = {"timestamp": now, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        token = {"idToken": {"idToken": tag, "type": "ISO14443"}}
        return {"Heartbeat": {}, "Authorize": token, "StatusNotification": status}
