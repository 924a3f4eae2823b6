"""The verbs on charge points: list, show; rotate-key, identify."""

from typing import Annotated, Any

import typer

from commands import options
from commands.api import api
from commands.charge_point_tables import key_answer, listing, page, restart_answer
from commands.ends import Wrong, plainly
from commands.options import charge_point_id
from commands.tables import console, trail, write_json

_Id = Annotated[str, typer.Argument(metavar="ID", help="The charge point's id.")]

app = typer.Typer(
    help="Charge points: who has them, whether they are connected, what happened at them. Tell their chargers.",
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
    which: _Id,
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


@app.command("rotate-key")
def rotate_key(which: _Id, as_json: options.Json = False) -> None:
    """Have a fresh key sent to a charger over its open connection, as its owner or an operator.

    Possible while it is connected and no transfer is at work on it. Nobody types anything: it comes back with the key
    by itself, or after a restart that it is given when it is idle; then `show` says so. Where a former owner may know
    the key in use none is sent: a new one is made and typed in.
    """
    told = _order(which, "key/rotate", as_json=as_json)
    if not as_json:
        typer.echo(key_answer(charge_point_id(which), told))


@app.command("identify")
def identify(which: _Id, as_json: options.Json = False) -> None:
    """Restart a charger now, as its owner or an operator, so that whoever stands before it sees whether it is this one.

    Possible while it is connected and no charging session runs; during a transfer only while that waits for the new
    owner's key.
    """
    told = _order(which, "identify", as_json=as_json)
    if not as_json:
        typer.echo(restart_answer(charge_point_id(which), told))


def _order(which: str, call: str, *, as_json: bool) -> dict[str, Any]:
    """Have a charger told something, and give what it answered."""
    with plainly(), api() as opened:
        told = opened.post(f"/charge-points/{charge_point_id(which)}/{call}")
        if "answer" not in told:
            raise Wrong("The API answered something else than a charger's answer; look at it with `show`.")
        if as_json:
            write_json(told)
        return told
