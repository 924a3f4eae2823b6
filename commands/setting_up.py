"""The verbs that set Handover up and look after it: import, migrate, models, findings, letters, new-secret-key."""

from pathlib import Path
from typing import Annotated

import typer


def import_file(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="JSON lines, each with its type.")
    ],
) -> None:
    """Take users, groups, memberships, tags and charge points from FILE: all or nothing; repeating changes nothing.

    Names and roles follow the file. Who has a charge point that is there already does not: transfers change that.
    """
    from commands import installation

    installation.take_file(file)


def migrate(
    database: Annotated[bool, typer.Option(help="Bring the database's tables up to date.")] = True,
    search_attributes: Annotated[bool, typer.Option(help="Register the search attributes at Temporal.")] = True,
) -> None:
    """Make database and Temporal ready for this release. Repeating it changes nothing."""
    from commands import migration

    migration.migrate(database=database, search_attributes=search_attributes)


def new_secret_key() -> None:
    """Print a new key for HANDOVER_SECRET_KEYS.

    To replace a key put the new one first and leave the old one in the list: the first writes, all read.
    """
    from persistence.vault import new_secret

    typer.echo(new_secret())


def list_findings(
    everything: Annotated[bool, typer.Option("--all", help="Also what was mended, or has settled by itself.")] = False,
) -> None:
    """List where register, workflows and chargers' keys disagree, and only a person can say what is right."""
    from commands import installation

    installation.list_findings(everything=everything)


def list_letters() -> None:
    """List the letters of transfers that could not be sent so far, and why."""
    from commands import installation

    installation.list_letters()


def list_models() -> None:
    """List what chargers of each model were seen to do, by the transfers so far."""
    from commands import installation

    installation.list_models()
