"""Who may know a key decides what becomes of it: enrolment, a change of owner, the key that a new owner types."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from domain.charger import KeyAnswer
from domain.errors import TransferInProgress
from domain.keys import KeyPurpose, KnownTo
from domain.transfer import UntilNewKey
from persistence.chargers import credentials, key_sending, present_connections, typed_keys, upgrades
from persistence.chargers.key_sending import Connection
from persistence.chargers.upgrades import Entry, OldKeys, RefusedFor
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, Credential, Transfer
from persistence.transfers import transfers
from persistence.vault import Vault
from tests.gateway.world import CP, IDENTITY, OLD_KEY, ORDER, add_transfer, change_owner, keys, seed
from tests.persistence.rule import NOW, Rule

TYPED = "0123456789abcdef0123456789abcdef01234567"
LATER_TYPED = "f" * 40
OTHER = "order-2"


@pytest.fixture
async def rule(database: Database, vault: Vault) -> Rule:
    """The rule, beginning with a key that people know."""
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    return Rule(database, vault)


async def enrol(rule: Rule, answer: KeyAnswer | None = None, *, asked: bool = False) -> str | None:
    """Make the key of an enrolment and send it; None where none may be made."""
    async with rule.database.writing() as rows:
        made = await credentials.make_own(rows, rule.vault, CP, NOW, asked=asked)
    if made is None:
        return None
    await rule.send(answer)
    if answer in {KeyAnswer.REJECTED, KeyAnswer.NOT_SUPPORTED}:
        async with rule.database.writing() as rows:
            assert await key_sending.refuse_own(rows, CP, NOW)
        return ""
    return await rule.key()


async def point(rule: Rule) -> ChargePoint:
    async with rule.database.reading() as rows:
        return await rows.get_one(ChargePoint, CP)


# --- enrolment ----------------------------------------------------------------------------------------------------


async def test_a_key_that_people_know_is_replaced_by_one_that_only_the_charger_does(rule: Rule) -> None:
    key = await enrol(rule, KeyAnswer.ACCEPTED)
    assert key
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT, "nothing is quarantined before the proof"
    proved = await rule.come(key)
    assert (proved.entry, proved.known_to) == (Entry.PROVED, KnownTo.CHARGER)
    refused = await rule.come(OLD_KEY)
    assert (refused.entry, refused.refused_for) == (Entry.REFUSED, RefusedFor.ENDED)
    assert (await point(rule)).rotates is True
    assert await enrol(rule) is None, "it is enrolled"


async def test_a_key_that_was_sent_over_two_connections_is_known_to_people_and_replaced_anew(rule: Rule) -> None:
    key = await enrol(rule)
    await rule.send()
    assert key
    assert (await rule.come(key)).known_to is KnownTo.PEOPLE
    second = await enrol(rule)
    assert second not in {None, key}


async def test_the_same_connection_may_be_sent_it_twice(rule: Rule) -> None:
    async with rule.database.writing() as rows:
        await credentials.make_own(rows, rule.vault, CP, NOW)
        connection = await rule.connection(rows)
    for _ in range(2):
        async with rule.database.writing() as rows:
            assert await key_sending.record_sent(rows, rule.vault, CP, connection, NOW)
    assert (await rule.come(await rule.key())).known_to is KnownTo.CHARGER


@pytest.mark.parametrize("answer", [KeyAnswer.REJECTED, KeyAnswer.NOT_SUPPORTED])
async def test_a_refusal_ends_it_until_the_owner_asks(rule: Rule, answer: KeyAnswer) -> None:
    assert await enrol(rule, answer) == ""
    assert (await point(rule)).rotates is False
    assert set(await keys(rule.database)) == {"current", "revoked"}
    assert await enrol(rule) is None
    assert await enrol(rule, asked=True)


async def test_one_that_was_taken_without_a_proof_is_sent_again_as_its_owner_asks(rule: Rule) -> None:
    await enrol(rule, KeyAnswer.ACCEPTED)
    async with rule.database.writing() as rows:
        assert await credentials.make_own(rows, rule.vault, CP, NOW) is None
        assert await credentials.make_own(rows, rule.vault, CP, NOW, asked=True) is KeyPurpose.ENROLMENT
    pending = (await keys(rule.database))["pending"]
    assert (pending.answer, pending.maybe_taken) == (None, True)


async def test_a_key_that_an_earlier_sending_may_have_given_it_stays_good_beside_the_old_one(rule: Rule) -> None:
    key = await enrol(rule)
    assert key
    await rule.send(KeyAnswer.REJECTED)
    async with rule.database.writing() as rows:
        await key_sending.refuse_own(rows, CP, NOW)
    assert set(await keys(rule.database)) == {"current", "beside"}
    taken_up = await rule.come(key)
    assert (taken_up.entry, taken_up.known_to) == (Entry.SETTLED, KnownTo.PEOPLE)
    async with rule.database.reading() as rows:
        entries = (await rows.scalars(select(AuditEvent).order_by(AuditEvent.sequence))).all()
    assert [(one.action, one.detail["known_to"]) for one in entries[-1:]] == [("old_key_taken_up", "people")]
    assert (await rule.come(OLD_KEY)).entry is Entry.REFUSED


@pytest.mark.parametrize("answer", [KeyAnswer.ACCEPTED, KeyAnswer.REBOOT_REQUIRED])
async def test_two_starts_with_the_old_key_show_that_it_does_not_rotate(rule: Rule, answer: KeyAnswer) -> None:
    await enrol(rule, answer)
    assert await rule.start() is None
    assert "pending" in await keys(rule.database)
    assert await rule.start() is KeyPurpose.ENROLMENT
    assert "pending" not in await keys(rule.database)
    assert (await point(rule)).rotates is False
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT


@pytest.mark.parametrize("answer", [KeyAnswer.ACCEPTED, KeyAnswer.REBOOT_REQUIRED])
async def test_a_key_that_was_taken_waits_for_its_proof_until_the_owner_asks(rule: Rule, answer: KeyAnswer) -> None:
    await enrol(rule, answer)
    assert await enrol(rule) is None
    assert await rule.start() is None
    assert await enrol(rule) is None
    assert await enrol(rule, asked=True)


async def test_starts_before_the_last_sending_show_nothing(rule: Rule) -> None:
    await enrol(rule, KeyAnswer.ACCEPTED)
    await rule.start()
    await rule.send(KeyAnswer.ACCEPTED)
    await rule.start()
    assert "pending" in await keys(rule.database)


async def test_nothing_is_enrolled_under_a_former_owners_key(rule: Rule) -> None:
    await rule.change_hands()
    assert await enrol(rule) is None
    assert await enrol(rule, asked=True) is None


async def test_after_a_roll_back_it_is_the_present_owners_again(rule: Rule) -> None:
    await rule.change_hands()
    async with rule.database.writing() as rows:
        (await rows.get_one(ChargePoint, CP)).owner_version = 0
        await credentials.restore(rows, CP, None)
    assert await enrol(rule)


@pytest.mark.parametrize("state", ["transferring", "reconfiguring", "rolling_back"])
async def test_none_is_made_or_sent_while_a_transfer_is_at_work(rule: Rule, state: str) -> None:
    async with rule.database.writing() as rows:
        await credentials.make_own(rows, rule.vault, CP, NOW)
    await add_transfer(rule.database)
    async with rule.database.writing() as rows:
        row = await rows.get_one(Transfer, ORDER)
        row.state, row.active = state, True
    assert await enrol(rule) is None
    async with rule.database.writing() as rows:
        connection = await rule.connection(rows)
        assert await key_sending.record_sent(rows, rule.vault, CP, connection, NOW) is None


# --- a change of owner --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", UntilNewKey)
async def test_where_people_know_the_key_none_is_made_and_the_old_one_opens_what_was_chosen(
    rule: Rule, until: UntilNewKey
) -> None:
    assert await rule.change_hands(until_new_key=until)
    assert set(await keys(rule.database)) == {"current"}
    opened = await rule.come(OLD_KEY)
    assert opened.entry is (Entry.CURRENT if until is UntilNewKey.SERVE else Entry.QUARANTINED)
    assert not opened.parked


@pytest.mark.parametrize("until", UntilNewKey)
@pytest.mark.parametrize("answer", [None, KeyAnswer.ACCEPTED])
async def test_an_unproven_enrolment_key_opens_what_the_old_one_does_and_proves_nothing(
    rule: Rule, until: UntilNewKey, answer: KeyAnswer | None
) -> None:
    key = await enrol(rule, answer)
    assert key
    assert await rule.change_hands(until_new_key=until)
    opens = Entry.CURRENT if until is UntilNewKey.SERVE else Entry.QUARANTINED
    for password in (OLD_KEY, key, OLD_KEY):
        opened = await rule.come(password)
        assert (opened.entry, opened.known_to) == (opens, KnownTo.PEOPLE)
    assert not (await rule.status()).proven
    async with rule.database.writing() as rows:
        connection = await rule.connection(rows)
        assert await key_sending.record_sent(rows, rule.vault, CP, connection, NOW) is None


async def test_an_enrolment_key_that_was_not_sent_is_dropped_at_the_change(rule: Rule) -> None:
    async with rule.database.writing() as rows:
        await credentials.make_own(rows, rule.vault, CP, NOW)
    key = await rule.key()
    await rule.change_hands()
    assert (await rule.come(key)).entry is Entry.REFUSED


async def test_an_enrolled_charger_gets_a_new_key_at_the_change(rule: Rule) -> None:
    enrolled = await enrol(rule)
    assert enrolled
    await rule.come(enrolled)
    key = await rule.make()
    await rule.send()
    await rule.send()
    proved = await rule.come(key)
    assert (proved.entry, proved.known_to) == (Entry.PROVED, KnownTo.CHARGER), "nobody else can have read it"


async def test_no_key_is_sent_over_a_connection_that_was_opened_with_another_than_the_chargers(rule: Rule) -> None:
    enrolled = await enrol(rule)
    assert enrolled
    async with rule.database.writing() as rows:
        former = await rule.connection(rows)  # with the key that people know
    await rule.come(enrolled)
    await rule.make()
    async with rule.database.writing() as rows:
        assert await key_sending.record_sent(rows, rule.vault, CP, former, NOW) is None
        connection = await rule.connection(rows)
        assert await key_sending.record_sent(rows, rule.vault, CP, Connection(connection.generation - 1), NOW) is None
        assert await key_sending.record_sent(rows, rule.vault, CP, connection, NOW) is not None


# --- the new owner's key ------------------------------------------------------------------------------------------


async def hand_out(rule: Rule, key: str = TYPED, order_id: str = ORDER) -> None:
    async with rule.database.writing() as rows:
        await typed_keys.hand_out(rows, rule.vault, CP, key, order_id, NOW)


@pytest.mark.parametrize("form", ["digits", "bytes"])
async def test_the_typed_key_is_the_transfers_proof_and_ends_all_others(rule: Rule, form: str) -> None:
    taken = await enrol(rule)
    assert taken
    await rule.change_hands()
    await hand_out(rule)
    assert (await rule.status()).handed_out
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT, "until the proof"
    proved = await rule.come(TYPED if form == "digits" else bytes.fromhex(TYPED))
    assert (proved.entry, proved.known_to) == (Entry.PROVED, KnownTo.PEOPLE)
    status = await rule.status()
    assert (status.proven, status.handed_out) == (True, False)
    assert (await point(rule)).until_new_key is None
    for password in (OLD_KEY, taken):
        assert (await rule.come(password)).refused_for is RefusedFor.ENDED
    assert await enrol(rule), "it is the present owner's, and people know it"


async def test_a_later_typed_key_ends_the_earlier_one(rule: Rule) -> None:
    await rule.change_hands()
    await hand_out(rule)
    await hand_out(rule, LATER_TYPED)
    assert (await rule.come(TYPED)).entry is Entry.REFUSED
    assert (await rule.come(LATER_TYPED)).entry is Entry.PROVED
    assert (await rule.status()).proven


async def test_a_typed_key_is_never_sent_nor_dropped_by_what_the_charger_does(rule: Rule) -> None:
    await rule.change_hands()
    await hand_out(rule)
    for _ in range(3):
        await rule.start()
    await rule.withdraw()
    async with rule.database.writing() as rows:
        connection = await rule.connection(rows)
        assert await key_sending.record_sent(rows, rule.vault, CP, connection, NOW) is None
    assert (await rule.come(TYPED)).entry is Entry.PROVED


async def test_a_typed_key_of_an_earlier_owner_is_as_old_as_the_current_one_at_the_next_change(rule: Rule) -> None:
    await rule.change_hands()
    await hand_out(rule)
    assert await rule.change_hands(OTHER, until_new_key=UntilNewKey.QUARANTINE)
    for password in (OLD_KEY, TYPED):
        assert (await rule.come(password)).entry is Entry.QUARANTINED
    status = await rule.status(OTHER)
    assert not status.proven
    await hand_out(rule, LATER_TYPED, OTHER)
    assert (await rule.come(LATER_TYPED)).entry is Entry.PROVED
    assert (await rule.come(TYPED)).entry is Entry.REFUSED


async def test_the_owners_own_key_is_ordinary_whatever_the_old_one_opens(rule: Rule) -> None:
    await rule.change_hands(until_new_key=UntilNewKey.QUARANTINE)
    await rule.type_in(TYPED)
    assert (await rule.come(TYPED)).entry is Entry.CURRENT


async def test_a_key_for_a_charger_that_was_sent_one_leaves_that_good_for_what_the_old_one_opens(rule: Rule) -> None:
    enrolled = await enrol(rule)
    assert enrolled
    await rule.come(enrolled)
    sent = await rule.make(quarantines_old=True)
    await rule.send()
    await hand_out(rule)
    for password in (enrolled, sent):
        assert (await rule.come(password)).entry is Entry.QUARANTINED
    assert (await rule.come(TYPED)).entry is Entry.PROVED
    assert (await rule.status()).proven


@pytest.mark.parametrize("until", UntilNewKey)
async def test_a_refusal_that_proves_nothing_makes_it_the_new_owners_to_type(rule: Rule, until: UntilNewKey) -> None:
    enrolled = await enrol(rule)
    assert enrolled
    await rule.come(enrolled)
    sent = await rule.make()
    await rule.send(KeyAnswer.REJECTED)
    async with rule.database.writing() as rows:
        await credentials.await_new_key(rows, CP, ORDER, until, NOW)
    opens = Entry.CURRENT if until is UntilNewKey.SERVE else Entry.QUARANTINED
    assert (await rule.come(enrolled)).entry is opens
    assert (await rule.come(sent)).entry is Entry.REFUSED
    await hand_out(rule)
    assert (await rule.come(TYPED)).entry is Entry.PROVED


@pytest.mark.parametrize("own", [True, False])
async def test_only_a_key_in_place_of_the_owners_own_has_it_restarted_outside_a_transfer(rule: Rule, own: bool) -> None:
    if own:
        await enrol(rule, KeyAnswer.REBOOT_REQUIRED)
    else:
        enrolled = await enrol(rule)
        assert enrolled
        await rule.come(enrolled)
        await rule.make()
        await rule.send(KeyAnswer.REBOOT_REQUIRED)
    async with rule.database.reading() as rows:
        assert await credentials.needs_restart(rows, CP) is own


async def test_no_row_is_locked_for_whoever_comes_with_the_one_settled_key(rule: Rule) -> None:
    await rule.come(OLD_KEY)
    async with rule.database.reading() as rows:
        known = await upgrades.recognise(rows, rule.vault, IDENTITY, OLD_KEY.encode())
    assert known.admission is not None
    assert known.admission.entry is Entry.CURRENT
    await enrol(rule)
    async with rule.database.reading() as rows:
        assert (await upgrades.recognise(rows, rule.vault, IDENTITY, OLD_KEY.encode())).admission is None


async def test_starts_with_the_old_key_end_no_key_that_waits_for_its_proof(rule: Rule) -> None:
    enrolled = await enrol(rule)
    assert enrolled
    await rule.come(enrolled)
    await rule.make()
    await rule.send(KeyAnswer.ACCEPTED)
    assert [await rule.start() for _ in range(3)] == [None, None, None]
    assert (await keys(rule.database))["pending"].starts_with_old == 0


async def test_a_key_that_was_sent_and_is_not_answered_yet_is_known(rule: Rule) -> None:
    async def sent_at() -> datetime | None:
        async with rule.database.reading() as rows:
            return await credentials.enrolment_sent_at(rows, CP)

    assert await sent_at() is None
    await enrol(rule)
    assert await sent_at() == NOW
    await rule.send(KeyAnswer.REBOOT_REQUIRED)
    assert await sent_at() is None


async def test_a_transfer_that_deletes_the_connection_waits_for_no_key_and_is_in_nobodys_way(rule: Rule) -> None:
    await add_transfer(rule.database)
    async with rule.database.writing() as rows:
        row = await rows.get_one(Transfer, ORDER)
        row.state, row.attention, row.connection, row.active, row.due = (
            "reconfiguring",
            "operator",
            "delete",
            True,
            False,
        )
        await rows.flush()
        assert await transfers.awaits_key(rows, CP) is None
        assert row.new_key is None


async def test_nothing_is_sent_over_a_connection_that_is_over(rule: Rule) -> None:
    async with rule.database.writing() as rows:
        assert await credentials.make_own(rows, rule.vault, CP, NOW)
        connection = await rule.connection(rows)
        assert await present_connections.release(rows, CP, connection.generation, NOW)
        assert await key_sending.record_sent(rows, rule.vault, CP, connection, NOW) is None


async def test_a_key_is_waited_for_by_an_ended_transfer_only_while_that_has_it_to_do(rule: Rule) -> None:
    await add_transfer(rule.database)
    async with rule.database.writing() as rows:
        assert await transfers.awaits_key(rows, CP) == ORDER
        (await rows.get_one(Transfer, ORDER)).due = False
        await rows.flush()
        assert await transfers.awaits_key(rows, CP) is None


async def test_which_orders_leave_no_way_back(rule: Rule) -> None:
    async def settled() -> set[str]:
        async with rule.database.reading() as rows:
            keys = await credentials.keys_among(rows, {ORDER: CP, OTHER: CP})
        return {order for order, known in keys.items() if known.settled}

    await rule.change_hands()
    assert await settled() == set()
    await hand_out(rule)
    assert await settled() == {ORDER}
    await rule.change_hands(OTHER)
    assert await settled() == set(), "another waits now, for another key"
    await hand_out(rule, LATER_TYPED, OTHER)
    await rule.come(LATER_TYPED)
    assert await settled() == {OTHER}


@pytest.mark.parametrize(
    ("state", "attention", "new_key", "connection", "takes"),
    [
        ("reconfiguring", "", True, "keep", True),
        ("reconfiguring", "", False, "keep", False),
        *(("reconfiguring", waits, False, "keep", True) for waits in ("new_key", "charger_offline", "operator")),
        ("reconfiguring", "retrying", False, "keep", False),
        ("reconfiguring", "charger_offline", None, "keep", False),
        ("transferring", "charger_offline", True, "keep", False),
    ],
)
async def test_a_transfer_under_way_takes_a_typed_key_while_it_waits_for_one(
    rule: Rule, state: str, attention: str, new_key: bool | None, connection: str, takes: bool
) -> None:
    await add_transfer(rule.database)
    async with rule.database.writing() as rows:
        row = await rows.get_one(Transfer, ORDER)
        row.state, row.attention, row.new_key, row.connection = state, attention, new_key, connection
        row.active, row.due = True, False
        await rows.flush()
        if takes:
            assert await transfers.awaits_key(rows, CP) == ORDER
            assert row.new_key
        else:
            with pytest.raises(TransferInProgress):
                await transfers.awaits_key(rows, CP)


async def test_only_what_was_to_replace_the_owners_own_is_ended_by_a_refusal(rule: Rule) -> None:
    async with rule.database.writing() as rows:
        assert not await key_sending.refuse_own(rows, CP, NOW)
    enrolled = await enrol(rule)
    assert enrolled
    await rule.come(enrolled)
    await rule.make()
    await rule.send(KeyAnswer.REJECTED)
    async with rule.database.writing() as rows:
        assert not await key_sending.refuse_own(rows, CP, NOW)
    assert "pending" in await keys(rule.database)


# --- ended keys ---------------------------------------------------------------------------------------------------


async def test_the_last_eight_ended_keys_are_told_from_wrong_passwords(rule: Rule) -> None:
    typed = [f"{number:040x}" for number in range(1, 11)]
    for number, key in enumerate(typed):
        await rule.type_in(key, at=NOW + timedelta(hours=number))
    found = {key: (await rule.come(key)).refused_for for key in (OLD_KEY, *typed[:-1], "never-a-key")}
    ended = [key for key, reason in found.items() if reason is RefusedFor.ENDED]
    assert ended == typed[1:-1]
    assert found[OLD_KEY] is found["never-a-key"] is RefusedFor.WRONG_PASSWORD


async def test_both_forms_of_an_ended_key_are_known(rule: Rule) -> None:
    await rule.type_in(TYPED)
    assert (await rule.come(TYPED)).entry is Entry.CURRENT
    await rule.type_in(LATER_TYPED)
    for form in (TYPED, bytes.fromhex(TYPED)):
        ended = await rule.come(form)
        assert ended.refused_for is RefusedFor.ENDED
        assert ended.ended_at == NOW


async def test_of_an_ended_key_is_said_whether_a_charger_has_come_with_the_one_in_use(rule: Rule) -> None:
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT
    await rule.type_in(TYPED)
    assert [(await rule.come(OLD_KEY)).charger_awaited for _ in range(2)] == [True, True]
    await rule.come(TYPED)
    assert not (await rule.come(OLD_KEY)).charger_awaited
    await rule.type_in(LATER_TYPED)
    assert (await rule.come(OLD_KEY)).charger_awaited
    async with rule.database.writing() as rows:
        await credentials.revoke_all(rows, CP, NOW)
    ended = await rule.come(OLD_KEY)
    assert (ended.refused_for, ended.charger_awaited) == (RefusedFor.ENDED, False), "there is none in use"


async def test_strictly_the_old_key_ends_with_its_charger_accepting_the_new_one(rule: Rule) -> None:
    enrolled = await enrol(rule)
    assert enrolled
    await rule.come(enrolled)
    await rule.make()
    await rule.send(KeyAnswer.ACCEPTED)
    rule.old_keys = OldKeys(rule.old_keys.grace, strict=True)
    assert (await rule.come(enrolled)).entry is Entry.REFUSED
    rule.old_keys = OldKeys(rule.old_keys.grace)
    assert (await rule.come(enrolled)).entry is Entry.QUARANTINED


async def test_a_strict_gateway_locks_nobody_out_whose_new_key_is_awaited(rule: Rule) -> None:
    rule.old_keys = OldKeys(rule.old_keys.grace, strict=True)
    await rule.change_hands(until_new_key=UntilNewKey.QUARANTINE)
    assert (await rule.come(OLD_KEY)).entry is Entry.QUARANTINED


async def test_a_strict_gateway_locks_nobody_out_who_is_being_enrolled(rule: Rule) -> None:
    rule.old_keys = OldKeys(rule.old_keys.grace, strict=True)
    await enrol(rule, KeyAnswer.ACCEPTED)
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT


async def test_no_more_keys_are_kept_beside_the_current_one_than_are_compared(rule: Rule) -> None:
    for number in range(6):
        await rule.change_hands(f"order-{number}")
        await hand_out(rule, f"{number:040x}", f"order-{number}")
    async with rule.database.writing() as rows:
        await change_owner(rows)
        found = list(await rows.scalars(select(Credential.state).where(Credential.state == "beside")))
    assert len(found) == 4
    assert (await rule.come(OLD_KEY)).entry is Entry.CURRENT
