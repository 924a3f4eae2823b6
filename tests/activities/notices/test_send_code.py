"""Whom a one-time code reaches, and what a repeat does."""

import re
from datetime import timedelta

import pytest

from activities.contracts.notices import SendCode
from activities.notices import Notices
from activities.transfer_letters import TransferLetters
from domain.errors import NotAllowed, Unavailable
from domain.ids import LinkId
from persistence import tables
from persistence.links.approvals import owner_channel
from tests.activities.notices.letters import ORIGIN, asked, no_mail_server, recipients
from tests.activities.notices.world import NOW, TRANSFER, World
from tests.notices.mailbox import Mailbox, text_of


def no_mail(world: World) -> Notices:
    return Notices(world.database, world.vault, no_mail_server(), ORIGIN)


def code_in(text: str) -> str:
    found = re.search(r"(?<!\d)\d{6}(?!\d)", text)
    assert found
    return found[0]


async def asked_for_codes(world: World, number: int = 5) -> None:
    """Have codes asked for at each link's page."""
    for link in await world.all(tables.ApprovalLink):
        await world.change(tables.ApprovalLink, link.id, codes_asked=number)


async def asked_link(world: World, letters: TransferLetters, mailbox: Mailbox) -> LinkId:
    await world.to_user()
    await letters.send(asked())
    mailbox.letters.clear()
    mailbox.envelopes.clear()
    (link,) = await world.all(tables.ApprovalLink)
    await asked_for_codes(world)
    return LinkId(link.id)


async def test_a_code_is_the_same_on_every_try_and_kept_as_its_mac(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox
) -> None:
    link_id = await asked_link(world, letters, mailbox)
    order = SendCode(link_id=link_id, number=1)
    with pytest.raises(Unavailable):
        await no_mail(world).send_code(order)
    (before,) = await world.all(tables.Code)
    await notices.send_code(order)
    await world.change(tables.Code, (link_id, 1), sent_at=None)  # as where its answer was lost
    await notices.send_code(order)
    await notices.send_code(order)
    first, second = mailbox.to("zoe@example.org")
    assert first["Message-ID"] == second["Message-ID"]
    digits = code_in(text_of(first))
    assert digits == code_in(text_of(second))
    (kept,) = await world.all(tables.Code)
    assert world.vault.matches("code", f"{link_id}:1:{digits}".encode(), kept.mac)
    assert before.sent_at is None
    assert kept.sent_at is not None
    assert timedelta(minutes=9) < kept.expires_at - kept.sent_at < timedelta(minutes=10)
    assert kept.expires_at == before.expires_at
    assert [action for _, action, _ in await world.trail()] == ["asked", "code_sent"]


async def test_the_next_code_is_another_one(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox
) -> None:
    link_id = await asked_link(world, letters, mailbox)
    for number in range(1, 6):
        await notices.send_code(SendCode(link_id=link_id, number=number))
    assert len({code_in(text_of(letter)) for letter in mailbox.letters}) == 5


async def test_a_code_goes_to_the_account_of_the_moment(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox
) -> None:
    link_id = await asked_link(world, letters, mailbox)
    await world.change(tables.User, "zoe", email="zoe@new.example.org")
    await notices.send_code(SendCode(link_id=link_id, number=1))
    assert recipients(mailbox) == ["zoe@new.example.org"]


async def test_whoever_has_no_address_any_more_is_sent_no_code(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox
) -> None:
    link_id = await asked_link(world, letters, mailbox)
    await world.change(tables.User, "zoe", email=None, phone="+33612345678")
    await notices.send_code(SendCode(link_id=link_id, number=1))
    assert recipients(mailbox) == []
    assert [action for _, action, _ in await world.trail()][-1] == "code_not_deliverable"


async def test_a_code_of_a_group_s_link_goes_to_that_owner_while_they_are_one(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox
) -> None:
    await world.move()
    await letters.send(asked())
    mailbox.letters.clear()
    mailbox.envelopes.clear()
    links = {link.channel: LinkId(link.id) for link in await world.all(tables.ApprovalLink)}
    await asked_for_codes(world)
    mine = links[owner_channel("yann")]  # type: ignore[arg-type]
    await notices.send_code(SendCode(link_id=mine, number=1))
    assert recipients(mailbox) == ["yann@example.org"]
    await world.drop(tables.Membership, ("south", "yann"))
    await notices.send_code(SendCode(link_id=mine, number=2))
    assert recipients(mailbox) == ["yann@example.org"]
    assert [action for _, action, _ in await world.trail()] == ["asked", "code_sent", "code_not_deliverable"]


@pytest.mark.parametrize("why", ["decided", "replaced", "expired code"])
async def test_no_code_is_sent_that_would_be_of_no_use(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox, why: str
) -> None:
    link_id = await asked_link(world, letters, mailbox)
    if why == "decided":
        await world.change(tables.Transfer, TRANSFER, state="cancelled")
    elif why == "replaced":
        await world.change(tables.Transfer, TRANSFER, link_generation=2)
        await letters.send(asked(2))
        mailbox.letters.clear()
    else:
        with pytest.raises(Unavailable):
            await no_mail(world).send_code(SendCode(link_id=link_id, number=1))
        await world.change(tables.Code, (link_id, 1), expires_at=NOW - timedelta(minutes=1))
    await notices.send_code(SendCode(link_id=link_id, number=1))
    assert mailbox.letters == []


@pytest.mark.parametrize("number", [0, 2, 99])
async def test_a_code_that_nobody_asked_for_is_refused_and_on_record(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox, number: int
) -> None:
    link_id = await asked_link(world, letters, mailbox)
    await asked_for_codes(world, 1)
    for _ in range(2):
        with pytest.raises(NotAllowed):
            await notices.send_code(SendCode(link_id=link_id, number=number))
    with pytest.raises(NotAllowed):
        await notices.send_code(SendCode(link_id=LinkId("no-such-link"), number=1))
    assert mailbox.letters == []
    assert await world.all(tables.Code) == []
    assert (await world.trail())[1:] == [("temporal-ui", "unproven", {"act": "send_code"})]
    await notices.send_code(SendCode(link_id=link_id, number=1))
    assert recipients(mailbox) == ["zoe@example.org"]
