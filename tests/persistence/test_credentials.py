"""Keys are made, sent, answered, withdrawn and taken over: the rule, clause by clause, on both databases."""

import asyncio

import pytest
from sqlalchemy import select

from domain.charger import KeyAnswer
from domain.errors import Unavailable
from domain.transfer import UntilNewKey
from persistence.chargers import credentials, key_sending
from persistence.chargers.charger_keys import lock_keys, turn
from persistence.chargers.credentials import CredentialStatus
from persistence.chargers.upgrades import Entry
from persistence.session import PATIENT_LOCK_WAIT_SECONDS, Database
from persistence.tables import ChargePoint
from persistence.vault import Vault
from tests.gateway.world import CP, OLD_KEY, ORDER, add_transfer, keys, seed
from tests.persistence.rule import NOW, Rule
from tests.persistence.waiting import until_waiting

OTHER = "order-2"


@pytest.fixture
def lock_wait() -> float:
    """Longer than it takes to see that somebody waits."""
    return PATIENT_LOCK_WAIT_SECONDS


@pytest.fixture
async def rule(database: Database, vault: Vault) -> Rule:
    await seed(database, vault)
    return Rule(database, vault)


async def test_a_key_is_forty_hex_digits_kept_as_macs_and_sealed(rule: Rule) -> None:
    key = await rule.make()
    assert len(bytes.fromhex(key)) == 20
    row = (await keys(rule.database))["pending"]
    assert key not in repr(vars(row))
    assert rule.vault.matches("credential", key.encode(), row.mac)
    assert rule.vault.matches("credential", bytes.fromhex(key), row.mac_decoded or "")


async def test_a_repeat_of_the_order_gives_the_same_key(rule: Rule) -> None:
    assert await rule.make() == await rule.make()


async def test_a_repeat_after_the_proof_makes_no_new_key(rule: Rule) -> None:
    key = await rule.make()
    assert (await rule.come(key)).entry is Entry.PROVED
    await rule.change_hands()
    assert "pending" not in await keys(rule.database)


async def test_accepted_stays_on_record_and_unknown_overwrites_nothing(rule: Rule) -> None:
    await rule.make()
    await rule.send()
    assert (await rule.status()).answer == "unknown"
    await rule.send(KeyAnswer.REBOOT_REQUIRED)
    await rule.send(KeyAnswer.UNKNOWN)
    assert (await rule.status()).answer == "reboot_required"
    for answer in (KeyAnswer.ACCEPTED, KeyAnswer.REJECTED, KeyAnswer.UNKNOWN):
        await rule.send(answer)
        assert (await rule.status()).answer == "accepted"


@pytest.mark.parametrize("answer", [None, KeyAnswer.REJECTED, KeyAnswer.NOT_SUPPORTED])
async def test_withdrawing_a_key_that_the_charger_cannot_hold_drops_it(rule: Rule, answer: KeyAnswer | None) -> None:
    key = await rule.make()
    if answer is not None:
        await rule.send(answer)
    await rule.withdraw()
    assert (await rule.come(key)).entry is Entry.REFUSED
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT
    assert (await keys(rule.database))["revoked"].sealed_key is None
    assert (await rule.status()).answer == (answer and answer.value)


@pytest.mark.parametrize("sent", [None, KeyAnswer.UNKNOWN, KeyAnswer.ACCEPTED, KeyAnswer.REBOOT_REQUIRED])
@pytest.mark.parametrize("with_new", [False, True])
@pytest.mark.parametrize("then_refused", [False, True])
async def test_withdrawing_a_key_that_the_charger_may_hold_leaves_both_good_until_one_is_used(
    rule: Rule, sent: KeyAnswer | None, with_new: bool, then_refused: bool
) -> None:
    key = await rule.make(quarantines_old=True)
    await rule.send(sent)
    if then_refused:
        await rule.send(KeyAnswer.REJECTED)
    await rule.withdraw()
    await rule.withdraw()
    if with_new:
        assert (await rule.come(key)).entry is Entry.SETTLED
        assert (await rule.come(OLD_KEY)).entry is Entry.REFUSED
    else:
        assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT
        await rule.start()
        assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT, "it may need a restart for the key"
        assert "pending" in await keys(rule.database)
        await rule.start()
        assert (await rule.come(key)).entry is Entry.REFUSED
        assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT
    assert not (await rule.status()).proven
    assert all(row.sealed_key is None for row in (await keys(rule.database)).values())


async def test_a_refusal_does_not_outlast_the_next_sending(rule: Rule) -> None:
    key = await rule.make()
    await rule.send(KeyAnswer.REJECTED)
    await rule.send()  # its answer is lost: it may have taken it this time
    await rule.withdraw()
    assert (await rule.come(key)).entry is Entry.SETTLED


async def test_withdrawing_after_the_proof_changes_nothing(rule: Rule) -> None:
    key = await rule.make()
    await rule.come(key)
    await rule.withdraw()
    assert (await rule.come(key)).entry is Entry.CURRENT
    assert (await rule.status()).proven


async def test_a_withdrawn_key_is_not_sent(rule: Rule) -> None:
    await rule.make()
    await rule.send(KeyAnswer.ACCEPTED)
    await rule.withdraw()
    async with rule.database.writing() as rows:
        assert await key_sending.record_sent(rows, rule.vault, CP, await rule.connection(rows), NOW) is None


async def test_the_next_order_takes_a_withdrawn_key_over_rather_than_make_a_third(rule: Rule) -> None:
    key = await rule.make()
    await rule.send()  # its reply was lost, and so was who waited for it
    await rule.withdraw()
    assert await rule.make(OTHER) == key
    assert await rule.status(OTHER) == CredentialStatus(has_key=True)
    assert await rule.status() == CredentialStatus()
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT  # the present holder's key
    await rule.withdraw(OTHER)  # never sent by this order, but by the one before
    assert (await rule.come(key)).entry is Entry.SETTLED


async def test_the_next_order_takes_a_due_key_over_and_the_former_owners_stays_quarantined(rule: Rule) -> None:
    key = await rule.make()
    await rule.send()
    assert await rule.make(OTHER) == key
    assert (await rule.come(OLD_KEY)).entry is Entry.QUARANTINED
    assert (await rule.come(key)).entry is Entry.PROVED
    assert (await rule.status(OTHER)).proven
    assert not (await rule.status()).proven


@pytest.mark.parametrize("answer", [None, KeyAnswer.ACCEPTED])
async def test_a_due_key_that_was_taken_over_is_due_again_where_the_next_order_is_rolled_back(
    rule: Rule, answer: KeyAnswer | None
) -> None:
    key = await rule.make()
    await rule.make(OTHER)
    if answer is not None:
        await rule.send(answer)
    async with rule.database.writing() as rows:
        await credentials.withdraw(rows, CP, OTHER, NOW)
        assert await credentials.is_pending(rows, CP, ORDER)
    assert (await rule.come(OLD_KEY)).entry is Entry.QUARANTINED
    assert (await rule.come(key)).entry is Entry.PROVED
    assert (await rule.status()).proven


async def test_a_key_that_was_withdrawn_is_nothing_that_anybody_waits_for(rule: Rule) -> None:
    await rule.make()
    await rule.send()
    for withdrawn in (False, True):
        if withdrawn:
            await rule.withdraw()
        async with rule.database.reading() as rows:
            assert await credentials.is_pending(rows, CP, ORDER) is not withdrawn
    assert "pending" in await keys(rule.database), "it may have taken it"


async def test_after_a_proof_the_next_order_makes_a_fresh_key(rule: Rule) -> None:
    key = await rule.make()
    await rule.come(key)
    fresh = await rule.make(OTHER)
    assert fresh != key
    assert (await rule.come(fresh)).entry is Entry.PROVED
    assert (await rule.come(key)).entry is Entry.REFUSED


async def test_a_change_that_somebody_else_was_faster_with_is_refused(rule: Rule) -> None:
    await rule.make()
    async with rule.database.writing() as rows:
        seen = (await lock_keys(rows, CP)).pending
    assert seen is not None
    await rule.come(await rule.key())
    with pytest.raises(Unavailable):
        async with rule.database.writing() as rows:
            await turn(rows, seen, answer="accepted")


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("until_new_key", UntilNewKey)
async def test_a_key_left_due_quarantines_the_old_one_until_the_charger_refuses_it(
    rule: Rule, held: bool, until_new_key: UntilNewKey
) -> None:
    key = await rule.make()
    if held:
        await rule.send()
    async with rule.database.writing() as rows:
        await credentials.leave_due(rows, CP, OTHER)
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT  # another order's
    async with rule.database.writing() as rows:
        await credentials.leave_due(rows, CP, ORDER)
        assert not await credentials.refuse_unattended(rows, CP, NOW), "no refusal yet"
    assert (await rule.come(OLD_KEY)).entry is Entry.QUARANTINED
    await rule.send(KeyAnswer.REJECTED)
    await add_transfer(rule.database, until_new_key)
    async with rule.database.writing() as rows:
        assert await credentials.refuse_unattended(rows, CP, NOW)
    opens = Entry.CURRENT if until_new_key is UntilNewKey.SERVE else Entry.QUARANTINED
    assert (await rule.come(OLD_KEY)).entry is opens
    assert (await rule.come(key)).entry is (opens if held else Entry.REFUSED)


async def test_the_next_order_that_takes_a_key_over_attends_to_it_again(rule: Rule) -> None:
    await rule.make()
    async with rule.database.writing() as rows:
        await credentials.leave_due(rows, CP, ORDER)
    await rule.make(OTHER)
    assert not (await keys(rule.database))["pending"].unattended


async def test_an_answer_that_arrives_after_the_proof_changes_nothing(rule: Rule) -> None:
    key = await rule.make()
    async with rule.database.writing() as rows:
        sent = await key_sending.record_sent(rows, rule.vault, CP, await rule.connection(rows), NOW)
    assert sent is not None
    assert sent.text == key
    assert key not in repr(sent)
    await rule.come(key)
    async with rule.database.writing() as rows:
        await key_sending.record_answer(rows, CP, sent.credential_id, KeyAnswer.REJECTED, counts=True)
    assert (await rule.come(key)).entry is Entry.CURRENT


async def test_who_finds_no_key_still_keeps_others_from_making_one(rule: Rule) -> None:
    async with rule.database.writing() as rows:
        await credentials.revoke_all(rows, CP, NOW)
    async with rule.database.writing() as rows:
        assert (await lock_keys(rows, CP)).current is None
        other = asyncio.create_task(rule.type_in("0" * 40))
        await until_waiting(rule.database, other)
        assert set(await keys(rule.database)) == {"revoked"}
    await other


async def test_an_answer_takes_the_locks_in_the_order_of_everybody_else(rule: Rule) -> None:
    """Who holds a key and waits for its charge point meets one who holds the charge point and waits for its keys."""
    await rule.make()
    async with rule.database.writing() as rows:
        sent = await key_sending.record_sent(rows, rule.vault, CP, await rule.connection(rows), NOW)
    assert sent is not None

    async def answer() -> None:
        async with rule.database.writing() as another:
            await key_sending.record_answer(another, CP, sent.credential_id, KeyAnswer.REJECTED, counts=True)
            await credentials.refuse_unattended(another, CP, NOW)

    async with rule.database.writing() as rows:
        await rows.execute(select(ChargePoint.id).where(ChargePoint.id == CP).with_for_update(key_share=True))
        answering = asyncio.create_task(answer())
        await until_waiting(rule.database, answering)
        assert (await lock_keys(rows, CP)).pending is not None
    await answering
    assert (await rule.status()).answer == "rejected"
