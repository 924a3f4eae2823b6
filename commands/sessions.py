"""The verbs on charging sessions: list, stops, end, settle."""

from typing import Annotated, Any

import typer

from commands import options
from commands.act_verbs import with_reason
from commands.api import api
from commands.ends import plainly
from commands.options import charge_point_id
from commands.session_tables import ended, listing, settled, stop_listing
from commands.tables import console, write_json

_Point = Annotated[str, typer.Argument(metavar="POINT", help="The charge point's id.")]
_Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Why; required. It goes on record, where the present holder can read it.")
]

app = typer.Typer(
    help="Charging sessions of a charge point: who charged when. End one whose stop is lost, settle what is in doubt.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_sessions(
    point: _Point,
    in_doubt: Annotated[bool, typer.Option("--in-doubt", help="Only those that are to be settled.")] = False,
    limit: options.Limit = 50,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    as_json: options.Json = False,
) -> None:
    """List the charging sessions that are yours, the latest first; an operator sees all.

    `began` is by our clock; where the charger said another time, that stands below it.
    """
    with plainly(), api() as opened:
        params = {"in_doubt": "true"} if in_doubt else {}
        path = f"/charge-points/{charge_point_id(point)}/sessions"
        found, more = opened.pages(path, params, None if everything else limit)
        if as_json:
            write_json(found)
        else:
            console().print(listing(found))
        if more:
            typer.echo(f"These are the latest {limit}; --limit N gives more, --all gives every one.", err=True)


@app.command("stops")
def list_stops(point: _Point, as_json: options.Json = False) -> None:
    """List the stops that fit no session, or several, and are to be settled, as an operator.

    `./handover sessions end POINT SESSION --stop STOP` gives one to its session; `./handover sessions settle POINT
    --stop STOP` leaves it aside.
    """
    with plainly(), api() as opened:
        found, _ = opened.pages(f"/charge-points/{charge_point_id(point)}/unmatched-stops", {}, None)
        if as_json:
            write_json(found)
        else:
            console().print(stop_listing(found))


@app.command("end")
def end_session(
    point: _Point,
    session: Annotated[int, typer.Argument(min=0, metavar="SESSION", help="The session's id.")],
    stop: Annotated[
        int | None, typer.Option(min=0, metavar="STOP", help="End it as this stop says, which fitted none.")
    ] = None,
    reason: _Reason = "",
    as_json: options.Json = False,
) -> None:
    """End a charging session whose stop is lost, as an operator: with its last meter reading, or by a stop.

    The charger is told nothing. Make sure that nobody charges there: a transfer that waits for the session goes on.
    """
    body: dict[str, Any] = with_reason({} if stop is None else {"stop_id": stop}, reason)
    with plainly(), api() as opened:
        done = opened.post(f"/charge-points/{charge_point_id(point)}/sessions/{session}/end", body)
        if as_json:
            write_json(done)
        else:
            typer.echo(ended(done))


@app.command("settle")
def settle_sessions(
    point: _Point,
    session: Annotated[
        list[int] | None, typer.Option(min=0, metavar="SESSION", help="Only this session; may be given again.")
    ] = None,
    stop: Annotated[
        list[int] | None, typer.Option(min=0, metavar="STOP", help="Only this stop; may be given again.")
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(metavar="USER", help="Book the sessions to them, who have or had the charge point."),
    ] = None,
    reason: _Reason = "",
    as_json: options.Json = False,
) -> None:
    """Settle what is in doubt of a charge point's sessions, as an operator: all of it, or what is named.

    Sessions stay booked as they are, unless --owner says to whom they belong; where none is named, those of which that
    is in doubt. Look first: `./handover sessions list
    POINT --in-doubt` and `./handover sessions stops POINT`.
    """
    wanted = {"session_ids": session or None, "stop_ids": stop or None, "owner_id": owner}
    body: dict[str, Any] = with_reason({name: value for name, value in wanted.items() if value is not None}, reason)
    with plainly(), api() as opened:
        done = opened.post(f"/charge-points/{charge_point_id(point)}/sessions/settle", body)
        if as_json:
            write_json(done)
        else:
            typer.echo(settled(done))
