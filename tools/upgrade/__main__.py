"""The command line of a drill: `python -m tools.upgrade`, which `make upgrade-drill` calls."""

import asyncio
import shutil
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from process import leave, stop_requested
from tools.stage.devserver import NoServer
from tools.stage.postgres import NoServer as NoPostgres
from tools.stage.stage import FolderProblem
from tools.stage.supervisor import ROOT, PartFailed
from tools.upgrade.drill import perform
from tools.upgrade.releases import NoRelease
from tools.upgrade.report import markdown
from tools.upgrade.waiting import FULL, SHORT

PAGE: Final = ROOT / "docs" / "upgrade-drill.md"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@app.command()
def main(
    *,
    short: Annotated[bool, typer.Option("--short", help="As few transfers as show everything.")] = False,
    write: Annotated[bool, typer.Option("--write", help=f"Write {PAGE.relative_to(ROOT)}.")] = False,
    folder: Annotated[Path, typer.Option(help="Releases, logs and evidence; kept until the next drill.")] = ROOT
    / ".handover"
    / "upgrade",
) -> None:
    """Upgrade a running Handover by one release and take it back, while transfers wait: what is committed is tried."""
    shutil.rmtree(folder / "releases", ignore_errors=True)
    leave(asyncio.run(_perform(folder.resolve(), short=short, write=write)))


async def _perform(folder: Path, *, short: bool, write: bool) -> int:
    """Run until the verdict, or until a Ctrl-C; gives the exit code."""
    stop, us = stop_requested(), asyncio.current_task()
    interrupt = asyncio.create_task(stop.wait())
    interrupt.add_done_callback(lambda done: us.cancel() if us and not done.cancelled() else None)
    try:
        outcome = await perform(SHORT if short else FULL, folder, lambda line: console.print(line, markup=False))
    except (FolderProblem, PartFailed, NoServer, NoPostgres, NoRelease) as problem:
        console.print(str(problem), style="red", markup=False)
        return 1
    except asyncio.CancelledError:
        return 130
    finally:
        interrupt.cancel()
    text = markdown(outcome)
    console.print(text, markup=False)
    for broken in outcome.broken:
        console.print(f"BROKEN {broken}", style="red", markup=False)
    if outcome.broken:
        console.print(f"Look into {folder}: logs/, evidence.json, promises.jsonl.", markup=False)
    elif write:
        PAGE.write_text(text, "utf-8")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    app()
