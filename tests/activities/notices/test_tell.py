"""Whom the news of a transfer reaches, and what they may know."""

import logging
from typing import Any

import pytest

from activities.parties import find_told_of_acceptance, find_told_of_new_key, find_told_of_request
from activities.transfer_letters import TransferLetters
from domain.errors import NotFound, Unavailable
from domain.ids import ChargePointId, UserId
from domain.keys import KeyPurpose, KnownTo
from domain.letters import Subject
from persistence import tables
from persistence.chargers.charger_keys import KeyState, new_key
from persistence.people.callers import Caller
from persistence.views.transfer_reads import TransferReads
from persistence.views.visibility import read_active_readers
from tests.activities.notices.letters import ORIGIN, asked, news, recipients
from tests.activities.notices.world import NOW, TRANSFER, World
from tests.notices.mailbox import Mailbox, text_of


async def test_a_present_owner_who_did_not_ask_is_told_without_the_recipient_s_name(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user()
    await letters.send(news(Subject.REQUESTED))
    await letters.send(news(Subject.REQUESTED))
    assert recipients(mailbox) == ["bruno@example.org"]
    text = text_of(mailbox.letters[0])
    assert "Amélie Durand" in text
    assert {f"{ORIGIN}transfers/tr-1", f"{ORIGIN}charge-points/cp-1"} <= set(text.split())
    assert "Zoé" not in text
    assert await world.trail() == [("system", "told", {"subject": "requested"})]


async def test_a_present_owner_who_asked_is_not_told(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.to_user(asked_over_owner=False)
    await letters.send(news(Subject.REQUESTED))
    assert mailbox.letters == []


async def test_the_end_reaches_every_party_once(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.to_user(state="completed", accepted_by="zoe", active=False)
    await letters.send(news(Subject.ENDED))
    assert recipients(mailbox) == ["adam@example.org", "amelie@example.org", "bruno@example.org", "zoe@example.org"]
    assert len({letter["Message-ID"] for letter in mailbox.letters}) == 4
    assert "vous appartient maintenant" in text_of(mailbox.to("zoe@example.org")[0])
    assert "now belongs to Zoé Martin. It is no longer yours" in text_of(mailbox.to("bruno@example.org")[0])
    assert "appartient maintenant à Zoé Martin" in text_of(mailbox.to("amelie@example.org")[0])
    assert "Elle n" not in text_of(mailbox.to("amelie@example.org")[0])


@pytest.mark.parametrize("state", ["declined", "cancelled", "expired"])
async def test_before_acceptance_nobody_learns_whose_the_address_is(
    world: World, letters: TransferLetters, mailbox: Mailbox, state: str
) -> None:
    await world.to_user(state=state, reason=state, active=False)
    await letters.send(news(Subject.ENDED))
    assert recipients(mailbox) == ["adam@example.org", "amelie@example.org", "bruno@example.org", "zoe@example.org"]
    for letter in mailbox.letters:
        assert "Zoé" not in str(letter)
        assert "Personal of" not in text_of(letter)


async def test_a_letter_to_a_recipient_who_has_not_accepted_that_is_put_off_is_not_in_the_trail(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    """The others are told, and that is on record, before it is tried; it is tried until it is taken."""
    await world.to_user(state="expired", reason="expired", active=False)
    mailbox.answers["zoe@example.org"] = "450 4.2.1 later"
    with pytest.raises(Unavailable):
        await letters.send(news(Subject.ENDED))
    others = ["adam@example.org", "amelie@example.org", "bruno@example.org"]
    assert recipients(mailbox) == others
    assert await world.trail() == [("system", "told", {"subject": "ended"})]
    mailbox.answers.clear()
    await letters.send(news(Subject.ENDED))
    assert recipients(mailbox) == [*others, "zoe@example.org"]
    assert len(await world.trail()) == 1


async def test_an_address_without_an_account_leaves_the_same_trail(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user("nobody@example.net", to=None, state="expired", reason="expired", active=False)
    await letters.send(news(Subject.ENDED))
    assert recipients(mailbox) == ["adam@example.org", "amelie@example.org", "bruno@example.org"]
    assert await world.trail() == [("system", "told", {"subject": "ended"})]


@pytest.mark.parametrize("changed", [True, False])
async def test_a_target_that_was_not_asked_is_told_only_where_something_changed(
    world: World, letters: TransferLetters, mailbox: Mailbox, changed: bool
) -> None:
    await world.move(state="rolled_back", reason="session_deadline", acceptance="not_required", active=False)
    if changed:
        async with world.database.writing() as rows:
            rows.add(
                tables.OwnershipPeriod(
                    charge_point_id="cp-1",
                    version=1,
                    owner_id="amelie",
                    group_id="south",
                    started_at=NOW,
                    ended_at=NOW,
                    transfer_id=TRANSFER,
                    change="transfer",
                )
            )
    await letters.send(news(Subject.ENDED))
    assert ("zoe@example.org" in recipients(mailbox)) is changed
    assert "Vous aviez demandé" in text_of(mailbox.to("amelie@example.org")[0])


async def test_a_move_tells_its_sender_that_they_are_the_owner(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.move(state="completed_with_warnings", warnings=["lists_due"], active=False)
    await letters.send(news(Subject.ENDED))
    theirs = text_of(mailbox.to("amelie@example.org")[0])
    assert "Vous en êtes maintenant propriétaire." in theirs
    assert "la liste actuelle des badges RFID" in theirs
    assert "Its owner is now Amélie Durand. It is no longer yours" in text_of(mailbox.to("bruno@example.org")[0])
    assert "mute" not in " ".join(recipients(mailbox))


async def test_an_owner_who_stays_is_not_told_that_it_is_gone(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.move(to_owner_id="bruno", state="completed", active=False)
    await letters.send(news(Subject.ENDED))
    text = text_of(mailbox.to("bruno@example.org")[0])
    assert "You stay its owner." in text
    assert "Amélie Durand had asked for this transfer." in text
    assert "no longer yours" not in text


@pytest.mark.parametrize("state", ["refused"])
async def test_a_refusal_is_not_mailed(world: World, letters: TransferLetters, mailbox: Mailbox, state: str) -> None:
    await world.to_user(state=state, reason="not_allowed", active=False)
    await letters.send(news(Subject.ENDED))
    assert mailbox.letters == []
    assert await world.trail() == []


async def test_one_dead_mailbox_does_not_hold_up_the_others(
    world: World, letters: TransferLetters, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    await world.to_user(state="cancelled", reason="cancelled", active=False)
    mailbox.answers["adam@example.org"] = "550 5.1.1 gone"
    with caplog.at_level(logging.DEBUG):
        await letters.send(news(Subject.ENDED))
    assert recipients(mailbox) == ["amelie@example.org", "bruno@example.org", "zoe@example.org"]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("activities", "notices"))]
    assert not any("example.org" in entry for entry in ours)


async def test_an_acceptance_is_told_to_sender_and_present_owner(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user(state="transferring", accepted_by="zoe")
    await letters.send(news(Subject.ACCEPTED))
    assert recipients(mailbox) == ["amelie@example.org", "bruno@example.org"]
    sender = text_of(mailbox.to("amelie@example.org")[0])
    assert "Zoé Martin a accepté votre demande" in sender
    owner = text_of(mailbox.to("bruno@example.org")[0])
    assert "Zoé Martin accepted" in owner
    assert "asked for by Amélie Durand" in owner
    for text in (sender, owner):
        assert f"{ORIGIN}transfers/tr-1" in text.split()
    assert await world.trail() == [("system", "told", {"subject": "accepted"})]


async def test_whoever_accepts_needs_no_letter_about_it(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.move(state="transferring", accepted_by="bruno")
    await letters.send(news(Subject.ACCEPTED))
    assert recipients(mailbox) == ["amelie@example.org"]


@pytest.mark.parametrize("changes", [{}, {"state": "completed", "accepted_by": "zoe", "active": False}])
async def test_an_acceptance_that_is_none_or_no_news_is_not_told(
    world: World, letters: TransferLetters, mailbox: Mailbox, changes: dict[str, Any]
) -> None:
    await world.to_user(**changes)
    await letters.send(news(Subject.ACCEPTED))
    assert mailbox.letters == []
    assert await world.trail() == []


async def test_a_request_that_has_ended_is_nothing_to_cancel(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user(state="completed", accepted_by="zoe", active=False)
    await letters.send(news(Subject.REQUESTED))
    assert mailbox.letters == []


# --- where letters lead -----------------------------------------------------------------------------------------------


def led_to(mailbox: Mailbox, what: str) -> set[str]:
    """Whose letters lead to a page."""
    leads = {str(letter["To"]) for letter in mailbox.letters if f"{ORIGIN}{what}" in text_of(letter).split()}
    return {address.partition("@")[0] for address in leads}


@pytest.mark.parametrize("subject", [Subject.ENDED, Subject.SETTLED])
async def test_the_end_leads_those_to_the_transfer_who_may_see_it_and_to_the_charge_point_whose_it_is(
    world: World, letters: TransferLetters, mailbox: Mailbox, subject: Subject
) -> None:
    await world.to_user(state="completed", accepted_by="zoe", active=False)
    await world.change(tables.ChargePoint, "cp-1", owner_id="zoe", group_id="p-zoe")
    await letters.send(news(subject))
    assert led_to(mailbox, "transfers/tr-1") == {"amelie", "bruno", "zoe"}, "its former group sees it no more"
    assert led_to(mailbox, "charge-points/cp-1") == {"zoe"}


@pytest.mark.parametrize("state", ["declined", "cancelled", "expired"])
async def test_where_nothing_changed_the_present_owner_is_led_to_their_charge_point(
    world: World, letters: TransferLetters, mailbox: Mailbox, state: str
) -> None:
    await world.to_user(state=state, reason=state, active=False)
    await letters.send(news(Subject.ENDED))
    assert led_to(mailbox, "transfers/tr-1") == {"adam", "amelie", "bruno", "zoe"}
    assert led_to(mailbox, "charge-points/cp-1") == {"bruno"}


async def test_an_admin_of_a_group_that_was_asked_is_not_led_to_a_transfer_that_they_may_not_see(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    async with world.database.writing() as rows:
        rows.add(tables.Membership(group_id="south", user_id="mia", role="admin"))
        await rows.delete(await rows.get_one(tables.Membership, ("north", "mia")))
    await world.move(state="expired", reason="expired", active=False)
    await letters.send(news(Subject.ENDED))
    assert "mia@example.org" in recipients(mailbox)
    assert led_to(mailbox, "transfers/tr-1") == {"adam", "amelie", "bruno", "yann", "zoe"}


@pytest.mark.parametrize("kind", ["to_user", "move", "ownership"])
@pytest.mark.parametrize("acceptance", ["required", "not_required"])
async def test_whoever_is_told_before_the_end_is_a_party_who_may_see_the_transfer(
    world: World, kind: str, acceptance: str
) -> None:
    """Of them it is not asked: the sender, the present owner, the new one."""
    accepted = {"to_user": "zoe", "move": "zoe", "ownership": "adam"}[kind] if acceptance == "required" else None
    await getattr(world, kind)(state="reconfiguring", acceptance=acceptance, accepted_by=accepted)
    [transfer] = await world.all(tables.Transfer)
    async with world.database.reading() as rows:
        told = [
            *await find_told_of_request(rows, transfer),
            *await find_told_of_acceptance(rows, transfer),
            *await find_told_of_new_key(rows, transfer),
        ]
        readers = await read_active_readers(rows, TRANSFER, {person.user_id for person in told})
    assert len(told) >= 3
    assert all(readers[person.user_id][1] is person.sees is True for person in told)


@pytest.mark.parametrize("kind", ["to_user", "move", "ownership"])
@pytest.mark.parametrize("state", ["declined", "rolled_back", "completed"])
@pytest.mark.parametrize("acceptance", ["required", "not_required"])
async def test_whoever_is_led_to_a_transfer_may_see_it(world: World, kind: str, state: str, acceptance: str) -> None:
    await getattr(world, kind)(state=state, acceptance=acceptance, active=False)
    everybody = [UserId(user.id) for user in await world.all(tables.User)]
    async with world.database.reading() as rows:
        readers = await read_active_readers(rows, TRANSFER, everybody)
    seeing = {user for user, (_, sees) in readers.items() if sees}
    assert seeing
    everybody.remove(UserId("gone"))
    assert set(readers) == set(everybody), "whose account is blocked is left out"
    for user in everybody:
        caller = Caller(user, user, None, None, "en", frozenset())
        try:
            await TransferReads(world.database, world.vault).one(caller, TRANSFER)
        except NotFound:
            assert user not in seeing
        else:
            assert user in seeing


# --- the charger's key ------------------------------------------------------------------------------------------------


async def waits_for_key(world: World, **changes: Any) -> None:
    await world.change(tables.ChargePoint, "cp-1", owner_id="zoe")
    await world.to_user(**{"state": "reconfiguring", "attention": "new_key", "accepted_by": "zoe", **changes})


async def test_the_new_owner_is_told_of_the_key_to_type_and_reminded_by_another_letter(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await waits_for_key(world, waiting_until=NOW, until_new_key="quarantine")
    for reminder in (0, 0, 1, 1):
        await letters.send(news(Subject.NEW_KEY, reminder))

    assert recipients(mailbox) == ["zoe@example.org", "zoe@example.org"]
    first, second = mailbox.letters
    assert first["Message-ID"] != second["Message-ID"]
    assert [str(letter["Subject"]).startswith("Rappel") for letter in (first, second)] == [False, True]
    assert f"{ORIGIN}charge-points/cp-1/settings" in text_of(first).split()
    assert "ne recharge pas" in text_of(first)
    assert f"{NOW:%H:%M} UTC" in text_of(first)
    assert await world.trail() == [
        ("system", "told", {"subject": "new_key"}),
        ("system", "told", {"subject": "new_key", "reminder": 1}),
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "completed_with_warnings", "warnings": ["old_key_known"], "active": False}, True),
        ({"state": "completed_with_warnings", "warnings": ["lists_due"], "active": False}, False),
        ({"state": "completed", "active": False}, False),
        ({"state": "transferring"}, False),
    ],
)
async def test_the_new_owner_is_reminded_for_as_long_as_the_key_is_due(
    world: World, letters: TransferLetters, mailbox: Mailbox, changes: dict[str, Any], told: bool
) -> None:
    await waits_for_key(world, **changes)
    await letters.send(news(Subject.NEW_KEY, 1))
    assert recipients(mailbox) == (["zoe@example.org"] if told else [])


async def test_who_owns_it_no_more_is_not_reminded(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await waits_for_key(world, state="completed_with_warnings", warnings=["old_key_known"], active=False)
    await world.change(tables.ChargePoint, "cp-1", owner_id="adam")
    await letters.send(news(Subject.NEW_KEY, 1))
    assert mailbox.letters == []


async def test_the_question_and_the_end_say_what_was_connected_when_the_key_was_made(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    key = new_key(
        ChargePointId("cp-1"),
        KeyState.CURRENT,
        "0" * 64,
        NOW,
        purpose=KeyPurpose.ENROLMENT,
        version=0,
        known_to=KnownTo.CHARGER,
    )
    key.serials, key.open_line = ["SN-9"], True
    async with world.database.writing() as rows:
        rows.add(key)
    await world.to_user(if_offline="roll_back")
    await letters.send(asked())
    await world.change(tables.Transfer, TRANSFER, state="completed", accepted_by="zoe", active=False)
    await letters.send(news(Subject.ENDED))

    theirs = [" ".join(text_of(letter).split()) for letter in mailbox.to("zoe@example.org")]
    assert len(theirs) == 2
    for text in theirs:
        assert "SN-9" in text
        assert "liaison non chiffrée" in text
    assert "pendant 7 jours, elle revient" in theirs[0]
    assert not any("SN-9" in text_of(letter) for letter in mailbox.to("bruno@example.org"))
