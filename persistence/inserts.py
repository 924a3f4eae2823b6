"""The insert that says what to do on a conflict: each database has its own."""

from typing import Any

from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.ext.asyncio import AsyncSession


def insert_into(rows: AsyncSession, table: type[Any]) -> PostgresqlInsert | SqliteInsert:
    """Begin an insert that takes `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return SqliteInsert(table) if rows.get_bind().dialect.name == "sqlite" else PostgresqlInsert(table)
