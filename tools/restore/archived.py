"""A PostgreSQL that archives its write-ahead log, and can be put back to a point of it (PostgreSQL's manual, 26.3)."""

import asyncio
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import asyncpg

from tools.stage.finding_postgres import programs, unprivileged
from tools.stage.ports import HOST
from tools.stage.postgres import NoServer
from tools.stage.readiness import when

OWNER: Final = "postgres"
_MISSING: Final = "PostgreSQL's own programs are needed (Debian: postgresql)."


class Archived:
    """One server at one port; what it has archived stays when it is put back."""

    def __init__(self, folder: Path, port: int) -> None:
        """Take an empty folder; raises NoServer."""
        found = programs()
        if found is None:
            raise NoServer(_MISSING)
        self._programs, self._folder, self._port = found, folder, port
        self._as_user = unprivileged(folder)
        self._data = folder / "data"

    def url(self, role: str, database: str = "handover") -> str:
        """Give a database's URL for a role."""
        return f"postgresql+asyncpg://{role}@{HOST}:{self._port}/{database}"

    async def make(self) -> None:
        """Make it and start it."""
        await self._run("initdb", "-U", OWNER, "-A", "trust", "-D", str(self._data))
        (self._folder / "archive").mkdir()
        if self._as_user:
            shutil.chown(self._folder / "archive", "postgres", "postgres")
        await self._start()

    async def administer(self, *statements: str, database: str = "postgres") -> object:
        """Say statements as a superuser; gives the last one's answer."""
        connection = await asyncpg.connect(f"postgresql://{OWNER}@{HOST}:{self._port}/{database}")
        answer: object = None
        try:
            for statement in statements:
                answer = await connection.fetchval(statement)
        finally:
            await connection.close()
        return answer

    async def back_up(self) -> None:
        """Take a base backup, as it is taken every night."""
        await self._run(
            "pg_basebackup", "-h", HOST, "-p", str(self._port), "-U", OWNER, "-D", str(self._folder / "base")
        )

    async def mark(self, point: str) -> None:
        """Name this very moment."""
        await self.administer(f"SELECT pg_create_restore_point('{point}')")

    async def archive(self) -> None:
        """Wait until all that was written so far is in the archive."""
        segment = await self.administer("SELECT pg_walfile_name(pg_switch_wal())")
        file = self._folder / "archive" / str(segment)
        await when(lambda: asyncio.to_thread(file.exists))(lambda: True)

    async def put_back(self, point: str) -> float:
        """Throw away what there is, and have it as it was at `point`; gives how many seconds that took."""
        began = time.monotonic()
        await self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")
        await asyncio.to_thread(shutil.rmtree, self._data)
        await self._command(["cp", "-a", str(self._folder / "base"), str(self._data)])
        (self._data / "recovery.signal").touch()
        settings = (
            f"restore_command = 'cp {self._folder}/archive/%f %p'",
            f"recovery_target_name = '{point}'",
            "recovery_target_action = 'promote'",
        )
        with (self._data / "postgresql.auto.conf").open("a") as conf:
            conf.write("\n".join(settings) + "\n")
        await self._start()
        await when(self._is_promoted)(lambda: True)
        return time.monotonic() - began

    async def _is_promoted(self) -> bool:
        return not await self.administer("SELECT pg_is_in_recovery()")

    async def stop(self) -> None:
        """Stop it."""
        await self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop")

    async def _start(self) -> None:
        flags = (
            f"-p {self._port} -c listen_addresses={HOST} -c unix_socket_directories={self._folder} -c archive_mode=on "
            f"-c archive_command='cp %p {self._folder}/archive/%f'"
        )
        log = str(self._folder / "log")
        await self._run("pg_ctl", "-D", str(self._data), "-o", flags, "-l", log, "-w", "start")

    async def _run(self, program: str, *arguments: str) -> None:
        await self._command([str(self._programs / program), *arguments])

    async def _command(self, argv: list[str]) -> None:
        done = await asyncio.to_thread(
            subprocess.run, [*self._as_user, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            cwd=self._folder, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NoServer(f"{Path(argv[0]).name} ended with {done.returncode}: {done.stderr.strip()}")
