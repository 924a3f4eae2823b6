"""More starts than can be performed, at three times the capacity, whatever becomes of the earlier ones."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from engine.schedule import RECONCILE
from tools.bench.crowds import add_points, register
from tools.bench.laps import milli
from tools.bench.people import Point
from tools.bench.scale import Scale
from tools.bench.site import Site
from tools.bench.transfers import Caller, calling, free_points, run, start_of

_TIMES: Final = 3
_PATIENCE: Final = 300.0
_LOOK_EVERY: Final = 1.0
_UNENDED: Final = """
    SELECT count(*) FROM requests r LEFT JOIN transfers t ON t.id = r.transfer_id
    WHERE r.transfer_id = ANY($1) AND (t.id IS NULL OR t.finished_at IS NULL)"""
_LOST: Final = "SELECT count(*) FROM unnest($1::text[]) id WHERE NOT EXISTS (SELECT 1 FROM transfers t WHERE t.id = id)"
_KEPT: Final = """
    SELECT r.transfer_id FROM requests r WHERE r.charge_point_id LIKE 'o%'"""
_TWICE: Final = """
    SELECT count(*) FROM (SELECT charge_point_id FROM transfers WHERE charge_point_id LIKE 'o%'
                          GROUP BY 1 HAVING count(*) > 1) twice"""


async def overload(site: Site, scale: Scale) -> Mapping[str, Any]:
    """Measure the capacity, start three times as many for a while, and see what was answered and what became of it."""
    capacity = (await run(site, "a", scale.in_flight, scale.moves // 2)).per_second
    count = int(capacity * _TIMES * scale.overload_seconds)
    await add_points(site, "o", count)
    site.report(f"  capacity {capacity:.1f}/s; {count} starts in {scale.overload_seconds} s")
    statuses: Counter[str] = Counter()
    took: list[float] = []
    ids: list[str] = []
    async with calling(site) as caller:
        points = await free_points(site, "o")

        async def one(number: int) -> None:
            await asyncio.sleep(number / (capacity * _TIMES))
            began = time.perf_counter()
            status, id_ = await _start(caller, points[number])
            took.append(time.perf_counter() - began)
            statuses[status] += 1
            if id_ is not None:
                ids.append(id_)

        began = time.monotonic()
        await asyncio.gather(*(one(number) for number in range(count)))
        answered_in = time.monotonic() - began
    result = {
        "capacity_per_second": round(capacity, 2),
        "starts": count,
        "starts_per_second": round(capacity * _TIMES, 2),
        "statuses": dict(statuses),
        "answer_p50": milli(took, 50),
        "answer_p99": milli(took, 99),
        "answered_in_seconds": round(answered_in, 1),
        **await _ends(site, ids, began),
    }
    site.report(f"  {result}")
    return result


async def _start(caller: Caller, point: Point) -> tuple[str, str | None]:
    try:
        status, answer = await caller.post(
            f"/v1/charge-points/{point.id}/transfers", point.owner_id, start_of("a", point)
        )
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__, None
    return str(status), answer["id"] if status < 300 else None


async def _ends(site: Site, promised: list[str], began: float) -> dict[str, Any]:
    """Wait until all that was kept has ended; what was not started is by the reconciler, which looks once a minute."""
    async with register(site) as rows:
        kept = [row["transfer_id"] for row in await rows.fetch(_KEPT)]
        until = time.monotonic() + _PATIENCE
        looks = 0
        while (unended := await rows.fetchval(_UNENDED, kept)) and time.monotonic() < until:
            if looks % 30 == 29:
                await site.client.get_schedule_handle(RECONCILE).trigger()
            looks += 1
            await asyncio.sleep(_LOOK_EVERY)
        return {
            "promised": len(promised),
            "promised_and_lost": await rows.fetchval(_LOST, promised),
            "kept_and_not_ended": unended,
            "charge_points_moved_twice": await rows.fetchval(_TWICE),
            "all_ended_after_seconds": round(time.monotonic() - began, 1),
        }
