"""What the programs by hand share: their options, so many moves at once, and what they print for who started them."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

import typer
import uvloop

from process import leave
from tools.bench.by_hand.work import Work
from tools.bench.people import Point

Dsn = Annotated[str, typer.Option(help="The database with the copy of the register.")]
SmtpPort = Annotated[int, typer.Option(help="Of the mailbox.")]
Address = Annotated[str, typer.Option(help="Temporal's.")]
InFlight = Annotated[int, typer.Option(help="How many moves go on at once.")]
Count = Annotated[int, typer.Option(help="How many are measured.")]


async def drive(work: Work, move: Callable[[Point], Awaitable[str]], in_flight: int, count: int) -> None:
    """Move `in_flight` charge points to warm up, then `count`, and print how long that took."""
    points = deque(await work.points())
    begun: dict[str, float] = {}
    ends: list[float] = []
    turn = asyncio.Semaphore(in_flight)

    async def one() -> None:
        async with turn:
            point, at, clock = points.popleft(), time.perf_counter(), time.time()
            id_ = await move(point)
            ends.append(time.perf_counter() - at)
            begun[id_] = clock
            points.append(Point(point.id, point.owner_id, point.other_group))

    await asyncio.gather(*(one() for _ in range(in_flight)))
    ends.clear()
    begun.clear()
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(count)))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    finished = await work.finished_at(list(begun))
    registered = [finished[id_] - clock for id_, clock in begun.items()]
    print(json.dumps({"seconds": seconds, "ends": ends, "registered": registered, "cpu": cpu}), flush=True)


def be_program(main: Coroutine[Any, Any, None]) -> None:
    """Run it on the loop that our processes have, and leave as they do."""
    uvloop.run(main)
    leave(0)
