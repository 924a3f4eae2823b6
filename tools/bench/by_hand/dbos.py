"""The same work by DBOS, each step one of its steps: `python -m tools.bench.by_hand.dbos --help`."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
from dbos import DBOS, DBOSConfig

from tools.bench.by_hand.driving import Count, Dsn, InFlight, SmtpPort, be_program, drive
from tools.bench.by_hand.work import PLAN, STEPS, Work, opened
from tools.bench.people import Point


def _step(work: Work, name: str) -> Callable[..., Awaitable[None]]:
    async def step(id_: str, *more: str) -> None:
        await getattr(work, name)(id_, *more)

    step.__name__ = step.__qualname__ = name
    made: Callable[..., Awaitable[None]] = DBOS.step()(step)
    return made


async def _main(dsn: str, smtp_port: int, system: str, in_flight: int, count: int) -> None:
    config: DBOSConfig = {
        "name": "by-hand",
        "system_database_url": system,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    async with opened(dsn, smtp_port) as work:
        steps = {name: _step(work, name) for name in STEPS}

        @DBOS.workflow()
        async def follow_plan(id_: str) -> None:
            for name, *more in PLAN:
                await steps[name](id_, *more)

        async def move(point: Point) -> str:
            id_ = await work.ask(point)
            handle: Any = await DBOS.start_workflow_async(follow_plan, id_)
            await work.started(id_)
            await handle.get_result()
            await work.show(id_)
            return id_

        DBOS.launch()
        await drive(work, move, in_flight, count)


def main(
    dsn: Dsn,
    smtp_port: SmtpPort,
    system: Annotated[str, typer.Option(help="The database that DBOS keeps its workflows in.")],
    in_flight: InFlight,
    count: Count,
) -> None:
    """Move so many charge points, so many at once, and print as JSON how long each took."""
    be_program(_main(dsn, smtp_port, system, in_flight, count))


if __name__ == "__main__":
    typer.run(main)
