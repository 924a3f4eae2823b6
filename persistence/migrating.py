"""Brings a database to the newest shape of the tables."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from persistence.grants import grant
from persistence.schema import newest_revision, revision_of, sqlite_file
from persistence.session import MIGRATION_WAIT_SECONDS, Database

#: Two migrations at once run one after the other (an arbitrary number, the same for ever).
ADVISORY_LOCK: Final = 7_203_411
#: How long a migration waits for a table that others use before it gives up, instead of queueing everybody behind it.
_LOCK_WAIT: Final = "5s"


async def migrate(url: str, role: str | None = None) -> None:
    """Migrate the database at `url` to the newest revision, all or nothing; a repeat changes nothing.

    One that a newer release has migrated stays as it is. `role` is PostgreSQL's of the processes, where it is another
    one than that of `url`, which the tables belong to: it may do then what persistence.grants says.

    Makes the folder of a SQLite file. Call it once at a time in a process: Alembic's context is a global.
    Raises Unavailable where the database does not answer or a lock is not had.
    """
    if (file := sqlite_file(url)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    db = Database(url, lock_wait=MIGRATION_WAIT_SECONDS, migrates=True)
    try:
        async with db.writing() as rows:
            await (await rows.connection()).run_sync(_upgrade, role)
    finally:
        await db.close()


def await_turn(connection: Connection) -> None:
    """Let another migration end first; then wait for no table for long."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": ADVISORY_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))


def _upgrade(connection: Connection, role: str | None) -> None:
    await_turn(connection)
    found, newest = revision_of(connection)[0], newest_revision()
    if found > newest:
        return
    if found < newest:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    if role is not None and connection.dialect.name == "postgresql":
        grant(connection, role)
