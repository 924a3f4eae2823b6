"""Who may move a charge point to another group, held against docs/rules.md's table written out line by line."""

import pytest

from domain.charge_point import Holding
from domain.errors import NotAllowed, NotPossible
from domain.ids import UserId
from domain.rights import (
    Role,
    check_move,
)
from tests.domain.cases import CASES, GROUP, OWNER, POINT, ROLES, SENDER, TARGET, Case, outcome

#: (sender's role here, in the target, is the owner, owner's role in the target) → who owns it then.
#: Left out: everybody else, who may not ask. Written line by line from docs/rules.md's table of kinds.
MOVES: dict[tuple[str, str, bool, str | None], UserId] = {
    # the charge point's owner, owner or admin of both groups: stays its owner
    ("owner", "owner", True, "owner"): OWNER,
    ("owner", "admin", True, "admin"): OWNER,
    ("admin", "owner", True, "owner"): OWNER,
    ("admin", "admin", True, "admin"): OWNER,
    # another owner or admin of both groups, the charge point's owner being owner or admin of the target: stays
    ("owner", "owner", False, "owner"): OWNER,
    ("owner", "owner", False, "admin"): OWNER,
    ("owner", "admin", False, "owner"): OWNER,
    ("owner", "admin", False, "admin"): OWNER,
    ("admin", "owner", False, "owner"): OWNER,
    ("admin", "owner", False, "admin"): OWNER,
    ("admin", "admin", False, "owner"): OWNER,
    ("admin", "admin", False, "admin"): OWNER,
    # the owner would change: of the two roles only an owner of its group may, and becomes its owner
    ("owner", "owner", False, "member"): SENDER,
    ("owner", "owner", False, None): SENDER,
    ("owner", "admin", False, "member"): SENDER,
    ("owner", "admin", False, None): SENDER,
}


def consistent(case: Case, owner_there: str | None) -> bool:
    """The owner who asks has one role in the target, not two."""
    return not case.owns or case.there == owner_there


@pytest.mark.parametrize("owner_there", ROLES)
@pytest.mark.parametrize("case", [case for case in CASES if not case.operator], ids=repr)
def test_a_move_goes_to_whom_the_table_says(case: Case, owner_there: str | None) -> None:
    if not consistent(case, owner_there):
        return
    role = Role(owner_there) if owner_there else None
    expected = MOVES.get((case.here or "", case.there or "", case.owns, owner_there))
    got = outcome(lambda: check_move(POINT, case.sender, TARGET, role))
    assert got == (NotAllowed if expected is None else Holding(expected, TARGET))


@pytest.mark.parametrize("owner_there", ROLES)
@pytest.mark.parametrize("case", [case for case in CASES if case.operator], ids=repr)
def test_an_operator_may_move_anything_that_ends_with_an_owner_who_is_admin_there(
    case: Case, owner_there: str | None
) -> None:
    if not consistent(case, owner_there):
        return
    role = Role(owner_there) if owner_there else None
    got = outcome(lambda: check_move(POINT, case.sender, TARGET, role))
    if owner_there in ("owner", "admin"):
        assert got == Holding(OWNER, TARGET)
    elif case.there in ("owner", "admin"):
        assert got == Holding(SENDER, TARGET)
    else:
        assert got is NotPossible


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_nobody_moves_a_charge_point_to_the_group_it_is_in(case: Case) -> None:
    assert outcome(lambda: check_move(POINT, case.sender, GROUP, Role.OWNER)) is NotPossible
