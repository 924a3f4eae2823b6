"""Brings a database to the newest shape of the tables, and says whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from persistence.session import Database


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def _sqlite_file(url: str) -> Path | None:
    """Say which file a SQLite database is in; None in memory, and for any other database."""
    parts = make_url(url)
    named = parts.get_backend_name() == "sqlite" and parts.database not in {None, "", ":memory:"}
    return Path(parts.database) if named and parts.database else None


async def migrate(url: str) -> None:
    """Migrate the database at `url` to the newest revision, all or nothing; a repeat changes nothing.

    Makes the folder of a SQLite file. Call it once at a time in a process: Alembic's context is a global.
    Raises Unavailable where the database does not answer or a lock is not had.
    """
    if (file := _sqlite_file(url)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    db = Database(url, migrates=True)
    try:
        async with db.writing() as session:
            await (await session.connection()).run_sync(_upgrade)
    finally:
        await db.close()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def is_current(db: Database) -> bool:
    """Whether the database has the newest revision; raises Unavailable where it does not answer."""
    if (file := _sqlite_file(str(db.engine.url))) is not None and not file.exists():
        return False
    async with db.reading() as session:
        found = await (await session.connection()).run_sync(_revisions)
    return found == set(ScriptDirectory.from_config(_config()).get_heads())


def _revisions(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())
