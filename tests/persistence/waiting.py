"""Sees that somebody waits for what a test's transaction has locked."""

import asyncio

from sqlalchemy import text

from persistence.session import Database

_WAITS = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
)


async def until_waiting(database: Database, task: asyncio.Task[object], *, seconds: float = 10) -> None:
    """Return once `task` waits for a lock; raises TimeoutError, or AssertionError where it ends instead.

    On SQLite it waits as soon as it writes: there is one writer at a time.
    """
    if database.is_sqlite:
        await asyncio.sleep(0)
        assert not task.done()
        return
    async with asyncio.timeout(seconds):
        while not await _somebody_waits(database):
            assert not task.done()
            await asyncio.sleep(0.01)


async def _somebody_waits(database: Database) -> bool:
    """Look in a transaction of its own: within one PostgreSQL gives the same picture again."""
    async with database.reading() as rows:
        return bool(await rows.scalar(_WAITS))
