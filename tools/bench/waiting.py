"""Transfers that wait for their recipients, begun side by side: what they cost, and how many expire at once."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import psutil

from tools.bench.cpu import CpuMeter
from tools.bench.crowds import add_points, register
from tools.bench.laps import milli
from tools.bench.people import RECIPIENTS, address_of
from tools.bench.scale import Scale
from tools.bench.site import Site
from tools.bench.transfers import Caller, calling, free_points

_REST: Final = 10.0
#: For how long the end of an expiry is waited for.
_PATIENCE: Final = 300.0
#: How much longer than the first ones those that are to expire may take to start, and how long they rest at least.
_SLACK: Final = 1.5
_SHORTEST: Final = 20.0
_LOOK_EVERY: Final = 0.5
_EXPIRED: Final = """
    SELECT count(*) FILTER (WHERE t.state = 'expired') AS expired,
           count(*) FILTER (WHERE s.state = 'done') AS told
    FROM transfers t JOIN transfer_steps s ON s.transfer_id = t.id AND s.name = 'tell_parties'
    WHERE t.id = ANY($1)"""


async def waiting(site: Site, scale: Scale) -> Mapping[str, Any]:
    """Start transfers that nobody accepts; the last of them all expire in the same second."""
    expiring = min(scale.expiring, scale.waiting // 2)
    await add_points(site, "w", scale.waiting)
    async with calling(site) as caller:
        starts = _Starts(site, caller, scale.in_flight)
        before = _memory(site)
        patient = await starts.begin(scale.waiting - expiring)
        site.report(f"  {patient['started']} wait, {patient['per_second']}/s")
        spare = expiring / patient["per_second"] * _SLACK + _SHORTEST
        moment = time.time() + spare
        hasty = await starts.begin(expiring, expires_at=moment)
        grown = {part: _memory(site)[part] - before[part] for part in before}
        rest = await _rest(site, moment) if moment - time.time() > _REST + 1 else {}
        expiry = await _watch(site, starts.ids[-hasty["started"] :], moment)
        site.report(f"  {expiry}")
    return {
        "waiting": scale.waiting,
        "begun": patient,
        "begun_to_expire": hasty,
        "memory_grown_kib_each": {part: round(grew / 1024 / scale.waiting, 2) for part, grew in grown.items()},
        "cpu_at_rest_ms_in_a_second": rest,
        "expiry": expiry,
    }


class _Starts:
    """Starts transfers to users, each with acceptance."""

    def __init__(self, site: Site, caller: Caller, in_flight: int) -> None:
        self._site, self._caller, self._turn = site, caller, asyncio.Semaphore(in_flight)
        self.ids: list[str] = []

    async def begin(self, count: int, *, expires_at: float | None = None) -> dict[str, Any]:
        """Start so many; those that expire do so at the same moment."""
        points, took, failed = await free_points(self._site, "w"), list[float](), 0

        async def one() -> None:
            nonlocal failed
            async with self._turn:
                point = points.popleft()
                recipient = address_of(f"r{point.number % RECIPIENTS}")
                body: dict[str, Any] = {"kind": "transfer_to_user", "recipient": recipient, "acceptance": "required"}
                if expires_at is not None:
                    body["expires_in"] = f"PT{max(1.0, expires_at - time.time()):.3f}S"
                began = time.perf_counter()
                path = f"/v1/charge-points/{point.id}/transfers"
                status, answer = await self._caller.post(path, point.owner_id, body)
                took.append(time.perf_counter() - began)
                if status >= 300:
                    failed += 1
                else:
                    self.ids.append(answer["id"])

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(count)))
        seconds = time.perf_counter() - began
        started = count - failed
        rate = round(started / seconds, 2)
        return {
            "started": started,
            "failed": failed,
            "per_second": rate,
            "p50": milli(took, 50),
            "p99": milli(took, 99),
        }


async def _rest(site: Site, moment: float) -> dict[str, float]:
    """Give what each part spends while all of them wait: right before they expire, when all letters are sent."""
    await asyncio.sleep(moment - time.time() - _REST - 1)
    meter = CpuMeter(site.pids, site.postgres.pid)
    await asyncio.sleep(_REST)
    return {part: round(spent / _REST * 1000, 1) for part, spent in meter.spent().items()}


async def _watch(site: Site, ids: list[str], moment: float) -> dict[str, Any]:
    """Wait until all have expired, and everybody was told; gives how long after their moment."""
    await asyncio.sleep(max(0.0, moment - time.time()))
    found: dict[str, Any] = {"expiring": len(ids), "expired_after": None, "told_after": None}
    async with register(site) as rows:
        while found["told_after"] is None and time.time() < moment + _PATIENCE:
            seen, after = await rows.fetchrow(_EXPIRED, ids), round(time.time() - moment, 1)
            found |= {"expired": seen["expired"], "told": seen["told"]}
            if seen["expired"] == len(ids) and found["expired_after"] is None:
                found["expired_after"] = after
            if seen["told"] == len(ids):
                found["told_after"] = after
            await asyncio.sleep(_LOOK_EVERY)
    return found


def _memory(site: Site) -> dict[str, int]:
    return {name: psutil.Process(pid).memory_info().rss for pid, name in site.pids().items()}
