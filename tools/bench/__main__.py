"""`python -m tools.bench`: the claims about speed, measured on the real parts and on the same work by hand."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import uvloop

from domain.errors import HandoverError
from process import leave
from tools.bench import report, shapes
from tools.bench.contenders import ProgramFailed
from tools.bench.environment import environment
from tools.bench.importing import importing
from tools.bench.keep_alive import keep_alive
from tools.bench.overload import overload
from tools.bench.reads import reads
from tools.bench.scale import FULL, SHORT, Scale
from tools.bench.site import Site, running
from tools.bench.start_up import start_up
from tools.bench.stations_beside import stations_beside
from tools.bench.waiting import waiting
from tools.stage import devserver, postgres
from tools.stage.stage import FolderProblem
from tools.stage.supervisor import ROOT, PartFailed, Report

#: What is measured without a site, before there is one.
ALONE: Final[Mapping[str, Callable[[Scale, Report], Awaitable[Mapping[str, Any]]]]] = {
    "start-up": start_up,
    "gateway": stations_beside,
}
#: What is measured on a site, by its name on the command line, in the order in which it is.
PARTS: Final[Mapping[str, Callable[[Site, Scale], Awaitable[Mapping[str, Any]]]]] = {
    "accounting": shapes.accounts,
    "throughput": shapes.throughput,
    "alone": shapes.alone,
    "users": shapes.user_shapes,
    "accept": shapes.accepts,
    "keep-alive": keep_alive,
    "overload": overload,
    "waiting": waiting,
    "reads": reads,
    "import": importing,
}
_WRITTEN: Final = ROOT / "docs/benchmarks/raw"
_KEPT: Final = ROOT / ".handover/bench"


async def measure(parts: list[str], scale: Scale, to: Path) -> None:
    """Measure these parts on one site, and keep what each gave."""
    await asyncio.to_thread(to.mkdir, parents=True, exist_ok=True)
    for name in (name for name in ALONE if name in parts):
        _say(f"{name} …")
        await _keep(to, name, await ALONE[name](scale, _say))
    if not set(parts) & set(PARTS):
        return
    async with running(_KEPT, _say) as site:
        await _keep(to, "environment", await environment(site, scale, parts))
        for name in (name for name in PARTS if name in parts):
            _say(f"{name} …")
            await _keep(to, name, await PARTS[name](site, scale))


async def _keep(to: Path, name: str, result: Mapping[str, Any]) -> None:
    await asyncio.to_thread((to / f"{name}.json").write_text, json.dumps(result, indent=1) + "\n")


def _say(text: str) -> None:
    print(text, flush=True)


def main(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"What to measure of {', '.join([*ALONE, *PARTS])}; all.")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="As little as shows that everything runs.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds whose medians count.")] = None,
    waits: Annotated[int | None, typer.Option("--waiting", min=1, help="Transfers that wait.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write docs/benchmarks/; else .handover/bench/.")] = False,
) -> None:
    """Measure, and keep the raw numbers as JSON."""
    scale = SHORT if short else FULL
    scale = replace(scale, rounds=rounds or scale.rounds, waiting=waits or scale.waiting)
    wanted = parts or [*ALONE, *PARTS]
    if unknown := set(wanted) - {*ALONE, *PARTS}:
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}")
    try:
        uvloop.run(measure(wanted, scale, _WRITTEN if write else _KEPT))
    except (PartFailed, FolderProblem, devserver.NoServer, postgres.NoServer, ProgramFailed, HandoverError) as problem:
        _say(str(problem))
        leave(1)
    if write:
        report.write(ROOT)
    leave(0)


if __name__ == "__main__":
    typer.run(main)
