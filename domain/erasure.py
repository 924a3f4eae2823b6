"""Erasing a person: what stands in the way of it, and what its reason may not say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from domain.errors import InvalidRequest, NotPossible
from domain.ids import ChargePointId, GroupId, TransferId

#: So many of each are named; the others are counted.
_NAMED: Final = 5
#: A name that is shorter may stand in any text by chance.
SHORTEST_NAME: Final = 5


@dataclass(frozen=True)
class Ties:
    """What still ties a person to what others have."""

    charge_points: tuple[ChargePointId, ...] = ()
    """Those that they own."""
    groups: tuple[GroupId, ...] = ()
    """Those, but for their own, that have no other owner."""
    sessions: tuple[int, ...] = ()
    """Charging sessions of theirs that run."""
    transfers: tuple[TransferId, ...] = ()
    """Those under way, or about to start, that they asked for, or that would take from or give to them."""


class StillTied(NotPossible):
    """The person can't be erased before something else is done."""

    def __init__(self, ties: Ties) -> None:
        """Say what to do first."""
        told = [
            (ties.charge_points, "they own the charge points {}: transfer those"),
            (ties.groups, "they are the only owner of the groups {}: give those another owner"),
            (ties.sessions, "their charging sessions {} run: let those end, or end them by hand"),
            (ties.transfers, "their transfers {} are under way: let those end, or cancel them"),
        ]
        said = [text.format(_named(found)) for found, text in told if found]
        super().__init__(f"This person can't be erased yet: {'; '.join(said)}. Then erase them.")


def check_ties(ties: Ties) -> None:
    """Raise StillTied where anything is left."""
    if ties != Ties():
        raise StillTied(ties)


def check_reason(reason: str, identifiers: Iterable[str | None]) -> None:
    """Refuse a reason that names the person: it is kept, and they are not. Raises InvalidRequest."""
    if not reason.strip():
        raise InvalidRequest("Say why, like the number of their request; it goes on record.")
    said = reason.casefold()
    if any(one and one.casefold() in said for one in identifiers):
        raise InvalidRequest(
            "The reason stays on record, so it can't name the person; give the number of their request."
        )


def _named(found: Sequence[object]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(map(str, found[:_NAMED])) + more
