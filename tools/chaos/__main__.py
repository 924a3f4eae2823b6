"""The command line of a chaos run: `python -m tools.chaos`, which `make chaos` calls."""

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from process import leave, stop_requested
from tools.chaos.machines import Missing, enter
from tools.chaos.report import Run, markdown
from tools.chaos.run import Options, perform
from tools.stage.devserver import NoServer
from tools.stage.postgres import NoServer as NoPostgres
from tools.stage.stage import FolderProblem
from tools.stage.supervisor import ROOT, PartFailed

_SHORT: Final = 3.0
#: How many of what is broken is said; the folder has everything.
_SAID: Final = 20
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@app.command()
def main(
    *,
    short: Annotated[bool, typer.Option("--short", help=f"{_SHORT:g} minutes of load and mishaps.")] = False,
    minutes: Annotated[float, typer.Option(help="How long load and mishaps last; the drain comes on top.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Chance; printed, so that a run can be repeated in kind (0: any).")] = 0,
    charge_points: Annotated[int, typer.Option(min=3, max=200, help="How many there are.")] = 24,
    every: Annotated[float, typer.Option(min=0.05, help="Seconds between two errands.")] = 1.5,
    two_machines: Annotated[
        bool, typer.Option("--two-machines", help="On two machines, by a plan that ends by itself; as root, on Linux.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the counts to this file, in Markdown.")] = None,
    folder: Annotated[Path, typer.Option(help="Logs, promises and evidence; kept until the next run.")] = ROOT
    / ".handover"
    / "chaos",
) -> None:
    """Run every part for real, let parts, links and chargers fail meanwhile, and judge what is found at the end."""
    if two_machines:
        _enter()
    chosen = seed or secrets.randbelow(1_000_000) + 1
    options = Options(_SHORT if short else minutes, chosen, charge_points, every, folder.resolve(), two_machines)
    leave(asyncio.run(_perform(options, report)))


def _enter() -> None:
    """Have the run in a network of its own."""
    try:
        enter()
    except Missing as problem:
        console.print(str(problem), style="red", markup=False)
        leave(1)


async def _perform(options: Options, report: Path | None) -> int:
    """Run until the verdict, or until a Ctrl-C; gives the exit code."""
    console.print(f"Seed {options.seed}; everything is kept in {options.folder}.")
    stop, us = stop_requested(), asyncio.current_task()
    interrupt = asyncio.create_task(stop.wait())
    interrupt.add_done_callback(lambda done: us.cancel() if us and not done.cancelled() else None)
    try:
        run = await perform(options, lambda line: console.print(line, markup=False))
    except (FolderProblem, PartFailed, NoServer, NoPostgres, Missing) as problem:
        console.print(str(problem), style="red", markup=False)
        return 1
    except asyncio.CancelledError:
        return 130
    finally:
        interrupt.cancel()
    return _tell(run, options, report)


def _tell(run: Run, options: Options, report: Path | None) -> int:
    text = markdown(run)
    console.print(text, markup=False)
    if report is not None:
        report.write_text(text, "utf-8")
    for broken in run.broken[:_SAID]:
        console.print(f"BROKEN {broken}", style="red", markup=False)
    if not run.broken:
        return 0
    console.print(
        f"{len(run.broken)} broken. Look into {options.folder}: evidence.json (every row, every workflow's end), "
        f"promises.jsonl (what was answered, and each mishap), logs/, demo/stations/ (the chargers' memories), "
        f"demo/temporal.db (histories). Again in kind: --seed {run.seed}.",
        markup=False,
    )
    return 1


if __name__ == "__main__":
    app()
