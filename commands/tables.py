"""How transfers look in a terminal: a line, a table, a page; and as JSON."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from commands.times import ago, span, time, until
from domain.transfer import Attention, TransferState
from domain.waits import wait_of

#: Columns where nobody looks at a terminal: what is piped on must not be cut.
_PIPED_WIDTH: Final = 200
#: What all columns of a list take.
_FULL_WIDTH: Final = 140
_UNTIL_NEW_KEY: Final = {
    "serve": "serve: a key that people know goes on opening an ordinary connection",
    "quarantine": "quarantine: a key that people know opens nothing that charges",
}
_DEEDS: Final = {
    "cancel": "Cancels the transfer; what was done so far is undone.",
    "resend": "Sends the recipient a new link; older ones are dead.",
}
_ELSEWHERE: Final = {
    "accept": "The recipient's: on the page of their link, or by the API.",
    "decline": "The recipient's: on the page of their link, or by the API.",
}
_COLOURS: Final = {
    "operator": "bold red",
    "retrying": "yellow",
    "charger_offline": "yellow",
    "new_key": "yellow",
    "completed": "green",
    "completed_with_warnings": "green",
    "rolling_back": "magenta",
    "failed": "red",
    "running": "cyan",
}
_OPERATORS: Final = frozenset({"retry", "roll_back", "complete"})


def console() -> Console:
    """Give standard output: as wide as the terminal, or wide enough."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH
    return Console(width=wide, highlight=False)


def write_json(document: object, *, indent: int | None = 2) -> None:
    """Print one JSON document, with nothing that a terminal would act on."""
    typer.echo(json.dumps(document, indent=indent))


def plain(value: object) -> str:
    """Give text that changes nothing at a terminal: what a charger or a server said may hold anything."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value))


def line(transfer: Mapping[str, Any]) -> str:
    """Say in one line how a transfer stands."""
    parts = [str(transfer["state"])]
    if step := _running(transfer):
        parts.append(f"step {step['name']}" + (" (paused)" if step.get("paused") else ""))
    if transfer["attention"]:
        parts.append(f"waits for {transfer['attention']}" + until(transfer["waiting_until"]))
    if transfer["reason"]:
        parts.append(f"reason {transfer['reason']}")
    if transfer["warnings"]:
        parts.append(f"warnings {', '.join(transfer['warnings'])}")
    return plain(f"{transfer['id']}: {'; '.join(parts)}")


def listing(transfers: Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    """Lay out a list of transfers; where `width` is small, without what `show` tells as well."""
    if not transfers:
        return Text("No transfer fits.")
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    names = ("age", "state", "waits for", "point", "from", "to", "kind")
    shown = len(names) if width >= _FULL_WIDTH else names.index("from")
    for name in names[:shown]:
        table.add_column(name, overflow="fold", min_width=len("charger_offline,") if name == "waits for" else None)
    for one in transfers:
        left = f", {ago(one['waiting_until'], -1)} left" if one["waiting_until"] else ""
        cells = (
            Text(ago(one["requested_at"])),
            _coloured(one["state"], one["state"]),
            _coloured(one["attention"] + left, one["attention"]),
            *(Text(plain(cell)) for cell in (one["charge_point_id"], _side(one["from"]), _side(one["to"]))),
            Text(one["kind"]),
        )
        table.add_row(Text(plain(one["id"])), *cells[:shown])
    return table


def page(transfer: Mapping[str, Any], ui: str | None = None, charger: Iterable[tuple[str, str]] = ()) -> RenderableType:
    """Lay out one transfer: what it is, what it waits for, its steps, what the caller may do.

    `charger` are facts about its charger, each with its name.
    """
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in [*_facts(transfer, ui), *charger]:
        facts.add_row(Text(name, style="dim"), _coloured(value, transfer["attention"] or transfer["state"]))
    parts: list[RenderableType] = [
        Text(plain(transfer["id"]), style="bold"),
        Padding(facts, (0, 0, 1, 2), expand=False),
    ]
    parts.append(Padding(_steps(transfer["steps"]), (0, 0, 1, 2), expand=False))
    if transfer["actions"]:
        parts += [Text("What you can do", style="bold"), Padding(_deeds(transfer), (0, 0, 0, 2))]
    return Group(*parts)


def trail(events: Iterable[Mapping[str, Any]]) -> RenderableType:
    """Lay out an audit trail."""
    table = Table(box=None, pad_edge=False)
    for name in ("", "at", "who", "what", "detail"):
        table.add_column(name, overflow="fold")
    for event in events:
        detail = ", ".join(f"{name}: {value}" for name, value in event["detail"].items() if value != "")
        cells = (event["sequence"], time(event["at"]), event["actor"], event["action"], detail)
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return Group(Text("\nAudit trail", style="bold"), Padding(table, (0, 0, 0, 2)))


def _facts(one: Mapping[str, Any], ui: str | None) -> Iterable[tuple[str, str]]:
    yield "state", one["state"] + (f", reason {one['reason']}" if one["reason"] else "")
    if one["attention"]:
        yield "waits for", _awaits(one) + until(one["waiting_until"])
    if one["warnings"]:
        yield "warnings", ", ".join(one["warnings"])
    for changed in one["settings_changed"]:
        yield "set at the charger", f"{changed['name']}: {changed['now']}, was {changed['was'] or 'not told'}"
    if one["former_tags"]:
        yield "former tags", f"{one['former_tags']} may charge while the charger is offline"
    for limit in one["charging_limits"]:
        yield "limit left", f"{limit['purpose']} {limit['id']}, of {limit['source'] or 'an unnamed source'}"
    yield "kind", f"{one['kind']}; connection {one['connection']}, acceptance {one['acceptance']}"
    yield "until new key", _UNTIL_NEW_KEY.get(one["until_new_key"], one["until_new_key"])
    yield "charge point", one["charge_point_id"]
    yield "from", _side(one["from"])
    yield "to", _side(one["to"])
    yield "requested", f"{time(one['requested_at'])} by {one['requested_by']}, {ago(one['requested_at'])} ago"
    if one["finished_at"]:
        yield "finished", time(one["finished_at"])
    if ui:
        yield "Temporal", ui


def _steps(steps: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("step", no_wrap=True)
    for name in ("state", "tries", "started", "took", "last error or remark"):
        table.add_column(name, overflow="fold")
    for step in steps:
        state = step["state"] + (", paused" if step.get("paused") else "")
        took = span(step["started_at"], step["finished_at"])
        remark = Text(plain(step["last_error"] or ""))
        tries = str(step["attempts"] or "")
        table.add_row(step["name"], _coloured(state, step["state"]), tries, time(step["started_at"]), took, remark)
    return table


def _deeds(transfer: Mapping[str, Any]) -> Table:
    """List the commands that the caller may give now, each with what it would do."""
    effects = {one["action"]: one["effect"] for one in transfer.get("resolutions", ())}
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for action in transfer["actions"]:
        if action in _OPERATORS:
            table.add_row(f"./handover resolve ID {action} --reason …", Text(plain(effects.get(action, ""))))
        elif action in _ELSEWHERE:
            table.add_row(action, _ELSEWHERE[action])
        else:
            table.add_row(f"./handover {action} ID", _DEEDS[action])
    for step in transfer["steps"] if effects else ():
        if step.get("paused"):
            table.add_row(f"./handover resume ID {step['name']} --reason …", "Lets the paused step be tried again.")
        elif step["state"] == "running" and step["attempts"] > 1:
            table.add_row(f"./handover pause ID {step['name']} --reason …", "Lets no further try of the step begin.")
    return table


def _running(transfer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((step for step in transfer["steps"] if step["state"] == "running" or step.get("paused")), None)


def _coloured(text: str, word: str) -> Text:
    return Text(plain(text), style=_COLOURS.get(word, ""))


def _side(side: Mapping[str, Any] | None) -> str:
    """Spell who has the charge point on one side: group and owner."""
    return f"{side['group_id']}, {side['owner_id']}" if side else "not known yet"


def _awaits(transfer: Mapping[str, Any]) -> str:
    """Say it in words; what a later API knows of is shown as it came."""
    if transfer["attention"] not in set(Attention) or transfer["state"] not in set(TransferState):
        return str(transfer["attention"])
    return wait_of(Attention(transfer["attention"]), TransferState(transfer["state"])).awaits
