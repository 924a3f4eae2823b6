"""The verbs on API keys: create, list, revoke."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from domain.ids import UserId
from domain.rights import Scope

app = typer.Typer(
    help="API keys: make, list, revoke.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("create")
def create_key(
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's id.")],
    scope: Annotated[list[Scope] | None, typer.Option(help="What the key may do beyond the user's roles.")] = None,
) -> None:
    """Print a new API key of USER. It is shown once: only its fingerprint is kept."""
    from commands.database import do

    do(_create(UserId(user), scope or []))


@app.command("list")
def list_keys(
    user: Annotated[str | None, typer.Argument(metavar="USER", help="Only this user's.")] = None,
) -> None:
    """List the keys, without their secrets."""
    from commands.database import do

    do(_list(None if user is None else UserId(user)))


@app.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, or the whole key.")]) -> None:
    """End a key at once."""
    from commands.database import do

    do(_revoke(key.removeprefix("hk_").split("_", 1)[0]))


async def _create(user_id: UserId, scopes: list[Scope]) -> None:
    from commands.database import database
    from persistence.people import api_keys

    async with database() as db, db.writing() as rows:
        key = await api_keys.create(rows, user_id, scopes, datetime.now(UTC))
    typer.echo(key)


async def _list(user_id: UserId | None) -> None:
    from commands.database import database
    from persistence.people import api_keys

    async with database() as db, db.reading() as rows:
        found = await api_keys.every(rows, user_id)
    table = Table("id", "user", "scopes", "made", "revoked", box=None)
    for key in found:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        table.add_row(key.id, key.user_id, " ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table if found else "There are no keys; `./handover keys create USER` makes one.")


async def _revoke(key_id: str) -> None:
    from commands.database import database
    from persistence.people import api_keys

    async with database() as db, db.writing() as rows:
        await api_keys.revoke(rows, key_id, datetime.now(UTC))
    typer.echo(f"Key {key_id} is revoked.")
