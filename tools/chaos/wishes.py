"""What people ask for: any transfer that makes sense for a charge point as it stands, and how it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final

from tools.chaos.town import ROLES, USERS, email_of, phone_of


class Course(StrEnum):
    """What people do about a transfer once it is asked for."""

    LET_BE = "let be"
    ACCEPT = "accept"
    ACCEPT_BY_LINK = "accept by link"
    DECLINE = "decline"
    CANCEL = "cancel"
    EXPIRE = "expire"
    ALL_AT_ONCE = "all at once"


_ASKED: Final[Mapping[Course, int]] = {
    Course.ACCEPT: 45, Course.ACCEPT_BY_LINK: 15, Course.DECLINE: 10, Course.CANCEL: 8, Course.EXPIRE: 7,
    Course.ALL_AT_ONCE: 15,
}  # fmt: skip
_NOT_ASKED: Final[Mapping[Course, int]] = {Course.LET_BE: 85, Course.CANCEL: 15}


@dataclass(frozen=True)
class Wish:
    """One request: whose, what, and what becomes of it; `decider` may accept, and chooses what a known key opens."""

    sender: str
    decider: str
    body: Mapping[str, Any]
    course: Course
    until_new_key: str = "serve"


def wish(point: Mapping[str, Any], chance: Random) -> Wish:
    """Think of a request for a charge point as the API shows it."""
    sender, decider, what = _what(str(point["owner_id"]), str(point["group_id"]), chance)
    asked = chance.random() < (0.65 if what["kind"] == "transfer_to_user" else 0.3)
    courses = _ASKED if asked else _NOT_ASKED
    course = chance.choices(list(courses), list(courses.values()))[0]
    if course is Course.ACCEPT_BY_LINK and "@" not in what.get("recipient", ""):
        course = Course.ACCEPT
    body = {
        **what,
        "acceptance": "required" if asked else "not_required",
        "running_session": chance.choice(["wait", "stop"]),
        "if_offline": chance.choices(["complete", "roll_back"], [7, 3])[0],
    }
    until_new_key = chance.choices(["serve", "quarantine"], [3, 2])[0]
    if asked:
        body["expires_in"] = "PT4S" if course is Course.EXPIRE else "PT45S"
    else:
        body["until_new_key"] = until_new_key
    return Wish(sender, decider, body, course, until_new_key)


def _what(owner: str, group: str, chance: Random) -> tuple[str, str, dict[str, Any]]:
    """Give sender, decider, and what is asked for."""
    members = ROLES.get(group, {owner: "owner"})
    target = chance.choice([name for name in ROLES if name != group])
    movers = sorted(set(members) & set(ROLES[target]))
    kinds = ["transfer_to_user", "transfer_to_user"]
    kinds += ["move_to_group"] * 2 if movers else []
    kinds += ["transfer_ownership"] * 2 if len(members) > 1 else []
    kind = chance.choice(kinds)
    if kind == "move_to_group":
        decider = chance.choice([user for user, role in ROLES[target].items() if role == "owner"])
        return chance.choice(movers), decider, {"kind": kind, "group_id": target}
    if kind == "transfer_ownership":
        recipient = chance.choice(sorted(set(members) - {owner}))
        return owner, recipient, {"kind": kind, "user_id": recipient}
    recipient = chance.choice([user for user in USERS if user != owner])
    address = chance.choices([email_of(recipient), phone_of(recipient)], [3, 1])[0]
    connection = chance.choices(["keep", "delete"], [4, 1])[0]
    return owner, recipient, {"kind": kind, "recipient": address, "connection": connection}
