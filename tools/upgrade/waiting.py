"""Who and what there is, and what each transfer of a drill waits for, with what ends that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tools.simulator.faults import Fault, Step, Trouble

OPERATOR: Final = "olga"
SENDER: Final = "ada"
RECIPIENT: Final = "bob"


class Group(StrEnum):
    """What the transfers of a group wait for."""

    RECIPIENT = "recipient"
    AWAY = "away"
    """For a recipient too; and their charger is offline."""
    OFFLINE = "offline"
    NEW_KEY = "newkey"
    OPERATOR = "operator"
    SESSION = "session"
    LATER = "later"
    """Nothing at first: they are begun during the drill."""


#: Fifty.
FULL: Final[Mapping[Group, int]] = {
    Group.RECIPIENT: 9,
    Group.AWAY: 7,
    Group.OFFLINE: 9,
    Group.NEW_KEY: 9,
    Group.OPERATOR: 8,
    Group.SESSION: 8,
}
#: As few as each phase needs.
SHORT: Final[Mapping[Group, int]] = {
    Group.RECIPIENT: 7,
    Group.AWAY: 2,
    Group.OFFLINE: 2,
    Group.NEW_KEY: 4,
    Group.OPERATOR: 4,
    Group.SESSION: 4,
}
LATER: Final = 16

#: The word that a transfer of each group shows as what it waits for.
ATTENTION: Final[Mapping[Group, str]] = {
    Group.RECIPIENT: "recipient",
    Group.AWAY: "recipient",
    Group.OFFLINE: "charger_offline",
    Group.NEW_KEY: "new_key",
    Group.OPERATOR: "operator",
    Group.SESSION: "session_running",
}
_TO_USER: Final = {"kind": "transfer_to_user", "recipient": f"{RECIPIENT}@example.com"}
_TO_OWNER: Final = {"kind": "transfer_ownership", "user_id": RECIPIENT}
MOVE: Final = {"kind": "move_to_group", "group_id": "south"}
ASKED: Final = _TO_USER
#: What is asked for.
BODY: Final[Mapping[Group, Mapping[str, str]]] = {
    Group.RECIPIENT: ASKED,
    Group.AWAY: ASKED,
    Group.OFFLINE: _TO_OWNER,
    Group.NEW_KEY: _TO_OWNER,
    Group.OPERATOR: MOVE,
    Group.SESSION: {**_TO_USER, "acceptance": "not_required"},
}
_GONE: Final = frozenset({Group.AWAY, Group.OFFLINE})


@dataclass(frozen=True)
class Town:
    """Two users who are owners of two groups, an operator, and a charge point for each transfer."""

    counts: Mapping[Group, int]

    @property
    def users(self) -> tuple[str, ...]:
        """Who has an API key."""
        return (SENDER, RECIPIENT, OPERATOR)

    @property
    def charge_points(self) -> list[dict[str, Any]]:
        """All of them, as an import has them."""
        numbered = [(group, number) for group, count in self._all for number in range(1, count + 1)]
        return [_point(group, number, place) for place, (group, number) in enumerate(numbered)]

    @property
    def there(self) -> list[dict[str, Any]]:
        """Those whose chargers are connected from the beginning."""
        return [point for point in self.charge_points if group_of(point["id"]) not in _GONE]

    @property
    def known(self) -> list[str]:
        """Those whose keys people know."""
        return [point["id"] for point in self.charge_points if group_of(point["id"]) is Group.NEW_KEY]

    @property
    def faults(self) -> dict[str, Sequence[Fault | Trouble]]:
        """Chargers that answer their new list with an error each time: an operator is asked."""
        points = (point["id"] for point in self.charge_points)
        return {point: [Trouble(Fault.ERROR, Step.LISTS)] for point in points if group_of(point) is Group.OPERATOR}

    @property
    def lines(self) -> list[dict[str, Any]]:
        """An import."""
        people = [
            {"type": "user", "id": name, "name": name.title(), "email": f"{name}@example.com", "locale": "en"}
            for name in self.users
        ]
        groups = [{"type": "group", "id": name, "name": name.title()} for name in ("north", "south")]
        roles = [
            {"type": "membership", "group_id": group["id"], "user_id": user, "role": "owner"}
            for group in groups
            for user in (SENDER, RECIPIENT)
        ]
        tags = [{"type": "tag", "group_id": name, "id_tag": name.upper()} for name in ("north", "south")]
        return [*people, *groups, *roles, *tags, *self.charge_points]

    @property
    def _all(self) -> list[tuple[Group, int]]:
        return [*self.counts.items(), (Group.LATER, LATER)]


def group_of(point: str) -> Group:
    """Give the group of a charge point's transfer."""
    return Group(point.rpartition("-")[0])


def _point(group: Group, number: int, place: int) -> dict[str, Any]:
    id_ = f"{group.value}-{number}"
    return {
        "type": "charge_point",
        "id": id_,
        "identity": id_.upper(),
        "name": f"Bay {place + 1}",
        "owner_id": SENDER,
        "group_id": "north",
        "ocpp": "1.6" if place % 2 else "2.0.1",
        "password": f"first-password-of-{id_}",
    }
