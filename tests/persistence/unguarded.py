"""What somebody can do who owns the database: its own rules bind everybody else."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def unguard(rows: AsyncSession) -> None:
    """Let entries of audit trails be changed: on PostgreSQL in this transaction, on SQLite in this file from now on."""
    if rows.get_bind().dialect.name == "postgresql":
        await rows.execute(text("SET LOCAL session_replication_role = replica"))
        return
    for trigger in ("audit_events_not_changed", "audit_events_not_deleted"):
        await rows.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
