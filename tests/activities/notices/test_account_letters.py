"""What somebody is told of their account: of each passkey, once, and nobody else."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from activities.account_letters import AccountLetters
from activities.contracts.account_news import TellOfPasskey
from domain.errors import Unavailable
from domain.ids import PasskeyId, UserId
from domain.passkeys import PasskeyChange
from persistence.tables import User
from tests.activities.notices.letters import ORIGIN, no_mail_server
from tests.activities.notices.world import World
from tests.notices.mailbox import Mailbox, text_of

AT = datetime(2026, 11, 30, 18, 5, tzinfo=UTC)


def order(change: PasskeyChange = PasskeyChange.ADDED, which: str = "pky_1") -> TellOfPasskey:
    return TellOfPasskey(user_id=UserId("zoe"), passkey_id=PasskeyId(which), change=change, at=AT)


async def test_whose_account_it_is_is_told_of_each_passkey(world: World, mailbox: Mailbox) -> None:
    letters = AccountLetters(world.database, mailbox.sender(), ORIGIN)
    orders = order(), order(), order(PasskeyChange.REMOVED), order(which="pky_2")
    for one in orders:
        await letters.tell_of_passkey(one)
    found = mailbox.to("zoe@example.org")
    assert len(found) == len(mailbox.letters)
    names = [letter["Message-ID"] for letter in found]
    assert names[0] == names[1], "a repeat is the same letter"
    assert len(set(names)) == 3
    assert "18:05 UTC" in text_of(found[0])
    assert "https://handover.example/account/passkeys" in text_of(found[0])
    assert not any("pky_" in letter.as_string() for letter in found)


@pytest.mark.parametrize("values", [{"status": "blocked"}, {"email": None}])
async def test_who_is_blocked_or_has_no_address_is_told_nothing(
    world: World, mailbox: Mailbox, values: dict[str, str | None]
) -> None:
    async with world.database.writing() as rows:
        await rows.execute(update(User).where(User.id == "zoe").values(values))
    await AccountLetters(world.database, mailbox.sender(), ORIGIN).tell_of_passkey(order())
    assert mailbox.letters == []


async def test_a_mail_server_that_is_away_is_tried_again(world: World) -> None:
    with pytest.raises(Unavailable):
        await AccountLetters(world.database, no_mail_server(), ORIGIN).tell_of_passkey(order())
