"""What an accept is compared with: an update of a workflow whose one transaction is an ordinary activity."""

import asyncio
import json
import time
from collections import deque

import typer
from temporalio.client import WorkflowHandle

from tools.bench.by_hand.driving import Address, Count, Dsn, InFlight, SmtpPort, be_program
from tools.bench.by_hand.temporal import QUEUE, Acceptance, worker
from tools.bench.by_hand.work import opened


async def _main(dsn: str, smtp_port: int, address: str, in_flight: int, count: int) -> None:
    async with opened(dsn, smtp_port) as work, worker(address, work) as client:
        points = deque(await work.points())
        accepts: list[float] = []
        turn = asyncio.Semaphore(in_flight)

        async def one() -> None:
            async with turn:
                point = points.popleft()
                id_ = await work.ask(point)
                await work.reserve(id_)
                handle: WorkflowHandle[Acceptance, None] = await client.start_workflow(
                    Acceptance.run, id=id_, task_queue=QUEUE
                )
                await asyncio.sleep(0.2)  # its first task is over, as it is by the time that somebody accepts
                began = time.perf_counter()
                await handle.execute_update(Acceptance.accept, id_)
                accepts.append(time.perf_counter() - began)
                await handle.result()
                await work.finish(id_)
                points.append(point)

        await asyncio.gather(*(one() for _ in range(in_flight)))
        accepts.clear()
        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(count)))
        print(json.dumps({"seconds": time.perf_counter() - began, "accepts": accepts}), flush=True)


def main(dsn: Dsn, smtp_port: SmtpPort, address: Address, in_flight: InFlight, count: Count) -> None:
    """Start and accept so many, so many at once, and print as JSON how long each accept took to be answered."""
    be_program(_main(dsn, smtp_port, address, in_flight, count))


if __name__ == "__main__":
    typer.run(main)
