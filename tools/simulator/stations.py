"""Many simulated charge points in one process, from a file that lists them."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from process import leave
from telemetry.logs import start_logging
from tools.simulator.control import run_all
from tools.simulator.faults import Trouble
from tools.simulator.simulation import Station


def read_stations(file: Path, url: str) -> list[Station]:
    """Make the stations that a JSON file lists: `[{"identity", "password", "state", "ocpp", "faults": []}]`.

    `enrolled` and `model` may stand there, too. State files are given from the list's own folder on. Raises KeyError,
    ValueError for a list that can't be read.
    """
    return [
        Station(
            url,
            entry["identity"],
            entry["password"],
            file.parent / entry["state"],
            ocpp=entry.get("ocpp", "1.6"),
            faults=[Trouble.read(fault) for fault in entry.get("faults", [])],
            enrolled=entry.get("enrolled", False),
            model=entry.get("model", "Handover demo"),
        )
        for entry in json.loads(file.read_text("utf-8"))
    ]


def main(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A JSON list of stations.")],
    url: Annotated[str, typer.Option(help="The gateway, without identities.")] = "ws://127.0.0.1:9000/ocpp",
    control: Annotated[int, typer.Option(help="Take orders on this port of 127.0.0.1 (0: none).")] = 0,
) -> None:
    """Run the simulated charge points that FILE lists until they are stopped.

    FILE: [{"identity": "CP-1", "password": "…", "state": "cp-1.json", "ocpp": "2.0.1", "faults": ["lie"]}, …], where
    `ocpp` and `faults` may be left out; so may `model`, and `enrolled` (true: its password is one that it was sent).
    With --control somebody in front of them can say `IDENTITY start TAG`, `IDENTITY stop` or `IDENTITY state`, one a
    line.
    """
    start_logging("INFO")
    try:
        stations = read_stations(file, url)
    except (KeyError, TypeError, ValueError) as error:
        typer.echo(f"{file} does not list stations: {error}", err=True)
        leave(1)
    leave(asyncio.run(run_all(stations, control)))


if __name__ == "__main__":
    typer.run(main)
