"""The code to sign in with: sent to whoever has the address that it was asked for with, and to nobody else."""

import pytest
from sqlalchemy import update

from activities.contracts.notices import SendSignInCode
from activities.notices import Notices
from domain.contact import Address, Channel
from domain.errors import Unavailable
from domain.ids import SignInCodeId
from domain.limits import NO_LIMITS
from persistence.intake.limits import Counters
from persistence.intake.sign_ins import SignIns
from persistence.tables import User
from tests.activities.notices.letters import ORIGIN, no_mail_server
from tests.activities.notices.test_send_code import code_in
from tests.activities.notices.world import World
from tests.notices.mailbox import Mailbox, text_of

ZOE = "zoe@example.org"


def sign_ins(world: World) -> SignIns:
    return SignIns(world.database, world.vault, Counters(world.vault, NO_LIMITS))


async def asked(world: World, address: str = ZOE) -> SignInCodeId:
    return await sign_ins(world).ask(Address(Channel.EMAIL, address))


async def test_who_has_the_address_signs_in_with_the_code_that_they_are_sent(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    code_id = await asked(world)
    for _ in range(2):
        await notices.send_sign_in_code(SendSignInCode(code_id=code_id))
    first, second = mailbox.to(ZOE)
    assert first["Message-ID"] == second["Message-ID"]
    assert code_id not in first.as_string(), "it is the browser's"
    made = await sign_ins(world).use(code_id, code_in(text_of(first)), browser="")
    assert made.user_id == "zoe"
    await notices.send_sign_in_code(SendSignInCode(code_id=code_id))
    assert len(mailbox.to(ZOE)) == 2, "it was used"


@pytest.mark.parametrize("known", [True, False])
async def test_nobody_is_sent_a_code_who_can_not_sign_in(
    world: World, notices: Notices, mailbox: Mailbox, known: bool
) -> None:
    if known:
        async with world.database.writing() as rows:
            await rows.execute(update(User).where(User.email == ZOE).values(status="blocked"))
    code_id = await asked(world, ZOE if known else "nobody@example.org")
    await notices.send_sign_in_code(SendSignInCode(code_id=code_id))
    await notices.send_sign_in_code(SendSignInCode(code_id=SignInCodeId("sic_made_up")))
    assert mailbox.letters == []


@pytest.mark.parametrize("address", [ZOE, "nobody@example.org"])
async def test_a_mail_server_that_is_away_fails_it_whoever_has_the_address(world: World, address: str) -> None:
    away = Notices(world.database, world.vault, no_mail_server(), ORIGIN)
    with pytest.raises(Unavailable):
        await away.send_sign_in_code(SendSignInCode(code_id=await asked(world, address)))
