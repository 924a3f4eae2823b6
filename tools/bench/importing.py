"""`./handover import` of many charge points: rows in a second, and how long nobody else may change hands meanwhile."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from persistence.migrating import migrate
from tools.bench.scale import Scale
from tools.bench.site import FRESH, Site
from tools.stage.supervisor import ROOT

_DATABASE: Final = "imported"
_OWNERS: Final = 100
_LOOK_EVERY: Final = 0.02
#: The lock of roles, as whoever changes them has it.
_HELD: Final = """
    SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE locktype = 'advisory' AND objid = 7203412 AND mode = 'ExclusiveLock' AND granted AND d.datname = $1"""


class ImportFailed(Exception):
    """The import did not end well; the text is what it said."""


async def importing(site: Site, scale: Scale) -> Mapping[str, Any]:
    """Import into an empty database, and the same file again."""
    rows = await asyncpg.connect(site.postgres.dsn("postgres"))
    try:
        await rows.execute(f"CREATE DATABASE {_DATABASE} {FRESH}")
        url = site.postgres.dsn(_DATABASE).replace("postgresql:", "postgresql+asyncpg:")
        await migrate(url)
        file = site.stage.data / "import.jsonl"
        written = list(lines(scale.imported))
        await asyncio.to_thread(file.write_bytes, b"\n".join(written) + b"\n")
        first = await _import(site, rows, url, file, len(written))
        again = await _import(site, rows, url, file, len(written))
    finally:
        await rows.close()
    return {"charge_points": scale.imported, "rows": len(written), "first": first, "again": again}


async def _import(site: Site, rows: Any, url: str, file: Path, count: int) -> dict[str, Any]:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.stage.child", str(os.getpid()), sys.executable, "handover", "import", str(file)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **site.stage.environment, "HANDOVER_DATABASE_URL": url},
        cwd=ROOT,
    )
    ended = asyncio.create_task(process.communicate())
    held: list[float] = []
    while not ended.done():
        if await rows.fetchval(_HELD, _DATABASE):
            held.append(time.perf_counter())
        await asyncio.wait({ended}, timeout=_LOOK_EVERY)
    seconds, said = time.perf_counter() - began, (await ended)[0].decode(errors="replace")
    if process.returncode != 0:
        raise ImportFailed(said[-2000:])
    lock = held[-1] - held[0] if held else 0.0
    site.report(f"  {count} rows in {seconds:.1f} s, {count / seconds:.0f}/s; the lock of roles was held {lock:.2f} s")
    return {
        "seconds": round(seconds, 2),
        "rows_per_second": round(count / seconds),
        "role_lock_seconds": round(lock, 2),
        "said": said.strip().splitlines()[-3:],
    }


def lines(charge_points: int) -> Iterator[bytes]:
    """Give the lines of a file of so many charge points, and of who has them."""
    for number in range(_OWNERS):
        yield _line("user", id=f"u{number}", name=f"User {number}", email=f"u{number}@example.com")
        yield _line("group", id=f"g{number}", name=f"Group {number}")
        yield _line("membership", group_id=f"g{number}", user_id=f"u{number}", role="owner")
    for number in range(charge_points):
        holder = {"owner_id": f"u{number % _OWNERS}", "group_id": f"g{number % _OWNERS}"}
        named = {"id": f"cp-{number}", "identity": f"CP-{number}", "name": f"Bay {number}"}
        yield _line("charge_point", **named, **holder, ocpp="1.6", password=f"password-of-charge-point-{number}")


def _line(kind: str, **fields: str) -> bytes:
    return json.dumps({"type": kind, **fields}).encode()
