"""What `migrate` does, on the database and at Temporal."""

from typing import Final

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ProgrammingError
from temporalio.service import RPCError

from commands.database import do
from commands.ends import Wrong
from domain.errors import Unavailable
from engine.connection import read_connection
from engine.namespace import register_search_attributes
from persistence import migrating
from settings import read_settings

#: What PostgreSQL says to a role that may not do something.
_MAY_NOT: Final = "42501"
_OWNER: Final = "Name the role that they belong to in HANDOVER_MIGRATION_DATABASE_URL."


def migrate(*, database: bool, search_attributes: bool) -> None:
    """Bring up to date what is asked for."""
    do(_migrate(database=database, search_attributes=search_attributes))


async def _migrate(*, database: bool, search_attributes: bool) -> None:
    settings = read_settings()
    if database:
        url, role = settings.database_url, None
        if settings.migration_database_url:
            url, role = settings.migration_database_url, make_url(url).username
            if role is None:
                raise Wrong("HANDOVER_DATABASE_URL has to name the role that the processes connect as.")
        try:
            await migrating.migrate(url, role)
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) != _MAY_NOT:
                raise
            raise Wrong(f"The database's tables are not {make_url(url).username}'s to change. {_OWNER}") from None
        typer.echo("The database is up to date.")
    if search_attributes:
        connection = read_connection(settings.temporal_address, settings.temporal_namespace)
        try:
            new = await register_search_attributes(await connection.open())
        except (RPCError, Unavailable) as error:
            raise Wrong(
                f"Temporal at {connection.address} can't be set up: {_first_line(error)}. Or leave it out with "
                "--no-search-attributes."
            ) from None
        typer.echo(f"Temporal has the search attributes ({len(new)} new).")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:300].removesuffix(".")
