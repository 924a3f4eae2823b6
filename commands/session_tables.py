"""How charging sessions look in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from commands.tables import plain
from commands.times import time

_DOUBTS: Final = {"holder": "whose it is", "energy": "its energy"}
_WH_IN_KWH: Final = 1000


def listing(sessions: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Lay out a list of sessions."""
    if not sessions:
        return Text("There is no such session that is yours.")
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for name in ("began", "ended", "connector", "tag", "owner", "kWh", "in doubt"):
        table.add_column(name, overflow="fold")
    for one in sessions:
        began = time(one["started_at"])
        if time(one["reported_at"]) != began:
            began += f"\nsaid {time(one['reported_at'])}"
        if one["late"]:
            began += f"\ntold {time(one['arrived_at'])}"
        end = f"{time(one['stopped_at'])}, {one['stop_reason']}" if one["stopped_at"] else "runs"
        cells = [one["id"], began, end, _or_none(one["connector"]), one["id_tag"], one["owner_id"]]
        table.add_row(*(_lines(cell) for cell in (*cells, _energy(one["energy"]), _doubts(one))))
    return table


def stop_listing(stops: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Lay out a list of stops."""
    if not stops:
        return Text("No stop is to be settled.")
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for name in ("said to be of", "at, by its clock", "told", "meter in Wh", "reason"):
        table.add_column(name, overflow="fold")
    for one in stops:
        times = (time(one["reported_at"]), time(one["arrived_at"]))
        cells = (one["id"], one["transaction_id"], *times, _or_none(one["meter"]), one["reason"])
        table.add_row(*(_lines(cell) for cell in cells))
    return table


def ended(session: Mapping[str, Any]) -> str:
    """Say how a session has ended."""
    energy = f"{_energy(session['energy'])} kWh" if session["energy"] is not None else "its energy is not known"
    return plain(f"Session {session['id']} has ended at {time(session['stopped_at'])}: {energy}.")


def settled(done: Mapping[str, Any]) -> str:
    """Say what was settled."""
    parts = [
        f"{name} {', '.join(map(str, ids))}"
        for name, ids in (("sessions", done["sessions"]), ("stops", done["stops"]))
        if ids
    ]
    return plain(f"Settled: {'; '.join(parts)}." if parts else "Nothing was in doubt.")


def _doubts(one: Mapping[str, Any]) -> str:
    doubts = ", ".join(_DOUBTS.get(doubt, doubt) for doubt in one["doubts"])
    return f"{doubts} (settled)" if one["settled"] else doubts


def _energy(energy: int | None) -> str:
    return "" if energy is None else f"{energy / _WH_IN_KWH:.3f}"


def _or_none(value: object) -> object:
    return "" if value is None else value


def _lines(value: object) -> Text:
    return Text("\n".join(plain(line) for line in str(value).split("\n")))
