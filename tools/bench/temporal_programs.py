"""Where Temporal's own server is: kept in the cache, or built with Go. The dev server has no PostgreSQL.

`python -m tools.bench.temporal_programs` has it built where it is not there yet.
"""

import asyncio
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tools.stage.devserver.finding import NoServer, alone, cached_program
from tools.stage.devserver.making import Progress, Report
from tools.stage.devserver.programs import WayFailed, run, that_starts

VERSION: Final = "1.30.4"
_MODULES: Final = tuple(f"go.temporal.io/server/cmd/{program}@v{VERSION}" for program in ("server", "tools/sql"))
_BUILD_SECONDS: Final = 1800


@dataclass(frozen=True)
class Programs:
    """The server, and the tool that makes its tables."""

    server: Path
    sql: Path

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Give those in a folder."""
        return cls(folder / "server", folder / "sql")


async def find_or_build(report: Report) -> Programs:
    """Give both programs; raises NoServer. The first time they are built, which takes 2 to 5 minutes."""
    target = cached_program().parent.with_name(f"temporal-server-{VERSION}")
    target.mkdir(parents=True, exist_ok=True)
    programs = Programs.of(target)
    async with alone(target / "making.lock"):
        try:
            if not (programs.server.exists() and programs.sql.exists()):
                await _build(target, report)
            await that_starts(programs.server, "Temporal's server")
            await that_starts(programs.sql, "Temporal's SQL tool")
        except WayFailed as failure:
            raise NoServer(f"No Temporal server {VERSION} to put on PostgreSQL: {failure}") from None
    return programs


async def _build(target: Path, report: Report) -> None:
    """Build both with Go, and put them to their place once both are there; raises WayFailed."""
    go = shutil.which("go")
    if go is None:
        raise WayFailed("install Go, so that it is on the PATH.")
    report(f"Temporal server: building {VERSION} with Go …")
    with tempfile.TemporaryDirectory(dir=target) as folder:
        for module in _MODULES:
            await run(
                [go, "install", "-v", module],
                seconds=_BUILD_SECONDS,
                on_line=Progress(report).line,
                env={**os.environ, "GOBIN": folder},
            )
        for made in await asyncio.to_thread(lambda: list(Path(folder).iterdir())):
            made.replace(target / made.name)


if __name__ == "__main__":
    asyncio.run(find_or_build(print))
