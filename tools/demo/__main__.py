"""The demo's command line: `demo` performs the stories, `up` only runs the parts."""

import asyncio
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from domain.errors import HandoverError
from process import leave, stop_requested
from tools.demo.play import Play, running, set_up
from tools.demo.script import perform
from tools.stage.devserver import NoServer
from tools.stage.ports import PortProblem
from tools.stage.stage import FolderProblem
from tools.stage.supervisor import ROOT, PartFailed

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
#: As wide as the terminal; a log has room for the whole table.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


class PortChoice(StrEnum):
    """Where the ports come from."""

    SETTINGS = "settings"
    AUTO = "auto"


Folder = Annotated[Path, typer.Option("--data", help="Where the demo keeps its data, logs and demo.json.")]
PortsOption = Annotated[
    PortChoice, typer.Option("--ports", help="`auto` takes free ones; else HANDOVER_API_PORT and so on count.")
]
_DATA = ROOT / ".handover"


@app.command()
def demo(
    *,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="Leave after the table: 0 only if all is as expected.")
    ] = False,
    production_timings: Annotated[
        bool, typer.Option("--production-timings", help="Wait as long as production does; else as one watches.")
    ] = False,
    ports: PortsOption = PortChoice.SETTINGS,
    data: Folder = _DATA,
) -> None:
    """Run every part on fresh data, perform the stories, and compare what was promised with what is found."""
    quick = not production_timings
    leave(asyncio.run(_play(data, ports, stories=True, stay=not exit_after, with_stations=True, quick=quick)))


@app.command()
def up(
    *,
    stations: Annotated[bool, typer.Option("--stations/--no-stations", help="Run simulated charge points.")] = True,
    ports: PortsOption = PortChoice.SETTINGS,
    data: Folder = _DATA,
) -> None:
    """Run every part on fresh data until Ctrl-C."""
    leave(asyncio.run(_play(data, ports, stories=False, stay=True, with_stations=stations)))


async def _play(
    data: Path, ports: PortChoice, *, stories: bool, stay: bool, with_stations: bool, quick: bool = True
) -> int:
    """Run a demo to its end, which a Ctrl-C may be at any time; gives the exit code."""
    stop, us = stop_requested(), asyncio.current_task()
    interrupt = asyncio.create_task(_when(stop, us.cancel if us else stop.clear))
    try:
        stage = set_up(data, free_ports=ports is PortChoice.AUTO, quick=quick)
        async with running(stage, console.print, with_stations=with_stations) as play:
            all_well = await perform(play, console) if stories else True
            if stay:
                interrupt.cancel()
                _show_addresses(play)
                await stop.wait()
    except (PortProblem, FolderProblem, PartFailed, NoServer, HandoverError) as problem:
        console.print(str(problem), style="red", markup=False)
        return 1
    except asyncio.CancelledError:
        return 130
    finally:
        interrupt.cancel()
    return 0 if all_well else 1


async def _when(event: asyncio.Event, then: Callable[[], object]) -> None:
    await event.wait()
    then()


def _show_addresses(play: Play) -> None:
    """Say where everything is, and whose key is whose."""
    stage = play.stage
    places = {
        "API": f"{stage.api}/v1",
        "API reference": f"{stage.api}/docs",
        "Mailbox": stage.mailbox,
        "Temporal UI": stage.temporal_ui or f"that of {stage.temporal}",
        "Chargers connect to": f"{stage.gateway}/{{identity}}",
        "For programs": str(stage.folder / "demo.json"),
        "Logs": str(stage.logs),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, place in places.items():
        table.add_row(name, place)
    table.add_row()
    for user, key in play.seeded.keys.items():
        table.add_row(f"{play.seeded.people[user][0]} ({user})", key)
    console.print("", table, "\nCtrl-C stops everything.")


if __name__ == "__main__":
    app()
