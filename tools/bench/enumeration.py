"""`python -m tools.bench.enumeration`: whether the time of an answer tells if an address has an account.

Real processes: API, worker, mailbox, Temporal's dev server, and PostgreSQL where it is to be had, else SQLite. One call
at a time, a known and an unknown address in turn, which of both first by chance.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final

import httpx
import typer
from rich.console import Console
from rich.table import Table

from domain.ids import UserId
from persistence.importing.imports import import_lines
from persistence.migrating import migrate
from persistence.people import api_keys
from persistence.session import Database
from persistence.vault import Vault
from tools.stage import devserver, parts, plain_http, postgres
from tools.stage.ports import HOST, Ports
from tools.stage.stage import Stage
from tools.stage.supervisor import Report, Supervisor

TARGET: Final = 0.005
"""How far the medians may lie apart, in seconds."""
_WARM_UP: Final = 20
_SEED: Final = 20
_MILLI: Final = 1e3


@dataclass(frozen=True)
class BenchStage(Stage):
    """The demo's stage, on a database of its own, without what runs now and then."""

    url: str = ""

    @property
    def database_url(self) -> str:
        """The database that is measured."""
        return self.url or super().database_url

    @property
    def environment(self) -> dict[str, str]:
        """No limits, and no reconciler meanwhile."""
        limits = ("TRANSFERS_PER_HOUR", "MESSAGES_PER_DAY", "MISSES_PER_MINUTE", "REFUSALS_PER_HOUR")
        off = {f"HANDOVER_LIMITS__{limit}": "0" for limit in limits}
        return {**super().environment, **off, "HANDOVER_RECONCILE_EVERY": "PT24H"}


@dataclass
class Series:
    """How long each call took, in seconds, and what was answered."""

    name: str
    known: list[float] = field(default_factory=list)
    unknown: list[float] = field(default_factory=list)
    answers: set[tuple[int, str]] = field(default_factory=set)
    """Status and body, but for what is of one transfer alone: more than one tells known from unknown."""

    @property
    def difference(self) -> float:
        """Of the medians."""
        return statistics.median(self.unknown) - statistics.median(self.known)


async def measure(folder: Path, url: str, each: int, warm_up: int, report: Report) -> list[Series]:
    """Start every part, and call `each` times for known and for unknown addresses; gives dry runs and starts.

    Raises PartFailed, FolderProblem, devserver.NoServer.
    """
    program = await asyncio.to_thread(devserver.find_or_build, report)
    ports = Ports.free()
    stage = BenchStage(folder, ports, f"{HOST}:{ports.temporal}", own_temporal=True, url=url)
    async with AsyncExitStack() as stack:
        stack.enter_context(stage.fresh())
        key = await _fill(stage, each + warm_up)
        supervisor = Supervisor(stage.logs, report)
        stack.push_async_callback(supervisor.stop)
        await supervisor.start(parts.temporal(stage, program))
        for part in (parts.mailbox, parts.worker, parts.api):
            await supervisor.start(part(stage))
        headers = {"Authorization": f"Bearer {key}"}
        http = await stack.enter_async_context(plain_http.client(base_url=stage.api, headers=headers, timeout=60))
        points = (f"cp-{number}" for number in range(2 * (each + warm_up)))

        async def dry_run(recipient: str) -> httpx.Response:
            return await http.post("/v1/charge-points/cp-0/transfers?dry_run=true", json=_body(recipient))

        async def start(recipient: str) -> httpx.Response:
            return await http.post(f"/v1/charge-points/{next(points)}/transfers", json=_body(recipient))

        report(f"{each} dry runs each …")
        measured = [await _series("dry run", dry_run, each, warm_up)]
        report(f"{each} starts each …")
        return [*measured, await _series("start", start, each, warm_up)]


async def _series(name: str, call: Callable[[str], Awaitable[httpx.Response]], each: int, warm_up: int) -> Series:
    series, chance = Series(name), Random(_SEED)  # noqa: S311 - an order, no secret
    for number in range(-warm_up, each):
        for kind in chance.sample(("known", "unknown"), 2):
            begin = time.perf_counter()
            answer = await call(_address(kind, number + warm_up))
            took = time.perf_counter() - begin
            if number >= 0:
                (series.known if kind == "known" else series.unknown).append(took)
                series.answers.add((answer.status_code, _shape(answer.json())))
    return series


def _address(kind: str, number: int) -> str:
    return f"{kind}-{number}@example.com"


def _body(recipient: str) -> dict[str, str]:
    return {"kind": "transfer_to_user", "recipient": recipient}


def _shape(answer: Mapping[str, Any]) -> str:
    """Give an answer without what differs from one transfer to the next: ids and times, and how far its letter is."""
    own = {"id", "charge_point_id", "requested_at", "expires_at", "attention", "waiting_until", "steps"}
    return json.dumps({name: value for name, value in answer.items() if name not in own})


async def _fill(stage: BenchStage, each: int) -> str:
    """Make a sender with two charge points for each pair of calls, and the known addresses; gives the sender's key."""
    await migrate(stage.database_url)
    db = Database(stage.database_url)
    try:
        await import_lines(db, Vault([stage.secret_key]), [json.dumps(line).encode() for line in _lines(each)])
        async with db.writing() as rows:
            return await api_keys.create(rows, UserId("sender"), frozenset(), datetime.now(UTC))
    finally:
        await db.close()


def _lines(each: int) -> Iterator[dict[str, str]]:
    yield {"type": "user", "id": "sender", "name": "Sender", "email": "sender@example.com", "locale": "en"}
    yield {"type": "group", "id": "team", "name": "Team"}
    yield {"type": "membership", "group_id": "team", "user_id": "sender", "role": "owner"}
    for number in range(each):
        email = _address("known", number)
        yield {"type": "user", "id": f"known-{number}", "name": "Known", "email": email, "locale": "en"}
    for number in range(2 * each):
        yield {
            "type": "charge_point",
            "id": f"cp-{number}",
            "identity": f"CP-{number}",
            "name": f"Bay {number}",
            "owner_id": "sender",
            "group_id": "team",
            "ocpp": "1.6",
            "password": f"password-of-charge-point-{number}",
        }


def table(measured: Sequence[Series], database: str) -> Table:
    """Lay the medians side by side, in milliseconds."""
    each = len(measured[0].known)
    made = Table("", title=f"{each:,} calls each to known and to unknown addresses, on {database}; ms")
    for name in ("known, median", "unknown, median", "apart", "known, p90", "unknown, p90", "target"):
        made.add_column(name, justify="right")
    for one in measured:
        medians = (statistics.median(one.known), statistics.median(one.unknown), one.difference)
        tails = (_p90(one.known), _p90(one.unknown))
        cells = [f"{value * _MILLI:+.2f}" if value == one.difference else f"{value * _MILLI:.2f}" for value in medians]
        good = abs(one.difference) <= TARGET and len(one.answers) == 1
        verdict = f"within {TARGET * _MILLI:g}" if good else f"beyond {TARGET * _MILLI:g}"
        made.add_row(one.name, *cells, *(f"{value * _MILLI:.2f}" for value in tails), verdict)
    return made


def _p90(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[8]


async def _run(each: int, console: Console, *, sqlite: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="handover-bench-") as folder:
        async with AsyncExitStack() as stack:
            url = ""
            if not sqlite:
                try:
                    logs = Path(folder) / "postgres"
                    server = await stack.enter_async_context(postgres.running(logs, console.print, Ports.free().api))
                    url = server.url()
                except postgres.NoServer:
                    console.print("PostgreSQL is not to be had here: measuring on SQLite.")
            measured = await measure(Path(folder) / "site", url, each, _WARM_UP, console.print)
        console.print(table(measured, "PostgreSQL" if url else "SQLite"))
        if any(len(one.answers) > 1 for one in measured):
            console.print("Known and unknown addresses are answered differently.")


def main(
    each: Annotated[int, typer.Option(min=2, help="Calls to known addresses, and as many to unknown ones.")] = 1000,
    short: Annotated[bool, typer.Option("--short", help="50 of each.")] = False,
    sqlite: Annotated[bool, typer.Option("--sqlite", help="On SQLite, whether PostgreSQL is there or not.")] = False,
) -> None:
    """Measure how long dry runs and starts take for addresses with an account and without one, and compare."""
    asyncio.run(_run(50 if short else each, Console(), sqlite=sqlite))


if __name__ == "__main__":
    typer.run(main)
