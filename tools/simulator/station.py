"""Runs one simulated charge point."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from process import leave
from telemetry.logs import start_logging
from tools.simulator.control import run_all
from tools.simulator.faults import Fault, Step, Trouble
from tools.simulator.simulation import Station


def main(
    identity: Annotated[str, typer.Option(help="Its OCPP identity.")],
    password: Annotated[str, typer.Option(help="Its first password; later that of the state file counts.")],
    state: Annotated[Path, typer.Option(help="Its memory: a JSON file, made at the first start.")],
    url: Annotated[str, typer.Option(help="The gateway, without the identity.")] = "ws://127.0.0.1:9000/ocpp",
    ocpp: Annotated[Literal["1.6", "2.0.1"], typer.Option(help="The version of OCPP that it speaks.")] = "1.6",
    fault: Annotated[
        list[Trouble] | None,
        typer.Option(
            parser=Trouble.read,
            metavar="FAULT[@STEP]",
            help=f"What is wrong with it, and where it strikes; may be repeated. Faults: {', '.join(Fault)}. "
            f"Steps: {', '.join(Step)}; without one: rotate.",
        ),
    ] = None,
    control: Annotated[int, typer.Option(help="Take orders on this port of 127.0.0.1 (0: none).")] = 0,
) -> None:
    """Run one simulated charge point until it is stopped.

    It boots, keeps its connection, and does what the platform says; with --control somebody in front of it can
    say `IDENTITY start TAG`, `IDENTITY stop` or `IDENTITY state`, one a line.
    """
    start_logging("INFO")
    station = Station(url, identity, password, state, ocpp=ocpp, faults=fault or ())
    leave(asyncio.run(run_all([station], control)))


if __name__ == "__main__":
    typer.run(main)
