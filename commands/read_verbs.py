"""The verbs that look at transfers: list, show, watch."""

from collections.abc import Iterable
from typing import Annotated

import typer

from commands import options, watching
from commands.api import Api, Away, api
from commands.charge_point_tables import charger_facts
from commands.ends import Wrong, plainly
from commands.options import Filters, transfer_id
from commands.tables import console, listing, page, trail, write_json
from domain.ids import TransferId, workflow_id
from settings import read_settings


def list_transfers(
    state: options.State = None,
    attention: options.Waits = None,
    kind: options.Kind = None,
    charge_point: options.Point = None,
    group: options.Group = None,
    older_than: options.Age = None,
    limit: options.Limit = 50,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    as_json: options.Json = False,
) -> None:
    """List the transfers that you may see, the latest first.

    What needs somebody: `./handover list --attention operator`. What hangs: `./handover list --state reconfiguring
    --older-than 2h`. With --json one document, an array of what the API gives.
    """
    wanted = Filters(state, attention, kind, charge_point, group, older_than)
    with plainly(), api() as opened:
        found, more = opened.pages("/transfers", wanted.query(), None if everything else limit)
        if as_json:
            write_json(found)
        else:
            terminal = console()
            terminal.print(listing(found, terminal.width))
        if more:
            typer.echo(f"These are the latest {limit}; --limit N gives more, --all gives every one.", err=True)


def show(
    which: options.Id,
    events: Annotated[bool, typer.Option("--events", help="Its audit trail too.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show one transfer: what it waits for, its charger, its steps with their tries and last errors, what you can do.

    With HANDOVER_TEMPORAL_UI set it also gives the address of its workflow there. With --json it is the API's own
    document; --events adds `events` to it.
    """
    with plainly(), api() as opened:
        known = transfer_id(which)
        transfer = opened.get(f"/transfers/{known}")
        happened = opened.pages(f"/transfers/{known}/events", {}, None)[0] if events else []
        if as_json:
            write_json({**transfer, "events": happened} if events else transfer)
            return
        console().print(page(transfer, _in_temporal(known), _charger(opened, transfer["charge_point_id"])))
        if events:
            console().print(trail(happened))


def watch(
    which: Annotated[
        str | None, typer.Argument(metavar="ID", help="The transfer to watch; without it, the list.")
    ] = None,
    state: options.State = None,
    attention: options.Waits = None,
    kind: options.Kind = None,
    charge_point: options.Point = None,
    group: options.Group = None,
    older_than: options.Age = None,
    limit: options.Limit = 20,
    every: Annotated[float, typer.Option(min=0.2, metavar="SECONDS", help="How often to look.")] = 2,
    as_json: options.Json = False,
) -> None:
    """Watch one transfer to its end, or a list of them until Ctrl-C.

    With an ID it ends with 0 once the transfer is completed (with warnings too), with 1 for any other end. The filters
    are those of `list`. Where the output is no terminal it is one line for each change; with --json one line of JSON.
    """
    wanted = Filters(state, attention, kind, charge_point, group, older_than)
    with plainly(), api() as opened:
        if which is None:
            watching.watch_list(opened, wanted.query, limit, every, as_json=as_json)
            return
        if wanted.query():
            raise Wrong("An ID and filters exclude each other; leave one of them out.")
        known = transfer_id(which)
        completed = watching.watch_one(opened, known, every, _in_temporal(known), as_json=as_json)
    raise typer.Exit(0 if completed else 1)


def _charger(opened: Api, charge_point: str) -> Iterable[tuple[str, str]]:
    """Give the facts of a transfer's charger; none to who may not see the charge point, or not any more."""
    try:
        return list(charger_facts(opened.get(f"/charge-points/{charge_point}")))
    except Away:
        raise
    except Wrong:
        return []


def _in_temporal(known: str) -> str | None:
    """Give the address of a transfer's workflow in the Temporal UI; None where it is not known."""
    settings = read_settings()
    if not settings.temporal_ui:
        return None
    from engine.connection import read_namespace

    place, namespace = settings.temporal_ui.rstrip("/"), read_namespace(settings.temporal_namespace)
    return f"{place}/namespaces/{namespace}/workflows/{workflow_id(TransferId(known))}"
