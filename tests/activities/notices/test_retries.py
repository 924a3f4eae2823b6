"""What a failed try leaves behind, and what the next one does with it."""

import contextlib
import traceback
from typing import Any

import pytest

from activities.letterbox import MessageIds
from activities.transfer_letters import TransferLetters
from domain.errors import Unavailable
from notices.mail import MailSender
from persistence import tables
from persistence.vault import Vault, fingerprint
from tests.activities.notices.letters import ORIGIN, asked, away, recipients, token_in
from tests.activities.notices.world import World
from tests.conftest import SERVER_KEY
from tests.notices.mailbox import MAIL_FROM, Mailbox, text_of


async def test_with_the_mail_server_away_nothing_is_half_done(
    world: World, letters: TransferLetters, mailbox: Mailbox
) -> None:
    await world.move()
    with pytest.raises(Unavailable) as raised:
        await away(world).send(asked())
    assert "@" not in "".join(traceback.format_exception(raised.value)).replace("@activity", "")
    assert [action for _, action, _ in await world.trail()] == ["asked"], "it says that the link is made"
    made = {link.token_hash for link in await world.all(tables.ApprovalLink)}
    await letters.send(asked())
    assert {fingerprint(token_in(text_of(letter))) for letter in mailbox.letters} == made
    assert [action for _, action, _ in await world.trail()] == ["asked"]


@pytest.mark.parametrize("behind", ["an account", "an account without e-mail", "a blocked account", "nobody"])
@pytest.mark.parametrize("address", ["+33612345678", "zoe@example.org"])
async def test_with_the_mail_server_away_the_trail_is_the_same_whoever_is_behind_an_address(
    world: World, letters: TransferLetters, address: str, behind: str
) -> None:
    to = {"an account": "zoe", "an account without e-mail": "mute", "a blocked account": "gone", "nobody": None}[behind]
    await world.to_user(address, to)
    with contextlib.suppress(Unavailable):  # whoever is told whether it was sent is told nothing by that
        await away(world).send(asked())
    await letters.send(asked())
    assert len(await world.trail()) == 1


async def test_no_transaction_is_open_while_the_mail_is_spoken(world: World, mailbox: Mailbox) -> None:
    await world.to_user()

    class Writing(MailSender):
        async def send(self, *letter: Any) -> None:
            await world.change(tables.User, "mia", name="written meanwhile")
            await super().send(*letter)

    sender = Writing(host="127.0.0.1", port=mailbox.port, mail_from=MAIL_FROM)
    await TransferLetters(world.database, world.vault, sender, ORIGIN).send(asked())
    assert len(mailbox.letters) == 1


async def test_a_retry_sends_only_what_was_not_taken(world: World, letters: TransferLetters, mailbox: Mailbox) -> None:
    await world.move()
    mailbox.answers["yann@example.org"] = "450 4.2.1 later"
    letter = asked()
    with pytest.raises(Unavailable):
        await letters.send(letter)
    assert recipients(mailbox) == ["zoe@example.org"]
    assert not any("example.org" in name for name in letter.taken)
    mailbox.answers.clear()
    await letters.send(letter)
    assert recipients(mailbox) == ["yann@example.org", "zoe@example.org"]


async def test_after_a_new_server_key_the_link_sent_last_opens(world: World, mailbox: Mailbox) -> None:
    await world.to_user()
    await TransferLetters(world.database, world.vault, mailbox.sender(), ORIGIN).send(asked())
    rotated = Vault(["another-key-of-at-least-32-characters", SERVER_KEY])
    await TransferLetters(world.database, rotated, mailbox.sender(), ORIGIN).send(asked(reminder=1))
    (link,) = await world.all(tables.ApprovalLink)
    assert link.token_hash == fingerprint(token_in(text_of(mailbox.letters[1])))


@pytest.mark.parametrize(
    ("origin", "domain"),
    [
        ("https://handover.example:8443", "handover.example"),
        ("http://[2001:db8::1]:8000", "[2001:db8::1]"),
        ("no origin", "localhost"),
    ],
)
def test_a_message_id_names_the_host_of_the_pages(origin: str, domain: str) -> None:
    assert MessageIds(origin).of("a", "b") == f"<a.b@{domain}>"
