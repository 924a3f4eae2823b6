"""What the verbs that set up do on a database that is up to date."""

from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from commands.database import database as open_database
from commands.database import do
from commands.ends import Wrong
from persistence.chargers import catalogue
from persistence.importing.imports import import_lines
from persistence.importing.problems import ImportRefused
from persistence.transfers import findings, outbox
from persistence.vault import Vault
from settings import read_settings


def take_file(file: Path) -> None:
    """Import a file, and say what was new."""
    do(_import(file))


def list_models() -> None:
    """Print the catalogue."""
    do(_list_models())


def list_findings(*, everything: bool) -> None:
    """Print what the reconciler has found."""
    do(_list_findings(everything=everything))


def list_letters() -> None:
    """Print what could not be sent to people so far."""
    do(_list_letters())


def _lines_of(file: Path) -> Iterator[bytes]:
    """Read a file's lines, however they end, none before it is asked for."""
    with file.open("rb") as opened:
        for piece in opened:
            yield from piece.splitlines()


async def _import(file: Path) -> None:
    try:
        vault = Vault(read_settings().server_keys())
    except ValueError as error:
        raise Wrong(str(error)) from None
    async with open_database() as db:
        try:
            done = await import_lines(db, vault, _lines_of(file))
        except ImportRefused as refusal:
            raise Wrong("\n".join([f"{file}: nothing was taken.", *refusal.problems])) from None
    for word, counts in (("new", done.new), ("changed", done.changed), ("as before", done.same)):
        if counts:
            typer.echo(
                f"{word}: " + ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items())
            )


async def _list_models() -> None:
    async with open_database() as db, db.reading() as rows:
        found = await catalogue.catalogue(rows)
    table = Table("OCPP", "vendor", "model", *(step.value.split("_")[0] for step in catalogue.STEPS), box=None)
    for model, support in found.items():
        table.add_row(
            model.ocpp, model.vendor or "", model.model or "", *(support[step].value for step in catalogue.STEPS)
        )
    Console().print(table if found else "No charger was told anything yet.")


async def _list_findings(*, everything: bool) -> None:
    async with open_database() as db, db.reading() as rows:
        found = await (findings.every if everything else findings.parked)(rows)
    table = Table("what", "of", "found", "times", "settled", box=None)
    for one in found:
        settled = f"{one.settled_at:%Y-%m-%d %H:%M}" if one.settled_at else "no: an operator is needed"
        table.add_row(one.kind, one.subject, f"{one.found_at:%Y-%m-%d %H:%M}", str(one.times), settled)
    nothing = "Nothing was found yet." if everything else "Nothing is parked: register, workflows and keys agree."
    Console().print(table if found else nothing)
    if any(one.settled_at is None for one in found):
        typer.echo("What to do about each: docs/operations.md, “What the reconciler has found”.")


async def _list_letters() -> None:
    async with open_database() as db, db.reading() as rows:
        found = await outbox.undelivered(rows)
    table = Table("about", "of", "since", "tries", "last error", box=None)
    for one in found:
        since = f"{one.queued_at:%Y-%m-%d %H:%M}"
        table.add_row(one.subject, one.transfer_id, since, str(one.tries), one.last_error or "")
    Console().print(table if found else "Every letter that was due is sent.")
    if found:
        typer.echo("Each is tried again within a minute. What to mend: docs/operations.md, “A letter can't be sent”.")
