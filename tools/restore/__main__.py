"""The command line of the drill: `python -m tools.restore`, which `make restore-drill` calls."""

import asyncio
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from process import leave
from tools.demo.person import WentWrong
from tools.restore.drill import Drill
from tools.restore.site import running
from tools.stage.devserver import NoServer
from tools.stage.postgres import NoServer as NoPostgres
from tools.stage.stage import FolderProblem
from tools.stage.supervisor import ROOT, PartFailed

_WIDTH: Final = 120
_HEAD: Final = """
Written by `make restore-drill ARGS='--report FILE'`. Real parts: PostgreSQL with an archive of its write-ahead log and
the roles of production, a Temporal server, worker, API, gateway, and eight charge points. A base backup is taken; then
transfers go on; a moment is marked; transfers go on after it. Worker, API and gateway are stopped, the database is put
back to the moment (`recovery_target_name`), and they are started again. Temporal and the chargers are where they were:
ahead of it."""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@app.command()
def main(
    *,
    report: Annotated[Path | None, typer.Option(help="Write what was seen to this file, in Markdown.")] = None,
) -> None:
    """Put the database back to a moment before transfers that Temporal and chargers know of, and see it through."""
    drill = asyncio.run(_perform())
    if drill is None:
        leave(1)
    text = "\n".join(_written(drill)) + "\n"
    _say(text)
    if report is not None:
        report.write_text(text, "utf-8")
    leave(0)


def _say(line: str) -> None:
    console.print(line, markup=False)


async def _perform() -> Drill | None:
    """Go through with it; None where something was not as it should be, which is said."""
    try:
        async with running(ROOT / ".handover" / "restore", _say) as site:
            drill = Drill(site, _say)
            wrong = await drill.perform()
    except (FolderProblem, PartFailed, NoServer, NoPostgres, WentWrong) as problem:
        console.print(str(problem), style="red", markup=False)
        return None
    for one in wrong:
        console.print(f"WRONG {one}", style="red", markup=False)
    return None if wrong else drill


def _written(drill: Drill) -> Iterator[str]:
    yield "# The database is put back"
    yield ""
    yield from textwrap.wrap(" ".join(_HEAD.split()), _WIDTH, break_on_hyphens=False)
    yield ""
    yield "| transfer | at the moment it | after it | found | then | at the end |"
    yield "|---|---|---|---|---|---|"
    for case in drill.cases.values():
        found = f"`{case.found}`" if case.found else "nothing"
        told = (case.title, case.before, case.after, found, case.answer, case.ended)
        yield f"| {' | '.join(told)} |"
    yield ""
    yield "| what took how long | seconds |"
    yield "|---|---|"
    for name, seconds in drill.seconds.items():
        yield f"| {name} | {seconds:.0f} |"
    yield ""
    yield "At the end nothing is found any more, and every charger is connected."


if __name__ == "__main__":
    app()
