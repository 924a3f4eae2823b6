"""Who is asked, with which link, and what a repeat does."""

import contextlib

import pytest

from activities.contracts.wiring import implementations
from activities.notices import Notices
from activities.transfer_letters import TransferLetters
from domain.errors import Unavailable
from domain.ids import TransferId
from persistence import tables
from persistence.links.approvals import owner_channel
from persistence.vault import fingerprint
from tests.activities.notices.letters import asked, recipients, token_in
from tests.activities.notices.world import TRANSFER, World
from tests.notices.mailbox import Mailbox, text_of


def test_every_step_of_the_contract_is_registered(notices: Notices) -> None:
    assert len(implementations(notices)) == 3


async def test_the_recipient_is_asked_in_their_language_with_their_link(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user()
    await letters.send(asked())
    (letter,) = mailbox.to("zoe@example.org")
    assert letter["Subject"] == "Amélie Durand souhaite vous transférer une borne de recharge"
    (link,) = await world.all(tables.ApprovalLink)
    assert (link.transfer_id, link.channel, link.generation) == (TRANSFER, "email", 1)
    assert link.token_hash == fingerprint(token_in(text_of(letter)))
    assert await world.trail() == [("system", "asked", {"generation": 1, "reminder": 0})]


async def test_a_repeated_question_is_the_same_letter(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.to_user()
    await letters.send(asked())
    await letters.send(asked())
    first, second = mailbox.letters
    assert first["Message-ID"] == second["Message-ID"]
    assert text_of(first) == text_of(second)
    assert len(await world.all(tables.ApprovalLink)) == 1
    assert len(await world.trail()) == 1


async def test_a_reminder_is_another_letter_with_the_same_link(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user()
    await letters.send(asked())
    await letters.send(asked(reminder=1))
    first, second = mailbox.letters
    assert first["Message-ID"] != second["Message-ID"]
    assert second["Subject"].startswith("Rappel")
    assert token_in(text_of(first)) == token_in(text_of(second))
    assert [action for _, action, _ in await world.trail()] == ["asked", "reminded"]


async def test_a_new_generation_replaces_the_link_and_its_late_twin_is_not_sent(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user()
    await letters.send(asked())
    await world.change(tables.Transfer, TRANSFER, link_generation=2)
    await letters.send(asked(2))
    await letters.send(asked())
    await letters.send(asked(reminder=1))
    tokens = [token_in(text_of(letter)) for letter in mailbox.letters]
    assert len(tokens) == 3
    assert tokens[0] != tokens[1]
    assert tokens[1] == tokens[2], "a reminder carries the link that is valid"


async def test_the_mail_goes_to_the_address_of_today(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.to_user()
    await world.change(tables.User, "zoe", email="zoe@new.example.org")
    await letters.send(asked())
    assert recipients(mailbox) == ["zoe@new.example.org"]


async def test_every_owner_of_the_target_group_has_their_own_link(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.move()
    await letters.send(asked())
    assert recipients(mailbox) == ["yann@example.org", "zoe@example.org"]
    tokens = {token_in(text_of(letter)) for letter in mailbox.letters}
    assert len(tokens) == 2
    links = await world.all(tables.ApprovalLink)
    assert {link.channel for link in links} == {owner_channel("zoe"), owner_channel("yann")}  # type: ignore[arg-type]
    assert all(len(link.channel) <= 16 for link in links)


async def test_ownership_asks_the_recipient_alone(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.ownership()
    await letters.send(asked())
    assert recipients(mailbox) == ["adam@example.org"]
    assert mailbox.letters[0]["Subject"] == "Amélie Durand wants to make you the owner of a charge point"


async def test_an_address_without_an_account_is_asked_to_open_one(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user("nobody@example.net", to=None)
    await letters.send(asked())
    assert "ouvrir sur la page du lien" in text_of(mailbox.to("nobody@example.net")[0])
    assert await world.trail() == [("system", "asked", {"generation": 1, "reminder": 0})]


async def test_an_account_that_was_opened_meanwhile_is_reminded_as_one(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user("adam2@example.org", to=None)
    await letters.send(asked())
    await world.change(tables.User, "adam", email="adam2@example.org")
    await letters.send(asked(reminder=1))
    first, second = (text_of(letter) for letter in mailbox.letters)
    assert "ouvrir sur la page" in first
    assert "You can open one" not in second
    assert token_in(first) == token_in(second)


@pytest.mark.parametrize("how", ["phone", "no e-mail", "blocked since", "no e-mail, and no secret"])
async def test_whom_no_letter_reaches_is_an_entry_and_no_error(
    world: World, letters: TransferLetters, mailbox: Mailbox, how: str
) -> None:
    if how == "phone":
        await world.to_user("+33612345678", to=None)
    elif how == "no e-mail, and no secret":
        await world.ownership(to_owner_id="mute")
    else:
        await world.to_user(to="mute" if how == "no e-mail" else "gone")
    await letters.send(asked())
    assert mailbox.letters == []
    assert await world.trail() == [("system", "ask_not_deliverable", {"generation": 1, "reminder": 0})]


async def test_a_mailbox_that_does_not_exist_is_an_entry_and_no_error(
    world: World, letters: TransferLetters, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    await world.ownership()
    mailbox.answers["adam@example.org"] = "550 5.1.1 adam@example.org unknown"
    await letters.send(asked())
    assert [action for _, action, _ in await world.trail()] == ["asked", "ask_not_deliverable"]
    ours = [record.getMessage() for record in caplog.records if record.name == "activities.letterbox"]
    assert len(ours) == 1
    assert "adam" not in ours[0]


@pytest.mark.parametrize("answer", ["450 4.2.1 later", "550 5.1.1 unknown"])
@pytest.mark.parametrize("account", [True, False])
async def test_what_a_mailbox_answers_leaves_no_trace_in_the_trail_of_a_transfer_to_an_address(
    world: World, letters: TransferLetters, mailbox: Mailbox, answer: str, account: bool
) -> None:
    """Else the sender would learn from it that there is an account."""
    await world.to_user("zoe@example.org" if account else "nobody@example.net", "zoe" if account else None)
    mailbox.answers |= {"zoe@example.org": answer, "nobody@example.net": answer}
    with contextlib.suppress(Unavailable):
        await letters.send(asked())
    assert await world.trail() == [("system", "asked", {"generation": 1, "reminder": 0})]
    assert mailbox.tries.total() == 1


@pytest.mark.parametrize("state", ["transferring", "declined", "cancelled", "expired", "completed"])
async def test_nobody_is_asked_once_it_is_decided(
    world: World, letters: TransferLetters, mailbox: Mailbox, state: str
) -> None:
    await world.to_user(state=state)
    await letters.send(asked())
    await letters.send(asked(reminder=2))
    assert mailbox.letters == []
    assert await world.trail() == []


async def test_nobody_is_asked_about_a_transfer_that_is_none(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.to_user()
    await letters.send(asked(transfer_id=TransferId("trf_forged")))
    assert mailbox.letters == []


async def test_a_name_can_not_forge_a_header(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.to_user()
    await world.change(tables.User, "amelie", name="Eve\r\nBcc: victim@example.org\r\n\r\nbody")
    await letters.send(asked())
    assert recipients(mailbox) == ["zoe@example.org"]
    assert mailbox.letters[0]["Bcc"] is None
    assert str(mailbox.letters[0]["Subject"]).startswith("Eve Bcc: victim@example.org body souhaite")
