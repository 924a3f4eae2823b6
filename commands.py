"""The verbs of `./handover`: import, keys, migrate, models, new-secret-key."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from temporalio.client import Client
from temporalio.service import RPCError

from domain.errors import HandoverError
from domain.ids import UserId
from domain.rights import Scope
from persistence import api_keys, catalogue, schema
from persistence.imports import ImportRefused, import_lines
from persistence.session import Database
from persistence.vault import Vault, new_secret
from process import leave
from settings import WrongSetting, read_settings
from workflows.namespace import register_search_attributes

_PLAIN: dict[str, Any] = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}
app = typer.Typer(help="Set Handover up: its tables, its accounts, its keys.", **_PLAIN)
keys = typer.Typer(help="API keys: make, list, revoke.", **_PLAIN)
app.add_typer(keys, name="keys")

User = Annotated[str, typer.Argument(metavar="USER", help="The user's id.")]


class Wrong(Exception):
    """Something the caller can put right; its text says how."""


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="JSON lines, each with its type.")
    ],
) -> None:
    """Take users, groups, memberships, tags and charge points from FILE: all or nothing; repeating changes nothing.

    Names and roles follow the file. Who has a charge point that is there already does not: transfers change that.
    """
    _run(_import(file, file.read_bytes().splitlines()))


@app.command()
def migrate(
    database: Annotated[bool, typer.Option(help="Bring the database's tables up to date.")] = True,
    search_attributes: Annotated[bool, typer.Option(help="Register the search attributes at Temporal.")] = True,
) -> None:
    """Make database and Temporal ready for this release. Repeating it changes nothing."""
    _run(_migrate(database=database, search_attributes=search_attributes))


@app.command("new-secret-key")
def new_secret_key() -> None:
    """Print a new key for HANDOVER_SECRET_KEYS.

    To replace a key put the new one first and leave the old one in the list: the first writes, all read.
    """
    typer.echo(new_secret())


@app.command("models")
def list_models() -> None:
    """List what chargers of each model were seen to do, by the transfers so far."""
    _run(_list_models())


@keys.command("create")
def create_key(
    user: User,
    scope: Annotated[list[Scope] | None, typer.Option(help="What the key may do beyond the user's roles.")] = None,
) -> None:
    """Print a new API key of USER. It is shown once: only its fingerprint is kept."""
    _run(_create_key(UserId(user), scope or []))


@keys.command("list")
def list_keys(
    user: Annotated[str | None, typer.Argument(metavar="[USER]", help="Only this user's.")] = None,
) -> None:
    """List the keys, without their secrets."""
    _run(_list_keys(None if user is None else UserId(user)))


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, or the whole key.")]) -> None:
    """End a key at once."""
    _run(_revoke_key(key.removeprefix("hk_").split("_", 1)[0]))


def run() -> None:
    """Run the verb that the command line names, and end the process."""
    try:
        app()
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 1)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Do a verb's work; what is wrong is said in plain words."""
    try:
        asyncio.run(work)
    except (Wrong, WrongSetting, HandoverError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    """Open the database of the settings, which must be up to date."""
    db = Database(read_settings().database_url)
    try:
        if not await schema.is_current(db):
            raise Wrong("The database has not the tables of this release; run `./handover migrate` first.")
        yield db
    finally:
        await db.close()


async def _import(file: Path, rows: list[bytes]) -> None:
    try:
        vault = Vault(read_settings().server_keys())
    except ValueError as error:
        raise Wrong(str(error)) from None
    async with _database() as db:
        try:
            done = await import_lines(db, vault, rows)
        except ImportRefused as refusal:
            raise Wrong("\n".join([f"{file}: nothing was taken.", *refusal.problems])) from None
    for word, counts in (("new", done.new), ("changed", done.changed), ("as before", done.same)):
        if counts:
            typer.echo(
                f"{word}: " + ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items())
            )


async def _migrate(*, database: bool, search_attributes: bool) -> None:
    settings = read_settings()
    if database:
        await schema.migrate(settings.database_url)
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


async def _list_models() -> None:
    async with _database() as db, db.reading() as session:
        found = await catalogue.catalogue(session)
    table = Table("OCPP", "vendor", "model", *(step.value.split("_")[0] for step in catalogue.STEPS), box=None)
    for model, support in found.items():
        table.add_row(
            model.ocpp, model.vendor or "", model.model or "", *(support[step].value for step in catalogue.STEPS)
        )
    Console().print(table if found else "No charger was told anything yet.")


async def _create_key(user_id: UserId, scopes: list[Scope]) -> None:
    async with _database() as db, db.writing() as session:
        key = await api_keys.create(session, user_id, scopes, datetime.now(UTC))
    typer.echo(key)


async def _list_keys(user_id: UserId | None) -> None:
    async with _database() as db, db.reading() as session:
        found = await api_keys.every(session, user_id)
    table = Table("id", "user", "scopes", "made", "revoked", box=None)
    for key in found:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        table.add_row(key.id, key.user_id, " ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table if found else "There are no keys; `./handover keys create USER` makes one.")


async def _revoke_key(key_id: str) -> None:
    async with _database() as db, db.writing() as session:
        await api_keys.revoke(session, key_id, datetime.now(UTC))
    typer.echo(f"Key {key_id} is revoked.")
