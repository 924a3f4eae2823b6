"""What somebody can do who owns the database: its own rules bind everybody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from persistence.session import Database
from tests.postgres import as_owner


@asynccontextmanager
async def unguarded(db: Database) -> AsyncIterator[AsyncSession]:
    """Open a transaction in which any row can be changed; on SQLite that lasts, for this file."""
    if db.is_sqlite:
        async with db.writing() as rows:
            for trigger in ("audit_events_not_changed", "audit_events_not_deleted"):
                await rows.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
            yield rows
        return
    async with owned(db) as owners, owners.writing() as rows:
        await rows.execute(text("SET LOCAL session_replication_role = replica"))
        yield rows


@asynccontextmanager
async def owned(db: Database) -> AsyncIterator[Database]:
    """Open the same database as whom its tables belong to; on SQLite that is everybody."""
    url = db.engine.url.render_as_string(hide_password=False)
    owners = Database(url if db.is_sqlite else as_owner(url))
    try:
        yield owners
    finally:
        await owners.close()
