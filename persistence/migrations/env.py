"""Alembic's environment: migrates the database of the settings, or the connection that it is handed."""

import asyncio
from collections.abc import Iterable
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, update

from persistence.migrating import await_turn
from persistence.schema import newest_revision
from persistence.session import MIGRATION_WAIT_SECONDS, Database
from persistence.tables import Compatibility, Table, UtcDateTime
from settings import Settings


def _spell_type(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Keep revisions free of the project's own types: they must run after those have changed."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def _number(_context: MigrationContext, _revision: object, scripts: Iterable[MigrationScript]) -> None:
    """Give a new revision the next number, by which the newest is told."""
    for script in scripts:
        script.rev_id = f"{int(newest_revision()) + 1:04}"


def _migrate(connection: Connection) -> None:
    """Run the wanted revisions in the connection's one transaction: all or none."""
    await_turn(connection)
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        render_item=_spell_type,
        render_as_batch=True,
        transactional_ddl=True,
        compare_server_default=True,
        process_revision_directives=_number,
    )
    with context.begin_transaction():
        context.run_migrations()
        _note_oldest(connection)
        if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise AssertionError("a migration left rows that point nowhere")


def _note_oldest(connection: Connection) -> None:
    """Write down which releases work with the tables as they are now (persistence.schema)."""
    reached = context.get_context().get_current_revision()
    oldest = getattr(context.script.get_revision(reached).module, "oldest", None) if reached else None
    if oldest is not None:
        connection.execute(update(Compatibility).values(oldest=oldest))


async def _migrate_own() -> None:
    """Migrate the database that the settings name."""
    db = Database(Settings().database_url, lock_wait=MIGRATION_WAIT_SECONDS, migrates=True)
    try:
        async with db.engine.execution_options(handover_writes=True).begin() as connection:
            await connection.run_sync(_migrate)
    finally:
        await db.close()


if (given := context.config.attributes.get("connection")) is not None:
    _migrate(given)
else:
    asyncio.run(_migrate_own())
