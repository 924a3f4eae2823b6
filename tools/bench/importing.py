"""`python -m tools.bench.importing`: how fast an import is, how long it holds the roles, and what memory it takes.

On PostgreSQL where it is to be had, else on SQLite: on an empty database, then the same file again, then a changed one.
"""

import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from persistence.importing.imports import import_lines
from persistence.migrating import migrate
from persistence.session import Database
from persistence.vault import Vault
from tools.bench.database import SERVER_KEY
from tools.stage import postgres
from tools.stage.ports import Ports

#: Charge points a group, which has one owner, one more member, and a tag.
_A_GROUP: Final = 50
_MIB: Final = 1024


@dataclass(frozen=True)
class Measured:
    """What one import took."""

    name: str
    rows: int
    seconds: float
    held: float
    """For how many seconds it held the roles; on SQLite, the write lock."""
    peak: float
    """The most memory that this process had so far, in MiB."""

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


def lines(rows: int, round_: str = "") -> Iterator[bytes]:
    """Give the lines of a file of so many rows, most of them charge points; names end with `round_`."""
    made = 0
    for number in range(rows):
        for line in _group(number, round_):
            if made == rows:
                return
            made += 1
            yield json.dumps(line).encode()


def _group(number: int, round_: str) -> Iterator[dict[str, Any]]:
    group, owner = f"group-{number}", f"owner-{number}"
    yield {"type": "user", "id": owner, "name": f"Owner {number}{round_}", "email": f"{owner}@example.com"}
    yield {"type": "group", "id": group, "name": f"Group {number}{round_}"}
    yield {"type": "membership", "group_id": group, "user_id": owner, "role": "owner"}
    yield {"type": "tag", "group_id": group, "id_tag": f"TAG{number}"}
    for place in range(_A_GROUP):
        yield {
            "type": "charge_point",
            "id": f"{group}-{place}",
            "identity": f"G{number}-{place}",
            "name": f"Bay {place}{round_}",
            "location": f"Level {place // 10} of the car park",
            "owner_id": owner,
            "group_id": group,
            "ocpp": "1.6",
            "password": f"password-{number}-of-charge-point-{place}",
        }


async def measure(url: str, rows: int) -> list[Measured]:
    """Import a file of `rows` rows into the empty database at `url`, which is migrated first; then twice more."""
    await migrate(url)
    db, vault = Database(url), Vault([SERVER_KEY])
    measured = []
    try:
        for name, round_ in (("first", ""), ("the same again", ""), ("all names changed", " anew")):
            begin = time.perf_counter()
            done = await import_lines(db, vault, lines(rows, round_))
            took = time.perf_counter() - begin
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
            measured.append(Measured(name, rows, took, done.held, peak))
    finally:
        await db.close()
    return measured


async def _run(rows: int, console: Console, *, sqlite: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="handover-bench-") as folder:
        async with AsyncExitStack() as stack:
            url = f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
            if not sqlite:
                try:
                    logs = Path(folder) / "postgres"
                    server = await stack.enter_async_context(postgres.running(logs, console.print, Ports.free().api))
                    url = server.url()
                except postgres.NoServer:
                    console.print("PostgreSQL is not to be had here: measuring on SQLite.")
            measured = await measure(url, rows)
    made = Table("", title=f"{rows:,} rows, on {'SQLite' if url.startswith('sqlite') else 'PostgreSQL'}")
    for name in ("rows a second", "seconds", "lock held, s", "peak, MiB"):
        made.add_column(name, justify="right")
    for one in measured:
        made.add_row(one.name, f"{one.rate:,.0f}", f"{one.seconds:.1f}", f"{one.held:.2f}", f"{one.peak:.0f}")
    console.print(made)


def main(
    rows: Annotated[int, typer.Option(min=1, help="Lines of the file.")] = 100_000,
    sqlite: Annotated[bool, typer.Option("--sqlite", help="On SQLite, whether PostgreSQL is there or not.")] = False,
) -> None:
    """Measure an import of that many rows."""
    asyncio.run(_run(rows, Console(), sqlite=sqlite))


if __name__ == "__main__":
    typer.run(main)
