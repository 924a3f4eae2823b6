"""One-time codes where many ask and guess at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select

from domain.approval import Decision
from domain.codes import CodeExpired, CodesUsedUp, CodeUsed, TriesUsedUp
from domain.errors import Refusal
from domain.ids import LinkId
from persistence.links.link_codes import CODES_A_LINK, LinkCodes
from persistence.session import Database
from persistence.tables import Code
from persistence.vault import Vault
from tests.api.world import CODE, add_code, add_link, add_transfer

LINK = LinkId("lnk_1")


@pytest.fixture
async def codes(http: httpx.AsyncClient, database: Database, vault: Vault) -> LinkCodes:
    """The codes of a link that was sent one."""
    await add_transfer(database)
    await add_link(database)
    await add_code(database, vault)
    return LinkCodes(database, vault)


async def outcome(codes: LinkCodes, code: str, decision: Decision = Decision.ACCEPT) -> type[Refusal] | None:
    try:
        await codes.use(LINK, code, decision)
    except Refusal as refusal:
        return type(refusal)
    return None


async def wrong_tries(database: Database) -> int:
    async with database.reading() as rows:
        return (await rows.execute(select(Code.wrong_tries))).scalar_one()


async def test_guesses_at_once_are_all_counted_so_no_sixth_one_is_looked_at(
    codes: LinkCodes, database: Database
) -> None:
    guesses = await asyncio.gather(*(outcome(codes, f"{number:06}") for number in range(8)))

    assert await wrong_tries(database) == 5
    assert guesses.count(TriesUsedUp) == 4, "the fifth wrong one, and three that were not looked at"
    assert await outcome(codes, CODE) is TriesUsedUp


async def test_of_two_answers_at_once_with_one_code_exactly_one_gets_it(codes: LinkCodes, database: Database) -> None:
    both = await asyncio.gather(*(outcome(codes, CODE, decision) for decision in (Decision.ACCEPT, Decision.DECLINE)))

    assert sorted(map(str, both)) == sorted(map(str, [None, CodeUsed]))
    assert await wrong_tries(database) == 0, "the right code is no wrong try"


async def test_eight_who_ask_for_a_code_at_once_get_one(codes: LinkCodes) -> None:
    await codes.ask(LINK)
    numbers = await asyncio.gather(*(codes.ask(LINK) for _ in range(8)))

    assert set(numbers) == {2}, "the first was sent already"


async def test_codes_that_were_not_sent_use_nothing_up_and_five_can_be(
    codes: LinkCodes, database: Database, vault: Vault
) -> None:
    for number in range(1, CODES_A_LINK + 1):
        assert await codes.ask(LINK) == number
        if number > 1:  # the first is there already
            assert await codes.ask(LINK) == number
            await add_code(database, vault, number=number)

    with pytest.raises(CodesUsedUp):
        await codes.ask(LINK)


@pytest.mark.parametrize(("left", "taken"), [(timedelta(seconds=5), None), (-timedelta(seconds=1), CodeExpired)])
async def test_a_code_that_was_not_used_is_good_for_its_ten_minutes_and_no_longer(
    codes: LinkCodes, database: Database, left: timedelta, taken: type[Exception] | None
) -> None:
    async with database.writing() as rows:
        (await rows.get_one(Code, (LINK, 1))).expires_at = datetime.now(UTC) + left
    assert await outcome(codes, CODE) is taken


async def test_a_used_code_repeats_its_answer_even_after_it_expired(
    codes: LinkCodes, database: Database, vault: Vault
) -> None:
    await codes.use(LINK, CODE, Decision.ACCEPT)
    async with database.writing() as rows:
        code = await rows.get_one(Code, (LINK, 1))
        code.expires_at = code.sent_at or code.expires_at

    assert await outcome(codes, CODE) is None
    assert await outcome(codes, CODE, Decision.DECLINE) is CodeUsed


async def test_a_used_code_is_no_key_for_as_long_as_the_link_lives(codes: LinkCodes, database: Database) -> None:
    """Its answer may have been refused: by then the address may be somebody else's."""
    await codes.use(LINK, CODE, Decision.ACCEPT)
    async with database.writing() as rows:
        code = await rows.get_one(Code, (LINK, 1))
        code.expires_at -= timedelta(minutes=71)

    assert await outcome(codes, CODE) is CodeExpired


async def test_a_code_is_read_under_a_server_key_that_was_replaced(codes: LinkCodes, database: Database) -> None:
    rotated = LinkCodes(
        database, Vault(["a-new-key-of-thirty-two-characters-", "0123456789abcdef0123456789abcdef-test"])
    )

    assert await outcome(rotated, CODE) is None
