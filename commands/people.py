"""The verbs on people: export what is kept about somebody, erase it."""

from typing import Annotated

import typer

app = typer.Typer(
    help="People: export what is kept about somebody, erase it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)
_User = Annotated[str, typer.Argument(metavar="USER", help="The user's id.")]


@app.command("export")
def export(user: _User) -> None:
    """Print all that is kept about USER, as JSON: to be given to them alone."""
    from commands import personal_data

    personal_data.export(user)


@app.command("erase")
def erase(
    user: _User,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; required. It stays on record: name a request's number, no person.")
    ],
) -> None:
    """Erase what is kept about USER, for good: it can't be undone. Their id stays, and what was booked to it.

    Refused while they own charge points, are a group's only owner, charge, or have a transfer under way. Repeating it
    takes out what has come since.
    """
    from commands import personal_data

    personal_data.erase(user, reason)
