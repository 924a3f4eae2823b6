"""What the kinds of transfer differ in, as docs/rules.md says."""

import pytest

from domain.kinds import Decider, FoundBy, KindRules, TransferKind, kinds_that, rules_of
from domain.transfer import Acceptance

RULES = {
    TransferKind.MOVE_TO_GROUP: KindRules(FoundBy.GROUP_ID, Decider.TARGET_GROUP_OWNERS, Acceptance.NOT_REQUIRED),
    TransferKind.TRANSFER_OWNERSHIP: KindRules(FoundBy.USER_ID, Decider.RECIPIENT, Acceptance.NOT_REQUIRED),
    TransferKind.TRANSFER_TO_USER: KindRules(
        FoundBy.RECIPIENT, Decider.RECIPIENT, Acceptance.REQUIRED, hides_recipient=True, may_delete=True
    ),
}


@pytest.mark.parametrize("kind", TransferKind)
def test_a_kind_goes_by_its_rules(kind: TransferKind) -> None:
    assert rules_of(kind) == RULES[kind]


@pytest.mark.parametrize("kind", TransferKind)
def test_who_is_found_by_an_address_is_hidden(kind: TransferKind) -> None:
    """Else a request would tell whose an address is."""
    rules = rules_of(kind)
    assert rules.hides_recipient or rules.found_by is not FoundBy.RECIPIENT


def test_a_condition_on_rows_has_the_words_of_its_kinds() -> None:
    assert kinds_that(lambda rules: rules.decider is Decider.TARGET_GROUP_OWNERS) == {"move_to_group"}
    assert kinds_that(lambda rules: rules.hides_recipient) == {"transfer_to_user"}
