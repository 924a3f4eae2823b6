"""Says whether a release works with a database's tables, without the migrations' own machinery.

Every process asks it at its start, and to load Alembic takes about as long as to load SQLAlchemy.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from persistence.session import Database

#: What is said where `fits` says no.
UNFIT: Final = "this release does not work with the database's tables; run `./handover migrate` of the newest first."
_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def sqlite_file(url: str) -> Path | None:
    """Say which file a SQLite database is in; None in memory, and for any other database."""
    parts = make_url(url)
    named = parts.get_backend_name() == "sqlite" and parts.database not in {None, "", ":memory:"}
    return Path(parts.database) if named and parts.database else None


def newest_revision() -> str:
    """Give the newest revision: they are numbered, one after the other, in the names of their files."""
    return max(file.name.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py"))


async def fits(db: Database) -> bool:
    """Whether this release works with the database's tables; raises Unavailable where it does not answer.

    They are of its own revision, or of a newer one that says that releases of this one still do: while one release is
    rolled out, or taken back, both are at work.
    """
    if (file := sqlite_file(str(db.engine.url))) is not None and not file.exists():
        return False
    async with db.reading() as rows:
        found, oldest = await (await rows.connection()).run_sync(revision_of)
    ours = newest_revision()
    return found == ours or (found > ours and "" < oldest <= ours)


def revision_of(connection: Connection) -> tuple[str, str]:
    """Give the revision of the tables, and the oldest one whose release works with them; empty where there is none."""
    there = inspect(connection)
    if not there.has_table("alembic_version"):
        return "", ""
    found = connection.scalar(text("SELECT version_num FROM alembic_version")) or ""
    oldest = connection.scalar(text("SELECT oldest FROM compatibility")) if there.has_table("compatibility") else ""
    return str(found), str(oldest or "")
