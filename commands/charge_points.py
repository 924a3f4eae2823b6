"""The verbs that look at charge points: list, show."""

from typing import Annotated

import typer

from commands import options
from commands.api import api
from commands.charge_point_tables import listing, page
from commands.ends import plainly
from commands.options import charge_point_id
from commands.tables import console, trail, write_json

app = typer.Typer(
    help="Look at charge points: who has them, whether they are connected, what happened at them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_charge_points(
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many at most.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    as_json: options.Json = False,
) -> None:
    """List the charge points that you may see, by id.

    With --json one document, an array of what the API gives.
    """
    with plainly(), api() as opened:
        found, more = opened.pages("/charge-points", {}, None if everything else limit)
        if as_json:
            write_json(found)
        else:
            console().print(listing(found))
        if more:
            typer.echo(f"These are the first {limit}; --limit N gives more, --all gives every one.", err=True)


@app.command("show")
def show_charge_point(
    which: Annotated[str, typer.Argument(metavar="ID", help="The charge point's id.")],
    events: Annotated[bool, typer.Option("--events", help="Its audit trail too, of the time that is yours.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show one charge point: all that the API gives of it.

    With --json it is the API's own document; --events adds `events` to it.
    """
    with plainly(), api() as opened:
        known = charge_point_id(which)
        point = opened.get(f"/charge-points/{known}")
        happened = opened.pages(f"/charge-points/{known}/events", {}, None)[0] if events else []
        if as_json:
            write_json({**point, "events": happened} if events else point)
            return
        console().print(page(point))
        if events:
            console().print(trail(happened))
