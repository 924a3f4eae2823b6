"""What people do during a drill: they ask, decide, type keys, unplug cars, and see how transfers stand."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import httpx

from tools.chaos.integrator import Integrator
from tools.chaos.journal import Broken, Journal
from tools.demo.person import FINAL
from tools.simulator.control import tell
from tools.stage import plain_http
from tools.upgrade.site import Site
from tools.upgrade.waiting import ATTENTION, BODY, OPERATOR, RECIPIENT, SENDER, group_of

GOES_ON: Final = "every transfer goes on as what was done to it says"
_LOOK_EVERY: Final = 0.5
#: How long something may take that is under way, in seconds, on a busy machine.
PATIENCE: Final = 240.0


class Hands:
    """Ada, who sends, Bob, who receives, and Olga, who operates; a transfer is known by its charge point."""

    def __init__(self, site: Site, journal: Journal) -> None:
        """Nobody has done anything."""
        self._site = site
        self._journal = journal
        self._people = {user: Integrator(user, key, site.apis, journal) for user, key in site.keys.items()}
        self.transfers: dict[str, str] = {}
        """The transfer of each charge point."""
        self.ends: dict[str, str] = {}
        """How a transfer has to end by what was done to it."""

    async def close(self) -> None:
        """Close the connections."""
        for one in self._people.values():
            await one.close()

    # --- what they do ---------------------------------------------------------------------------------------------

    async def begin(self, point: str) -> None:
        """Ask for what the group of a charge point is to wait for."""
        group = group_of(point)
        if ATTENTION[group] == "session_running":
            await self.at_charger(point, "start NORTH")
        await self.ask(point, BODY[group])

    async def ask(self, point: str, body: Mapping[str, str]) -> None:
        """Ask for a transfer, as its sender."""
        answer = await self._people[SENDER].command(
            "start", f"/v1/charge-points/{point}/transfers", f"{point}-start", body=dict(body)
        )
        if answer is None or not answer.is_success:
            raise Broken(GOES_ON, point, f"it is not begun: {answer and answer.text}")
        self.transfers[point] = str(answer.json()["id"])

    async def move(self, point: str, body: Mapping[str, str]) -> None:
        """Ask for what nobody is asked about, which is to go through."""
        await self.ask(point, body)
        self.ends[point] = "completed"

    async def accept(self, point: str) -> None:
        """Accept, as the recipient."""
        await self._say(RECIPIENT, "accept", point, "completed")

    async def decline(self, point: str) -> None:
        """Decline, as the recipient."""
        await self._say(RECIPIENT, "decline", point, "declined")

    async def cancel(self, point: str) -> None:
        """Cancel, as the sender."""
        await self._say(SENDER, "cancel", point, "cancelled")

    async def resolve(self, point: str, action: str, end: str) -> None:
        """Do what an operator does about a step that is stuck."""
        await self._say(OPERATOR, "resolve", point, end, action=action, reason="the drill")

    async def type_key(self, point: str) -> None:
        """Have a new key made, as the new owner, and type it into the charger."""
        answer = await self._people[RECIPIENT].command(
            "connect", f"/v1/charge-points/{point}/connection", f"{point}-connect", subject=point
        )
        if answer is None or not answer.is_success:
            raise Broken(GOES_ON, point, f"no new key: {answer and answer.text}")
        await self.at_charger(point, f"password {answer.json()['password']}")
        self.ends[point] = "completed"

    async def unplug(self, point: str) -> None:
        """End the charging session."""
        await self.at_charger(point, "stop")
        self.ends[point] = "completed"

    async def at_charger(self, point: str, order: str) -> None:
        """Do something at a charger."""
        await tell(self._site.stage.ports.stations, f"{point.upper()} {order}")

    async def try_to_accept(self, point: str) -> str:
        """Accept once, and give the answer's status: what somebody gets whose transfer's run waits for workers."""
        headers = {"Authorization": f"Bearer {self._site.keys[RECIPIENT]}", "Idempotency-Key": f"{point}-accept"}
        async with plain_http.client(base_url=self._site.apis[0], headers=headers, timeout=30) as api:
            answer: httpx.Response = await api.post(f"/v1/transfers/{self.transfers[point]}/accept")
        return f"{answer.status_code} {answer.json().get('code', '')}".strip()

    async def _say(self, who: str, what: str, point: str, end: str, **body: str) -> None:
        transfer = self.transfers[point]
        answer = await self._people[who].command(
            what, f"/v1/transfers/{transfer}/{what}", f"{point}-{what}", subject=transfer, body=body or None
        )
        if answer is None or not answer.is_success:
            raise Broken(GOES_ON, point, f"{what} was answered {answer and answer.text}")
        self.ends[point] = end

    # --- what they see --------------------------------------------------------------------------------------------

    async def look(self, point: str) -> dict[str, Any]:
        """Look at a transfer, as an operator."""
        return await self._people[OPERATOR].get(f"/v1/transfers/{self.transfers[point]}")

    async def read_all_the_time(self) -> None:
        """List transfers until cancelled: what is answered is counted in the journal."""
        while True:
            await self._people[OPERATOR].get("/v1/transfers", limit=50)
            await asyncio.sleep(_LOOK_EVERY)  # pacing: how often somebody looks

    async def shown(self) -> dict[str, tuple[Any, ...]]:
        """Give what an operator is shown: of each transfer its state, of each charge point owner, group and version."""
        found: dict[str, tuple[Any, ...]] = {}
        for path, facts in (("transfers", ("state",)), ("charge-points", ("owner_id", "group_id", "version"))):
            cursor: str | None = ""
            while cursor is not None:
                more = {"cursor": cursor} if cursor else {}
                page = await self._people[OPERATOR].get(f"/v1/{path}", limit=200, **more)
                found |= {one["id"]: tuple(one[fact] for fact in facts) for one in page["items"]}
                cursor = page["next"]
        return found

    async def see_waiting(self, points: Collection[str], attention: str | None = None) -> None:
        """Wait until each of them waits for what its group does, or for what is said."""
        await self.see(points, lambda point, found: found["attention"] == (attention or ATTENTION[group_of(point)]))

    async def see_ends(self, points: Collection[str]) -> None:
        """Wait until each of them has ended as it has to."""
        await self.see(points, lambda _point, found: found["state"] in FINAL)
        for point in points:
            state = (await self.look(point))["state"]
            if state != self.ends[point]:
                raise Broken(GOES_ON, point, f"it ended as {state}, not {self.ends[point]}")

    async def see(self, points: Collection[str], enough: Callable[[str, Mapping[str, Any]], bool]) -> None:
        """Look at transfers until each is `enough`; raises Broken where one never is."""
        left = list(points)
        found: Mapping[str, Any] = {}
        try:
            async with asyncio.timeout(PATIENCE):
                while left:
                    found = await self.look(left[0])
                    if enough(left[0], found):
                        left.pop(0)
                    else:
                        await asyncio.sleep(_LOOK_EVERY)  # other processes' doing: there is nothing to wait on
        except TimeoutError:
            shown = f"{found.get('state')}, {found.get('attention')}"
            raise Broken(GOES_ON, left[0], f"{shown} after {PATIENCE:.0f} s, and {len(left) - 1} behind it") from None
