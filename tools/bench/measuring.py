"""Puts a server under many stations, and measures it from outside."""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import psutil

from tools.bench import servers, stations
from tools.bench.database import fill
from tools.bench.stations import Arrive, Beat, Order, Told, Vanish
from tools.stage import postgres
from tools.stage.ports import Ports
from tools.stage.supervisor import Report

#: Stations a client process, each with a source address of its own: neither its files nor its ports run out.
_A_CLIENT: Final = 5000
#: Stations that come and go before anything is measured: what is loaded only once is loaded then.
_REHEARSAL: Final = range(20)
#: How long is waited, in seconds: for things to calm down, for a server to start, for one to stop.
_SETTLE: Final = 1
_START: Final = 60
_STOP: Final = 60
_spawn: Final = multiprocessing.get_context("spawn")

Clients = Sequence["Connection[Order, Told]"]


@dataclass(frozen=True)
class Load:
    """What a server is put under; times in seconds."""

    stations: int
    seconds: float
    """How long heartbeats are sent."""
    every: float
    """Each station sends one heartbeat `every` so many seconds."""
    rest: float
    """How long nothing is said, before: what idle connections cost."""
    limit: float = 10
    """A heartbeat whose answer takes longer is missed."""
    patience: float = 180
    """A station that is not in by then, in either storm, could not connect."""

    @property
    def rounds(self) -> int:
        """How many heartbeats each station sends, where none is missed."""
        return max(1, round(self.seconds / self.every))


@dataclass(frozen=True)
class Measured:
    """What a server process took, seen from outside, and what its stations saw. CPU is user and system, in seconds."""

    arrival: Told
    beats: Told
    comeback: Told
    connection_bytes: float
    """Resident memory for one connection, and for what the storm of their arrival left behind."""
    rest_cpu: float
    """In a second in which nothing is said: pings, sweeps."""
    heartbeat_cpu: float
    """For one heartbeat, with a share in whatever else goes on meanwhile."""
    heartbeat_cpu_alone: float
    """For one heartbeat; what the connections cost at rest is taken off."""
    arrival_cpu: float
    """For one connection and its BootNotification."""
    comeback_cpu: float
    """For one connection that was lost and made again, and a heartbeat."""

    @property
    def good(self) -> bool:
        """Whether every station got in, both times, and no heartbeat was missed."""
        return not (self.arrival.absent or self.comeback.absent or self.beats.missed)


def measure_both(load: Load, url: str) -> tuple[Measured, Measured]:
    """Put the gateway, on an empty database, under a load, then the bare server under the same one."""
    asyncio.run(fill(url, load.stations))
    return measure(servers.gateway_server(url), load), measure(servers.bare_server(), load)


async def measure_on_postgres(load: Load, report: Report) -> tuple[Measured, Measured, Measured]:
    """Measure both, on a PostgreSQL of their own, and one that notes the same by hand; raises postgres.NoServer."""
    with tempfile.TemporaryDirectory() as folder:
        async with postgres.running(Path(folder), report, Ports.free().api) as server:
            both = await asyncio.to_thread(measure_both, load, server.url())
            return *both, await asyncio.to_thread(measure, servers.noting_server(server.url()), load)


def measure(server: servers.Server, load: Load) -> Measured:
    """Run one server under a load: it is a process of its own, and so are its stations."""
    with _serving(server, load.stations) as (port, process):
        with _stations(port, _REHEARSAL[: load.stations]) as few:
            _tell([few], Arrive(load.patience))
            _tell([few], Beat(1, 0.1, load.limit))
        with ExitStack() as stack:
            firsts = range(0, load.stations, _A_CLIENT)
            shares = [range(first, min(first + _A_CLIENT, load.stations)) for first in firsts]
            clients = [stack.enter_context(_stations(port, share)) for share in shares]
            time.sleep(_SETTLE)
            return _perform(clients, process, load)


def _perform(clients: Clients, process: psutil.Process, load: Load) -> Measured:
    """Let the stations arrive, rest, beat, vanish and come back."""
    meter, memory = _Meter(process), process.memory_info().rss
    arrival = _tell(clients, Arrive(load.patience))
    time.sleep(_SETTLE)
    arrival_cpu, memory = meter.spent(), process.memory_info().rss - memory
    time.sleep(load.rest)
    rest_cpu = meter.spent() / load.rest
    began = time.monotonic()
    beats = _tell(clients, Beat(load.rounds, load.every, load.limit))
    beats_cpu, lasted = meter.spent(), time.monotonic() - began
    _tell(clients, Vanish())
    comeback = _tell(clients, Arrive(load.patience, boots=False))
    return Measured(
        arrival,
        beats,
        comeback,
        connection_bytes=memory / load.stations,
        rest_cpu=rest_cpu,
        heartbeat_cpu=beats_cpu / max(1, beats.sent),
        heartbeat_cpu_alone=(beats_cpu - rest_cpu * lasted) / max(1, beats.sent),
        arrival_cpu=arrival_cpu / load.stations,
        comeback_cpu=meter.spent() / load.stations,
    )


class _Meter:
    """The CPU time of a process, from one look to the next."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._seen = 0.0
        self.spent()

    def spent(self) -> float:
        """Give the CPU seconds since the last look."""
        times, seen = self._process.cpu_times(), self._seen
        self._seen = times.user + times.system
        return self._seen - seen


@contextmanager
def _serving(server: servers.Server, sockets: int) -> Iterator[tuple[int, psutil.Process]]:
    """Run a server inside the block; gives its port."""
    ours, theirs = _spawn.Pipe()
    child = _spawn.Process(target=servers.run, args=(server, sockets, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(_START):
            raise TimeoutError("The server did not start.")
        yield ours.recv(), psutil.Process(child.pid)
    finally:
        child.terminate()
        child.join(_STOP)
        child.kill()


@contextmanager
def _stations(port: int, numbers: range) -> Iterator["Connection[Order, Told]"]:
    """Run a process of stations inside the block; gives the way to tell them what to do."""
    ours, theirs = _spawn.Pipe()
    source = f"127.0.0.{1 + numbers.start // _A_CLIENT}"
    child = _spawn.Process(target=stations.run, args=(port, numbers, source, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        child.join(_STOP)
        child.kill()


def _tell(clients: Clients, order: Order) -> Told:
    """Give every process of stations an order, and wait for what they all saw."""
    for client in clients:
        client.send(order)
    told = Told()
    for client in clients:
        told.add(client.recv())
    return told
