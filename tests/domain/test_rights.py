"""Who may give a charge point to somebody: every combination of roles, held against docs/rules.md's table."""

import pytest

from domain.charge_point import Holding
from domain.errors import NotAllowed, NotPossible
from domain.ids import GroupId, UserId
from domain.kinds import TransferKind
from domain.rights import (
    Role,
    Scope,
    Sender,
    check_ownership,
    check_recipient,
    check_to_user,
    is_asked_over_owner,
)
from domain.transfer import Acceptance
from tests.domain.cases import CASES, GROUP, OTHER, OWNER, POINT, ROLES, SENDER, TARGET, Case, outcome

# --- transfer_ownership -------------------------------------------------------------------------------------------


def disposes(case: Case) -> bool:
    """docs/rules.md: the charge point's owner, or an owner of its group; operators any."""
    return case.owns or case.here == "owner" or case.operator


@pytest.mark.parametrize("recipient_role", ROLES)
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_ownership_goes_to_another_owner_or_admin_of_the_group(case: Case, recipient_role: str | None) -> None:
    role = Role(recipient_role) if recipient_role else None
    got = outcome(lambda: check_ownership(POINT, case.sender, OTHER, role))
    if not disposes(case):
        assert got is NotAllowed
    elif recipient_role in ("owner", "admin"):
        assert got == Holding(OTHER, GROUP)
    else:
        assert got is NotPossible


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_ownership_goes_neither_to_oneself_nor_to_the_present_owner(case: Case) -> None:
    refused = NotPossible if disposes(case) else NotAllowed
    assert outcome(lambda: check_ownership(POINT, case.sender, OWNER, Role.OWNER)) is refused
    assert outcome(lambda: check_ownership(POINT, case.sender, case.sender.id, Role.OWNER)) is refused


# --- transfer_to_user ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_user_is_given_it_by_who_disposes_of_it(case: Case) -> None:
    got = outcome(lambda: check_to_user(POINT, case.sender, Acceptance.REQUIRED))
    assert got is (None if disposes(case) else NotAllowed)


@pytest.mark.parametrize("scopes", [set(), {Scope.OPERATOR}, {Scope.WITHOUT_ACCEPTANCE}, set(Scope)], ids=repr)
@pytest.mark.parametrize("case", [case for case in CASES if not case.operator], ids=repr)
def test_leaving_out_the_acceptance_takes_its_scope_beside_the_right(case: Case, scopes: set[Scope]) -> None:
    sender = Sender(case.sender.id, case.sender.role, case.sender.role_in_target, frozenset(scopes))
    allowed = (disposes(case) or Scope.OPERATOR in scopes) and Scope.WITHOUT_ACCEPTANCE in scopes
    got = outcome(lambda: check_to_user(POINT, sender, Acceptance.NOT_REQUIRED))
    assert got is (None if allowed else NotAllowed)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_recipient_gets_it_into_their_personal_group_unless_it_is_theirs(case: Case) -> None:
    personal = GroupId("personal")
    assert check_recipient(POINT, case.sender, OTHER, personal) == Holding(OTHER, personal)
    assert outcome(lambda: check_recipient(POINT, case.sender, case.sender.id, personal)) is NotPossible
    assert outcome(lambda: check_recipient(POINT, case.sender, OWNER, personal)) is NotPossible
    assert outcome(lambda: check_recipient(POINT, case.sender, OTHER, GROUP)) is NotPossible


# --- asked over the owner -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "after", "kind", "over"),
    [
        (OWNER, Holding(OTHER, TARGET), TransferKind.TRANSFER_TO_USER, False),
        (OWNER, None, TransferKind.TRANSFER_TO_USER, False),
        (OWNER, Holding(OTHER, GROUP), TransferKind.TRANSFER_OWNERSHIP, False),
        (OWNER, Holding(OWNER, TARGET), TransferKind.MOVE_TO_GROUP, False),
        (SENDER, Holding(OTHER, TARGET), TransferKind.TRANSFER_TO_USER, True),
        (SENDER, None, TransferKind.TRANSFER_TO_USER, True),
        (SENDER, Holding(OTHER, GROUP), TransferKind.TRANSFER_OWNERSHIP, True),
        (SENDER, Holding(SENDER, TARGET), TransferKind.MOVE_TO_GROUP, True),
        (SENDER, Holding(OWNER, TARGET), TransferKind.MOVE_TO_GROUP, False),
    ],
)
def test_an_owner_is_told_where_it_is_taken_from_them_unasked(
    sender: UserId, after: Holding | None, kind: TransferKind, over: bool
) -> None:
    assert is_asked_over_owner(POINT, sender, after, kind) is over
