"""Everybody who may ask for a transfer: every combination of roles, ownership and staff."""

import itertools
from dataclasses import dataclass

from domain.charge_point import ChargePoint, Holding
from domain.errors import REFUSALS, Refusal
from domain.ids import ChargePointId, GroupId, UserId
from domain.rights import (
    Role,
    Scope,
    Sender,
)

OWNER, SENDER, OTHER = UserId("owner"), UserId("sender"), UserId("other")
GROUP, TARGET = GroupId("group"), GroupId("target")
ROLES = ("owner", "admin", "member", None)
#: The owner of a charge point is always an owner or admin of its group.
POINT = ChargePoint(ChargePointId("cp"), Holding(OWNER, GROUP), version=3)


@dataclass(frozen=True)
class Case:
    """Who asks: their roles here and in the target, whether the charge point is theirs, whether they are staff."""

    here: str | None
    there: str | None
    owns: bool
    operator: bool

    @property
    def sender(self) -> Sender:
        return Sender(
            id=OWNER if self.owns else SENDER,
            role=Role(self.here) if self.here else None,
            role_in_target=Role(self.there) if self.there else None,
            scopes=frozenset({Scope.OPERATOR}) if self.operator else frozenset(),
        )


CASES = [
    Case(here, there, owns, operator)
    for here, there, owns, operator in itertools.product(ROLES, ROLES, (True, False), (True, False))
    if not owns or here in ("owner", "admin")
]


def outcome(answer: object) -> object:
    """What a check gave, or the kind of its refusal, as callers tell it by its code."""
    try:
        return answer() if callable(answer) else answer
    except Refusal as refusal:
        return REFUSALS[refusal.code]
