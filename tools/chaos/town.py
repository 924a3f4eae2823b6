"""Who and what there is: users, groups, charge points in both versions of OCPP, and what is wrong with some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tools.simulator.faults import STRIKES, Fault, Step, Trouble, needed_with

OPERATOR: Final = "olga"
#: Two teams that overlap: who is in both may move a charge point from one to the other.
ROLES: Final[Mapping[str, Mapping[str, str]]] = {
    "north": {"ada": "owner", "bob": "owner", "cleo": "admin"},
    "south": {"bob": "admin", "cleo": "owner", "dan": "owner"},
}
#: Two users have nothing but their personal groups.
USERS: Final = ("ada", "bob", "cleo", "dan", "eve", "finn")
#: How many charge points in a hundred have something wrong with them.
_FAULTY: Final = 40

#: What no run is without: two faults that bring a transfer to an operator, one that keeps it waiting, one that keeps a
#: charger from being enrolled.
_ALWAYS: Final = (
    Trouble(Fault.LIE),
    Trouble(Fault.ERROR, Step.LISTS),
    Trouble(Fault.NEVER_RETURN),
    Trouble(Fault.REJECT, Step.ENROL),
)
#: The one model that is enrolled, and one that is not: its chargers have the key that people know for as long as nobody
#: types another.
ENROLLED_MODEL: Final = "Handover demo"
OTHER_MODEL: Final = "Handover old"
#: Of so many charge points a former owner's client attacks one; of so many of these one is enrolled all the same; of so
#: many that nobody attacks one is not.
_ATTACKED_OF: Final = 3
_ENROLLED_OF: Final = 3
_OTHER_OF: Final = 5


@dataclass(frozen=True)
class Town:
    """What is put in at the start."""

    lines: Sequence[Mapping[str, Any]]
    """An import."""
    faults: Mapping[str, Sequence[Trouble]]
    """By the id of the charge point."""
    attacked: Sequence[str] = ()
    """The ids of charge points whose first password somebody else knows, and comes with."""
    models: Mapping[str, str] = field(default_factory=dict)
    """The models of those that are not the one that is enrolled."""

    @property
    def charge_points(self) -> list[Mapping[str, Any]]:
        """Its charge points, as the import has them."""
        return [line for line in self.lines if line["type"] == "charge_point"]


def phone_of(user: str) -> str:
    """Give a user's phone number."""
    return f"+3361234560{USERS.index(user)}"


def email_of(user: str) -> str:
    """Give a user's e-mail address."""
    return f"{user}@example.com"


def build(charge_points: int, chance: Random) -> Town:
    """Make a town of so many charge points."""
    points = [_point(number, chance) for number in range(1, charge_points + 1)]
    others = [Trouble(fault, step) for fault, steps in STRIKES.items() for step in sorted(steps)]
    troubles = [*_ALWAYS, *chance.sample(others, len(others))]
    faulty = chance.sample([str(point["id"]) for point in points], charge_points * _FAULTY // 100)
    faults = {point: needed_with(troubles[number % len(troubles)]) for number, point in enumerate(faulty)}
    for point in points:  # those that name no version are taken for ones of 1.6
        if point["ocpp"] != "1.6" and Trouble(Fault.NO_SUBPROTOCOL) in faults.get(str(point["id"]), ()):
            del faults[str(point["id"])]
    attacked = _attacked(points, chance)
    spared = [str(point["id"]) for point in points if point["id"] not in attacked]
    models = {point: OTHER_MODEL for number, point in enumerate(attacked) if number % _ENROLLED_OF != 1}
    models |= dict.fromkeys(spared[::_OTHER_OF], OTHER_MODEL)
    return Town([*_people(), *_teams(), *points], faults, attacked, models)


def _attacked(points: Sequence[Mapping[str, Any]], chance: Random) -> list[str]:
    """Choose as many of either version of OCPP."""
    each = max(1, len(points) // _ATTACKED_OF // 2)
    found: list[str] = []
    for version in ("1.6", "2.0.1"):
        found += chance.sample([str(point["id"]) for point in points if point["ocpp"] == version], each)
    return found


def _people() -> list[Mapping[str, Any]]:
    users = [
        {
            "type": "user",
            "id": user,
            "name": user.title(),
            "email": email_of(user),
            "phone": phone_of(user),
            "locale": "fr-FR" if number % 2 else "en",
        }
        for number, user in enumerate(USERS)
    ]
    operator = {"type": "user", "id": OPERATOR, "name": "Olga", "email": email_of(OPERATOR), "locale": "en"}
    tags = [{"type": "tag", "group_id": f"personal-{user}", "id_tag": user.upper()} for user in USERS]
    return [*users, operator, *tags]


def _teams() -> list[Mapping[str, Any]]:
    groups = [{"type": "group", "id": group, "name": group.title()} for group in ROLES]
    roles = [
        {"type": "membership", "group_id": group, "user_id": user, "role": role}
        for group, members in ROLES.items()
        for user, role in members.items()
    ]
    tags = [
        {"type": "tag", "group_id": group, "id_tag": f"{group.upper()}{number}"} for group in ROLES for number in (1, 2)
    ]
    return [*groups, *roles, *tags]


def _point(number: int, chance: Random) -> Mapping[str, Any]:
    group = ("north", "south", "")[number % 3]
    owner = chance.choice(sorted(ROLES[group]) if group else USERS)
    return {
        "type": "charge_point",
        "id": f"cp-{number}",
        "identity": f"CP-{number}",
        "name": f"Bay {number}",
        "owner_id": owner,
        "group_id": group or f"personal-{owner}",
        "ocpp": "1.6" if number % 2 else "2.0.1",
        "password": f"{chance.getrandbits(160):040x}",
    }
