"""`python -m tools.bench.gateway`: a gateway process and a bare WebSocket server, each under many stations."""

import asyncio
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tools.bench.measuring import Load, Measured, measure_on_postgres
from tools.stage import postgres
from tools.stage.supervisor import PartFailed

_MILLI: Final = 1e3
_MICRO: Final = 1e6


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else 0.0


#: The table's rows, each with how it is read from what was measured.
_SIZES: Final[Mapping[str, Callable[[Measured], float]]] = {
    "memory a connection, KiB": lambda one: one.connection_bytes / 1024,
    "CPU a heartbeat, all included, µs": lambda one: one.heartbeat_cpu * _MICRO,
    "CPU a heartbeat, less that at rest, µs": lambda one: one.heartbeat_cpu_alone * _MICRO,
    "CPU at rest, ms in a second": lambda one: one.rest_cpu * _MILLI,
    "CPU an arrival, µs": lambda one: one.arrival_cpu * _MICRO,
    "CPU a comeback, µs": lambda one: one.comeback_cpu * _MICRO,
    "a heartbeat's answer, median, ms": lambda one: _percentile(one.beats.answers, 50) * _MILLI,
    "a heartbeat's answer, p99, ms": lambda one: _percentile(one.beats.answers, 99) * _MILLI,
    "all arrive: half are in after, s": lambda one: _percentile(one.arrival.arrivals, 50),
    "all arrive: the last is in after, s": lambda one: max(one.arrival.arrivals, default=0),
    "all arrive: longest single try, s": lambda one: max(one.arrival.tries, default=0),
    "all come back: half are in after, s": lambda one: _percentile(one.comeback.arrivals, 50),
    "all come back: the last is in after, s": lambda one: max(one.comeback.arrivals, default=0),
    "all come back: longest single try, s": lambda one: max(one.comeback.tries, default=0),
}
_COUNTS: Final[Mapping[str, Callable[[Measured], int]]] = {
    "heartbeats sent": lambda one: one.beats.sent,
    "heartbeats answered": lambda one: len(one.beats.answers),
    "heartbeats missed": lambda one: one.beats.missed,
    "could not connect": lambda one: one.arrival.absent + one.comeback.absent,
    "tries that failed": lambda one: one.arrival.failed_tries + one.comeback.failed_tries,
}


def table(load: Load, gateway: Measured, bare: Measured) -> Table:
    """Put what was measured side by side."""
    title = f"{load.stations:,} stations on one process, a heartbeat from each every {load.every:g} s"
    made = Table("", title=title)
    for name in ("gateway", "bare", "ratio"):
        made.add_column(name, justify="right")
    for name, size in _SIZES.items():
        ours, theirs = size(gateway), size(bare)
        made.add_row(name, f"{ours:,.1f}", f"{theirs:,.1f}", f"{ours / theirs:.1f}" if theirs else "")
    made.add_section()
    for name, count in _COUNTS.items():
        made.add_row(name, f"{count(gateway):,}", f"{count(bare):,}")
    return made


def main(
    stations: Annotated[int, typer.Option(min=1, help="How many connect.")] = 5000,
    seconds: Annotated[float, typer.Option(min=1, help="How long they send heartbeats.")] = 60,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two heartbeats of a station.")] = 10,
    rest: Annotated[float, typer.Option(min=1, help="Seconds of silence before, for what idle ones cost.")] = 20,
) -> None:
    """Let all arrive at once, send heartbeats, be dropped at once and come back; the same on a bare server.

    Ends with 1 where a heartbeat was missed or a station could not connect.
    """
    load = Load(stations, seconds, every, rest)
    console = Console()
    try:
        gateway, bare, _ = asyncio.run(measure_on_postgres(load, console.print))
    except (postgres.NoServer, PartFailed) as missing:
        console.print(str(missing))
        sys.exit(1)
    console.print(table(load, gateway, bare))
    sys.exit(0 if gateway.good and bare.good else 1)


if __name__ == "__main__":
    typer.run(main)
