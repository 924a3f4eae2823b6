"""How charge points look in a terminal: a table, and a page: is the charger there, what is it, who can know its key."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from commands.tables import plain
from commands.times import time

_ROTATES: Final = {
    "yes": "the charger takes a key that it is sent",
    "no": "the charger takes no key that it is sent",
    "unknown": "whether the charger takes a key that it is sent was not seen yet",
}
_KEY_ANSWERS: Final = {
    "accepted": "the charger has taken its new key, and is to come back with it",
    "reboot_required": "the charger takes its new key with a restart, which it is given when it is idle",
    "rejected": "the charger refused the key, and goes on with the one that it has",
    "not_supported": "the charger takes no key that it is sent, and goes on with the one that it has",
    "unknown": "nothing was heard: the charger may have taken the key, or not; asked again, it is sent the same one",
}
_RESTART_ANSWERS: Final = {
    "accepted": "the charger restarts now; if what you stand before does not, something else is connected in its place",
    "scheduled": "the charger restarts as soon as it is idle",
    "rejected": "the charger refused to restart",
    "not_supported": "the charger can't be restarted from here",
    "unknown": "nothing was heard: the charger may be restarting, or not",
}
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
    """Lay out one charge point."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(point):
        facts.add_row(Text(name, style="dim"), Text(plain(value)))
    return Group(Text(plain(f"{point['id']}, {point['name']}"), style="bold"), Padding(facts, (0, 0, 1, 2)))


def key_answer(which: str, told: Mapping[str, Any]) -> str:
    """Say what a charger answered to a fresh key, and which one is in use."""
    said = _KEY_ANSWERS.get(told["answer"], told["answer"])
    return plain(f"{which}: {said}. Now: {_key(told['key'])}.")


def restart_answer(which: str, told: Mapping[str, Any]) -> str:
    """Say what a charger answered to a restart."""
    return plain(f"{which}: {_RESTART_ANSWERS.get(told['answer'], told['answer'])}.")


def charger_facts(point: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Say of a charge point whether its charger is there, what it is, and who can know its key."""
    yield "charger", _standing(point)
    device = [point["vendor"], point["model"], f"firmware {point['firmware']}" if point["firmware"] else None]
    known = [part for part in device if part]
    known += [f"serial number {', '.join(point['serials'])}"] if point["serials"] else []
    yield "device", ", ".join([f"OCPP {point['ocpp']}", *known])
    yield "key", _key(point["key"])


def _facts(point: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "identity", point["identity"]
    yield "group", point["group_id"]
    yield "owner", point["owner_id"]
    yield from charger_facts(point)
    yield "ownership", f"changed {point['version']} times" if point["version"] else "never changed"
    if point["active_transfer_id"]:
        yield "transfer", point["active_transfer_id"]


def _standing(point: Mapping[str, Any]) -> str:
    there = "connected" if point["connected"] else "offline"
    if point["quarantined"]:
        there = "in quarantine: connected with a key that opens nothing that charges"
    return there + ("; somebody else has come with the same key, and waits" if point["held"] else "")


def _key(key: Mapping[str, Any] | None) -> str:
    if key is None:
        return "none"
    said = f"people can know it, a former owner too; in use since {time(key['since'])}"
    if key["known_to"] == "charger":
        serials = f", serial number {', '.join(key['serials'])}," if key["serials"] else ""
        said = f"only what was connected at {time(key['since'])}{serials} can know it, not what hangs on the wall"
    said += "; sent over an open line (ws)" if key["open_line"] else ""
    return f"{said}; {_ROTATES[key['rotates']]}"
