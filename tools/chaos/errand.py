"""One transfer as people go about it: asked for, decided on, seen to its end, the charger connected afresh after it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final

from tools.chaos.integrator import Integrator
from tools.chaos.journal import Broken, Journal
from tools.chaos.letters import Reader
from tools.chaos.town import OPERATOR
from tools.chaos.wishes import Course, Wish, wish
from tools.demo.person import FINAL
from tools.simulator.control import tell

_LOOK_EVERY: Final = 1.5
#: A link that is not answered within the time that the transfer waits is left.
_BY_LINK_WITHIN: Final = 60.0
#: How often in a hundred a session runs when a transfer is asked for, and a request is sent twice at once.
_CHARGING, _TWICE = 15, 15


#: How long a new owner takes to get to the charger, in seconds: longer than the transfer waits, now and then.
_WALK: Final = (1.0, 24.0)


class NewKey(StrEnum):
    """What a new owner does who is asked to type a key into their charger."""

    TYPED = "typed"
    SHOWN = "shown"
    """They have one shown, and never type it."""
    LEFT = "left"


_NEW_KEY: Final[Mapping[NewKey, int]] = {NewKey.TYPED: 60, NewKey.SHOWN: 15, NewKey.LEFT: 25}
#: The same where somebody attacks: most leave it for later, or the attack would be over at once.
_UNDER_ATTACK: Final[Mapping[NewKey, int]] = {NewKey.TYPED: 15, NewKey.SHOWN: 15, NewKey.LEFT: 70}


@dataclass(frozen=True)
class People:
    """Everybody with an API key, and those who read mail; `stations`: where the charge points take orders."""

    integrators: Mapping[str, Integrator]
    readers: Mapping[str, Reader]
    journal: Journal
    stations: int
    attacked: frozenset[str] = frozenset()
    """Charge points whose owners are in no hurry with a new key."""

    @property
    def operator(self) -> Integrator:
        """Who sees everything."""
        return self.integrators[OPERATOR]


class Errand:
    """One errand; everything that is chance in it follows from `chance`."""

    def __init__(self, people: People, point: Mapping[str, Any], number: int, chance: Random) -> None:
        """Take a charge point as the import has it, and the errand's number in the run."""
        self._people, self._point, self._chance = people, point, chance
        self._key = f"errand-{number}"

    async def run(self) -> None:
        """Go through with it."""
        now = await self._people.operator.get(f"/v1/charge-points/{self._point['id']}")
        wanted = wish(now, self._chance)
        if self._chance.randrange(100) < _CHARGING:
            await self._charge(now)
        transfer_id = await self._ask(wanted)
        if transfer_id is None:
            return
        await self._decide(wanted, transfer_id)
        await self._see_it_end(wanted.sender, transfer_id)

    async def _charge(self, now: Mapping[str, Any]) -> None:
        """Let somebody with a tag of the present group plug in, and leave after a while or not."""
        group = str(now["group_id"])
        tag = group.removeprefix("personal-").upper() if group.startswith("personal-") else f"{group.upper()}1"
        await self._at_station(f"start {tag}")
        if self._chance.random() < 0.5:
            await asyncio.sleep(self._chance.uniform(1, 4))  # pacing: a short session
            await self._at_station("stop")

    async def _at_station(self, order: str) -> None:
        try:
            await tell(self._people.stations, f"{self._point['identity']} {order}")
        except (OSError, ValueError):  # its process has just been killed
            self._people.journal.repeats["station away"] += 1

    # --- the request ----------------------------------------------------------------------------------------------

    async def _ask(self, wanted: Wish) -> str | None:
        """Ask, now and then twice at once as one request; gives the transfer's id where it was taken."""
        asking = 2 if self._chance.randrange(100) < _TWICE else 1
        ids = {found for found in await asyncio.gather(*(self._ask_once(wanted) for _ in range(asking))) if found}
        if len(ids) > 1:
            raise Broken("one idempotency key is one request", self._key, f"the transfers {sorted(ids)}")
        return ids.pop() if ids else None

    async def _ask_once(self, wanted: Wish) -> str | None:
        answer = await self._people.integrators[wanted.sender].command(
            "start", f"/v1/charge-points/{self._point['id']}/transfers", self._key, body=dict(wanted.body)
        )
        return str(answer.json()["id"]) if answer is not None and answer.is_success else None

    # --- the decisions --------------------------------------------------------------------------------------------

    async def _decide(self, wanted: Wish, transfer_id: str) -> None:
        # nobody can decide before
        await self._see(wanted.sender, transfer_id, lambda found: found["state"] != "requested")
        await asyncio.sleep(self._chance.uniform(0, 2))  # pacing: people think about it
        match wanted.course:
            case Course.ACCEPT:
                await self._say("accept", wanted.decider, transfer_id, until_new_key=wanted.until_new_key)
            case Course.ACCEPT_BY_LINK:
                await self._accept_by_link(wanted, transfer_id)
            case Course.DECLINE:
                await self._say("decline", wanted.decider, transfer_id)
            case Course.CANCEL:
                await self._say("cancel", wanted.sender, transfer_id)
            case Course.ALL_AT_ONCE:
                await asyncio.gather(
                    self._say("accept", wanted.decider, transfer_id),
                    self._say("decline", wanted.decider, transfer_id),
                    self._say("cancel", wanted.sender, transfer_id),
                )
            case Course.LET_BE | Course.EXPIRE:
                return

    async def _say(self, decision: str, who: str, transfer_id: str, **body: str) -> None:
        path, key = f"/v1/transfers/{transfer_id}/{decision}", f"{self._key}-{decision}"
        await self._people.integrators[who].command(decision, path, key, subject=transfer_id, body=body or None)

    async def _accept_by_link(self, wanted: Wish, transfer_id: str) -> None:
        try:
            async with asyncio.timeout(_BY_LINK_WITHIN):
                await self._people.readers[wanted.decider].accept(transfer_id, str(self._point["name"]))
        except TimeoutError:
            self._people.journal.unknown["accept_by_link"] += 1

    async def _see(self, who: str, transfer_id: str, enough: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
        """Look at a transfer until it is `enough`."""
        while True:
            found = await self._people.integrators[who].get(f"/v1/transfers/{transfer_id}")
            if enough(found):
                return found
            await asyncio.sleep(_LOOK_EVERY)  # other processes' doing: there is nothing here to wait on

    async def _see_it_end(self, who: str, transfer_id: str) -> None:
        found = await self._see(who, transfer_id, lambda found: found["state"] in FINAL or _waits_for_key(found))
        if _waits_for_key(found):
            await self._give_key()
            found = await self._see(who, transfer_id, lambda found: found["state"] in FINAL)
        if found["state"].startswith("completed") and found["connection"] == "delete":
            await connect_afresh(self._people, self._point, f"{self._key}-connect")

    async def _give_key(self) -> None:
        """Let the new owner have a key shown, and type it in, or not."""
        wanted = _UNDER_ATTACK if self._point["id"] in self._people.attacked else _NEW_KEY
        does = self._chance.choices(list(wanted), list(wanted.values()))[0]
        self._people.journal.new_keys[does] += 1
        await asyncio.sleep(self._chance.uniform(*_WALK))  # pacing: until they are at the charger
        if does is not NewKey.LEFT:
            await connect_afresh(self._people, self._point, f"{self._key}-new-key", typed=does is NewKey.TYPED)


def _waits_for_key(found: Mapping[str, Any]) -> bool:
    return bool(found["attention"] == "new_key")


async def connect_afresh(people: People, point: Mapping[str, Any], key: str, *, typed: bool = True) -> None:
    """Let a charge point's present owner make new credentials, and somebody type them in at the charger, or nobody."""
    now = await people.operator.get(f"/v1/charge-points/{point['id']}")
    answer = await people.integrators[str(now["owner_id"])].command(
        "connect", f"/v1/charge-points/{point['id']}/connection", key, subject=str(point["id"])
    )
    if answer is None or not answer.is_success or not typed:
        return
    while True:
        try:
            await tell(people.stations, f"{point['identity']} password {answer.json()['password']}")
        except (OSError, ValueError):  # its process is being started again
            await asyncio.sleep(1)  # pacing: until it takes orders
        else:
            return
