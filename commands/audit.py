"""The verbs on audit trails: verify, export."""

import typer

app = typer.Typer(
    help="Audit trails: verify that they are what was written, export them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("verify")
def verify() -> None:
    """Go through every audit trail: nothing changed, nothing missing, nothing swapped. Exits with 1 where something is.

    Each entry is hashed with the one before it; what trails had grown to is sealed once a day under the server's key.
    """
    from commands import trails

    trails.verify()


@app.command("export")
def export() -> None:
    """Print every entry of every audit trail, as JSON lines in the order of trails; with what it is verified by."""
    from commands import trails

    trails.export()
