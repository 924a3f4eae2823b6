"""How charge points look in a terminal: a table, a page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from commands.tables import plain

#: What a list has of each; `show` has all that the API gives.
_LISTED: Final = {"id": "id", "identity": "identity", "group": "group_id", "owner": "owner_id", "ocpp": "ocpp"}


def listing(points: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Lay out a list of charge points."""
    if not points:
        return Text("There is no charge point that you may see.")
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for name in (*list(_LISTED)[1:], "connected", "transfer"):
        table.add_column(name, overflow="fold")
    for one in points:
        cells = [one[field] for field in _LISTED.values()]
        cells += ["yes" if one["connected"] else "no", one["active_transfer_id"] or ""]
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def page(point: Mapping[str, Any]) -> RenderableType:
    """Lay out one charge point: each field that the API gives, by its name, those that it has come to give too."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(point):
        facts.add_row(Text(plain(name), style="dim"), Text(plain(value)))
    return Group(Text(plain(point["id"]), style="bold"), Padding(facts, (0, 0, 0, 2), expand=False))


def _facts(document: Mapping[str, Any], within: str = "") -> Iterable[tuple[str, str]]:
    for field, value in document.items():
        name = f"{within} {field}".strip().replace("_", " ")
        if isinstance(value, Mapping):
            yield from _facts(value, name)
        elif field != "id" or within:
            yield name, _spelled(value)


def _spelled(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value)) or "-"
        case _:
            return str(value)
