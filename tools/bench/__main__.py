"""`python -m tools.bench`: the claims about speed, measured on the real parts and on the same work by hand."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import uvloop

from process import leave
from tools.bench import shapes
from tools.bench.scale import FULL, SHORT, Scale
from tools.bench.site import Site, running
from tools.stage.supervisor import ROOT

#: What is measured on a site, by its name on the command line, in the order in which it is.
PARTS: Final[Mapping[str, Callable[[Site, Scale], Awaitable[Mapping[str, Any]]]]] = {
    "accounting": shapes.accounts,
    "throughput": shapes.throughput,
    "alone": shapes.alone,
    "users": shapes.user_shapes,
    "accept": shapes.accepts,
}
_WRITTEN: Final = ROOT / "docs/benchmarks/raw"
_KEPT: Final = ROOT / ".handover/bench"


async def measure(parts: list[str], scale: Scale, to: Path) -> None:
    """Measure these parts on one site, and keep what each gave."""
    await asyncio.to_thread(to.mkdir, parents=True, exist_ok=True)
    async with running(_KEPT, _say) as site:
        for name in parts:
            _say(f"{name} …")
            result = await PARTS[name](site, scale)
            await asyncio.to_thread((to / f"{name}.json").write_text, json.dumps(result, indent=1) + "\n")


def _say(text: str) -> None:
    print(text, flush=True)


def main(
    parts: Annotated[list[str] | None, typer.Argument(help=f"What to measure of {', '.join(PARTS)}; all.")] = None,
    short: Annotated[bool, typer.Option("--short", help="As little as shows that everything runs.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds whose medians count.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write docs/benchmarks/; else .handover/bench/.")] = False,
) -> None:
    """Measure, and keep the raw numbers as JSON."""
    scale = SHORT if short else FULL
    scale = replace(scale, rounds=rounds or scale.rounds)
    wanted = parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}")
    uvloop.run(measure(wanted, scale, _WRITTEN if write else _KEPT))
    leave(0)


if __name__ == "__main__":
    typer.run(main)
