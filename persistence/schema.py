"""Says whether a database has the newest shape of the tables, without the migrations' own machinery.

Every process asks it at its start, and to load Alembic takes about as long as to load SQLAlchemy.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from persistence.session import Database

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def sqlite_file(url: str) -> Path | None:
    """Say which file a SQLite database is in; None in memory, and for any other database."""
    parts = make_url(url)
    named = parts.get_backend_name() == "sqlite" and parts.database not in {None, "", ":memory:"}
    return Path(parts.database) if named and parts.database else None


def newest_revision() -> str:
    """Give the newest revision: they are numbered, one after the other, in the names of their files."""
    return max(file.name.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py"))


async def is_current(db: Database) -> bool:
    """Whether the database has the newest revision; raises Unavailable where it does not answer."""
    if (file := sqlite_file(str(db.engine.url))) is not None and not file.exists():
        return False
    async with db.reading() as rows:
        found = await (await rows.connection()).run_sync(_revisions)
    return found == [newest_revision()]


def _revisions(connection: Connection) -> list[str]:
    if not inspect(connection).has_table("alembic_version"):
        return []
    return list(connection.scalars(text("SELECT version_num FROM alembic_version")))
