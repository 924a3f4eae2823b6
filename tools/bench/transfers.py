"""Starts transfers through the API, as an integrator does, and waits for their ends: so many at once.

The shapes: `a` moves a charge point to another group while its charger is offline; `b` transfers one to another user
without acceptance, its charger there; `c` is `b` with the recipient's acceptance.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import aiohttp
import asyncpg
from temporalio.client import Client

from tools.bench.cpu import CpuMeter
from tools.bench.laps import Lap
from tools.bench.people import Point, address_of
from tools.bench.site import OURS, Site

Shape = Literal["a", "b", "c"]
SHAPES: Final[tuple[Shape, ...]] = ("a", "b", "c")
_FREE: Final = """
    SELECT id, owner_id, group_id FROM charge_points c
    WHERE id LIKE $1 AND NOT EXISTS (SELECT 1 FROM transfers t WHERE t.charge_point_id = c.id AND t.active)
    ORDER BY version, length(id), id"""
_ENDS: Final = "SELECT id, state, extract(epoch from finished_at) AS at FROM transfers WHERE id = ANY($1)"


class Caller:
    """Calls the API with everybody's keys, over connections that are kept."""

    def __init__(self, http: aiohttp.ClientSession, api: str, keys: Mapping[str, str]) -> None:
        """Call the API at that address."""
        self._http, self._api, self._keys = http, api, keys

    async def post(self, path: str, user: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Give the status, and what was answered."""
        headers = {"Authorization": f"Bearer {self._keys[user]}"}
        async with self._http.post(self._api + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str, user: str) -> tuple[int, Any]:
        """Do the same for a GET."""
        headers = {"Authorization": f"Bearer {self._keys[user]}"}
        async with self._http.get(self._api + path, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


@asynccontextmanager
async def calling(site: Site) -> AsyncIterator[Caller]:
    """Have a caller inside the block."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield Caller(http, site.stage.api, site.keys)


async def free_points(site: Site, letter: str) -> deque[Point]:
    """Give the charge points of a letter that no transfer has, those that changed hands least first."""
    rows = await asyncpg.connect(site.postgres.dsn(OURS))
    try:
        return deque(
            Point(row["id"], row["owner_id"], row["group_id"]) for row in await rows.fetch(_FREE, f"{letter}%")
        )
    finally:
        await rows.close()


def start_of(shape: Shape, point: Point) -> dict[str, str]:
    """Give the body that starts a transfer."""
    if shape == "a":
        return {"kind": "move_to_group", "group_id": point.other_group}
    acceptance = "not_required" if shape == "b" else "required"
    recipient = address_of(point.next_owner)
    return {"kind": "transfer_to_user", "recipient": recipient, "connection": "keep", "acceptance": acceptance}


async def run(site: Site, shape: Shape, in_flight: int, count: int, *, warm_up: int | None = None) -> Lap:
    """Start `count` transfers, `in_flight` at once, and wait for their ends; before that as many to warm up."""
    async with calling(site) as caller:
        points = await free_points(site, "m" if shape == "a" else "k")
        runner = _Runner(caller, site.client, shape, points, in_flight)
        await runner.perform(in_flight if warm_up is None else warm_up)
        meter = CpuMeter(site.pids, site.postgres.pid)
        lap = await runner.perform(count)
        lap.cpu = meter.spent()
    await _read_ends(site, lap, runner.begun)
    return lap


class _Runner:
    """Performs transfers of one shape."""

    def __init__(self, caller: Caller, client: Client, shape: Shape, points: deque[Point], in_flight: int) -> None:
        self._caller, self._client, self._shape, self._points = caller, client, shape, points
        self._turn = asyncio.Semaphore(in_flight)
        self._lap = Lap()
        self.begun: dict[str, float] = {}

    async def perform(self, count: int) -> Lap:
        """Perform so many, and give what was seen of these."""
        self._lap, self.begun = Lap(), {}
        began = time.perf_counter()
        await asyncio.gather(*(self._one() for _ in range(count)))
        self._lap.seconds = time.perf_counter() - began
        return self._lap

    async def _one(self) -> None:
        async with self._turn:
            lap, point = self._lap, self._points.popleft()
            began, clock = time.perf_counter(), time.time()
            body = start_of(self._shape, point)
            answer = await self._call(f"/v1/charge-points/{point.id}/transfers", point.owner_id, body)
            if answer is None:
                return
            lap.answers.append(time.perf_counter() - began)
            id_ = answer["id"]
            asked = time.perf_counter()
            if self._shape == "c":
                if await self._call(f"/v1/transfers/{id_}/accept", point.next_owner) is None:
                    return
                lap.accepts.append(time.perf_counter() - asked)
            await self._client.get_workflow_handle(f"transfer-{id_}").result()
            lap.ends.append(time.perf_counter() - began)
            if self._shape == "c":
                lap.accepted.append(time.perf_counter() - asked)
            lap.ids.append(id_)
            self.begun[id_] = clock
            owner = point.owner_id if self._shape == "a" else point.next_owner
            self._points.append(Point(point.id, owner, point.other_group))

    async def _call(self, path: str, user: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call, and give the answer; None where it was refused."""
        status, answer = await self._caller.post(path, user, body)
        self._lap.statuses[status] += 1
        if status >= 300:
            self._lap.refusals.append(f"{status} {answer}"[:300])
            return None
        return answer


async def _read_ends(site: Site, lap: Lap, begun: Mapping[str, float]) -> None:
    rows = await asyncpg.connect(site.postgres.dsn(OURS))
    try:
        for row in await rows.fetch(_ENDS, lap.ids):
            lap.states[row["state"]] += 1
            if row["at"] is not None:
                lap.registered.append(float(row["at"]) - begun[row["id"]])
    finally:
        await rows.close()
