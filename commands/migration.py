"""What `migrate` does, on the database and at Temporal."""

import typer
from temporalio.client import Client
from temporalio.service import RPCError

from commands.database import do
from commands.ends import Wrong
from persistence import migrating
from settings import read_settings
from workflows.namespace import register_search_attributes


def migrate(*, database: bool, search_attributes: bool) -> None:
    """Bring up to date what is asked for."""
    do(_migrate(database=database, search_attributes=search_attributes))


async def _migrate(*, database: bool, search_attributes: bool) -> None:
    settings = read_settings()
    if database:
        await migrating.migrate(settings.database_url)
        typer.echo("The database is up to date.")
    if search_attributes:
        try:
            client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
            new = await register_search_attributes(client)
        except (RPCError, RuntimeError) as error:
            raise Wrong(
                f"Temporal at {settings.temporal_address} can't be set up ({_first_line(error)}). Start it, or set "
                "HANDOVER_TEMPORAL_ADDRESS, or leave it out with --no-search-attributes."
            ) from None
        typer.echo(f"Temporal has the search attributes ({len(new)} new).")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:120]
