"""What a charger may be told outside any transfer: who may ask, and when; each refusal says what to do."""

from dataclasses import replace

import pytest

from domain.charger_orders import ChargerOrder, Facts, KeyFacts, check_keeper, check_order, check_replaceable
from domain.errors import NotAllowed, NotPossible, Refusal, TransferInProgress
from domain.ids import UserId
from domain.keys import KnownTo
from domain.transfer import Attention

OWNER, OTHER = UserId("owner"), UserId("other")
KEY = KeyFacts(KnownTo.CHARGER, owners=True, other_awaited=False, transfer_at_work=False)
READY = Facts(OWNER, KEY, Attention.NONE, connected=True, quarantined=False, session_running=False)
AT_WORK = replace(READY, key=replace(KEY, transfer_at_work=True))


def test_the_owner_and_operators_may_ask_and_nobody_else() -> None:
    check_keeper(OWNER, OWNER, operator=False, wish="have it restarted")
    check_keeper(OWNER, OTHER, operator=True, wish="have it restarted")
    with pytest.raises(NotAllowed, match="may have it restarted; ask them"):
        check_keeper(OWNER, OTHER, operator=False, wish="have it restarted")


@pytest.mark.parametrize("order", ChargerOrder)
def test_a_charger_that_is_there_may_be_told(order: ChargerOrder) -> None:
    check_order(order, READY)


@pytest.mark.parametrize("known_to", KnownTo)
@pytest.mark.parametrize("owners", [True, False])
def test_a_key_that_a_former_owner_may_know_is_not_replaced_by_sending_one(known_to: KnownTo, owners: bool) -> None:
    """One that only the charger knows is, however old: no person has it."""
    key = replace(KEY, known_to=known_to, owners=owners)
    if known_to is KnownTo.PEOPLE and not owners:
        with pytest.raises(NotPossible, match=r"former owner may know it.*/connection.*type them"):
            check_replaceable(key)
    else:
        check_replaceable(key)


@pytest.mark.parametrize(
    ("facts", "order", "refusal", "said"),
    [
        (replace(READY, key=replace(KEY, known_to=None)), "rotate_key", NotPossible, "has no key: have new cred"),
        (replace(READY, key=replace(KEY, other_awaited=True)), "rotate_key", NotPossible, "waited for: type that one"),
        (AT_WORK, "rotate_key", TransferInProgress, "wait for its end"),
        (replace(AT_WORK, attention=Attention.NEW_KEY), "rotate_key", TransferInProgress, "wait for its end"),
        (AT_WORK, "identify", TransferInProgress, "wait for its end"),
        (replace(AT_WORK, attention=Attention.OPERATOR), "identify", TransferInProgress, "wait for its end"),
        (replace(AT_WORK, attention=Attention.NEW_KEY), "identify", None, ""),
        (replace(READY, key=replace(KEY, known_to=KnownTo.PEOPLE, owners=False)), "identify", None, ""),
        (replace(READY, session_running=True), "identify", NotPossible, "session runs.*once it has ended"),
        (replace(READY, session_running=True), "rotate_key", None, ""),
        *((replace(READY, connected=False), order, NotPossible, "not connected.*ask again") for order in ChargerOrder),
        *(
            (replace(READY, quarantined=True), order, NotPossible, "in quarantine.*/connection")
            for order in ChargerOrder
        ),
    ],
)
def test_what_stands_in_the_way_says_what_to_do(
    facts: Facts, order: str, refusal: type[Refusal] | None, said: str
) -> None:
    if refusal is None:
        check_order(ChargerOrder(order), facts)
    else:
        with pytest.raises(refusal, match=said):
            check_order(ChargerOrder(order), facts)
