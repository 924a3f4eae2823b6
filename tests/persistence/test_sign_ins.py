"""Signing in: a code proves who has the address, and nothing tells whether anybody has."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from domain.codes import TRIES, VALID_FOR, CodeExpired, NoCodeSent, TriesUsedUp, WrongCode
from domain.contact import Address, Channel
from domain.errors import RateLimited
from domain.ids import SignInCodeId, UserId
from domain.limits import NO_LIMITS, CallLimits
from domain.sign_in import IDLE, LASTS, LONGEST_BROWSER, NOTED_EVERY, PROOF_LASTS, CodeSpent
from persistence.importing.imports import import_lines
from persistence.intake import sign_in_codes
from persistence.intake.limits import Counters
from persistence.intake.sign_ins import SignIns
from persistence.session import Database
from persistence.tables import SignIn, SignInCode, User
from persistence.vault import Vault
from tests.journeys.system import two_users

BOB = Address(Channel.EMAIL, "bob@example.com")
NOBODY = Address(Channel.EMAIL, "nobody@example.com")
BROWSER = "Mozilla/5.0 (Android 14; Mobile)"


@pytest.fixture
async def sign_ins(database: Database, vault: Vault) -> SignIns:
    await import_lines(database, vault, [json.dumps(line).encode() for line in two_users(1)])
    return SignIns(database, vault, Counters(vault, NO_LIMITS))


async def sent(database: Database, vault: Vault, code_id: SignInCodeId) -> str | None:
    """Have a code bound to whoever has its address; gives its digits, None where nobody has."""
    async with database.writing() as rows:
        found = await sign_in_codes.to_send(rows, vault, code_id, datetime.now(UTC))
    return found.digits if found else None


async def asked(database: Database, vault: Vault, sign_ins: SignIns) -> tuple[SignInCodeId, str]:
    code_id = await sign_ins.ask(BOB)
    digits = await sent(database, vault, code_id)
    assert digits is not None
    return code_id, digits


def wrong(digits: str) -> str:
    return f"{(int(digits) + 1) % 10**6:06}"


async def test_a_code_signs_in_who_it_was_sent_to_once(database: Database, sign_ins: SignIns, vault: Vault) -> None:
    code_id, digits = await asked(database, vault, sign_ins)
    assert await sent(database, vault, code_id) == digits, "sent again, it is the same"
    made = await sign_ins.use(code_id, digits, browser=BROWSER)
    found = await sign_ins.find(made.token)
    assert found is not None
    assert (found.caller.id, found.caller.scopes, found.sign_in.browser) == ("bob", frozenset(), BROWSER)
    assert await sent(database, vault, code_id) is None
    with pytest.raises(CodeSpent):
        await sign_ins.use(code_id, digits, browser=BROWSER)
    assert len(await sign_ins.of_user(UserId("bob"))) == 1


async def test_an_address_that_nobody_has_is_answered_alike(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    known, digits = await asked(database, vault, sign_ins)
    unknown = await sign_ins.ask(NOBODY)
    assert await sent(database, vault, unknown) is None
    for left in range(TRIES - 1, 0, -1):
        for code_id in (known, unknown):
            with pytest.raises(WrongCode) as refused:
                await sign_ins.use(code_id, wrong(digits), browser=BROWSER)
            assert refused.value.left == left
    for code_id in (known, unknown):
        for _ in range(2):
            with pytest.raises(TriesUsedUp):
                await sign_ins.use(code_id, wrong(digits), browser=BROWSER)
    with pytest.raises(TriesUsedUp):
        await sign_ins.use(known, digits, browser=BROWSER)


async def test_the_right_digits_of_a_code_that_was_sent_to_nobody_open_nothing(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    code_id = await sign_ins.ask(NOBODY)
    with pytest.raises(WrongCode):
        await sign_ins.use(code_id, vault.digits("sign-in-code", code_id, count=6), browser=BROWSER)


async def test_guesses_at_once_are_all_counted(database: Database, sign_ins: SignIns, vault: Vault) -> None:
    code_id, digits = await asked(database, vault, sign_ins)
    guesses = [sign_ins.use(code_id, wrong(digits), browser=BROWSER) for _ in range(20)]
    found = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(one, WrongCode) for one in found) == TRIES - 1
    with pytest.raises(TriesUsedUp):
        await sign_ins.use(code_id, digits, browser=BROWSER)


async def test_a_code_is_good_for_its_time_and_in_its_own_browser(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    code_id, digits = await asked(database, vault, sign_ins)
    other, _ = await asked(database, vault, sign_ins)
    with pytest.raises(WrongCode):
        await sign_ins.use(other, digits, browser=BROWSER)
    with pytest.raises(NoCodeSent):
        await sign_ins.use(SignInCodeId("sic_made_up"), digits, browser=BROWSER)
    async with database.writing() as rows:
        await rows.execute(update(SignInCode).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(CodeExpired):
        await sign_ins.use(code_id, digits, browser=BROWSER)
    assert timedelta(minutes=10) == VALID_FOR


async def test_no_more_codes_are_asked_for_with_an_address_than_allowed(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    limited = SignIns(database, vault, Counters(vault, CallLimits(sign_in_codes_per_hour=2)))
    for address in (BOB, NOBODY):
        for _ in range(2):
            await limited.ask(address)
        with pytest.raises(RateLimited):
            await limited.ask(address)


async def test_one_network_asks_for_no_more_codes_than_allowed_whatever_the_addresses(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    limited = SignIns(database, vault, Counters(vault, CallLimits(sign_in_codes_per_network=2)))
    await limited.ask(BOB, "192.0.2.1")
    await limited.ask(NOBODY, "192.0.2.1")
    with pytest.raises(RateLimited):
        await limited.ask(Address(Channel.EMAIL, "another@example.com"), "192.0.2.1")
    await limited.ask(BOB, "192.0.2.2")


async def test_a_code_proves_anew_who_is_signed_in_there_and_signs_nobody_in(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    made, other = [await sign_ins.use(*await asked(database, vault, sign_ins), browser=BROWSER) for _ in range(2)]
    async with database.writing() as rows:
        await rows.execute(update(SignIn).values(proven_at=datetime.now(UTC) - PROOF_LASTS))
    here, there = await sign_ins.find(made.token), await sign_ins.find(other.token)
    assert here
    assert there
    assert not here.sign_in.proven_lately
    code_id = await sign_ins.ask_proof(here)
    digits = await sent(database, vault, code_id)
    assert digits
    with pytest.raises(NoCodeSent):
        await sign_ins.use(code_id, digits, browser=BROWSER)
    with pytest.raises(NoCodeSent):
        await sign_ins.prove_by_code(there, code_id, digits)
    with pytest.raises(NoCodeSent):
        await sign_ins.prove_by_code(here, *await asked(database, vault, sign_ins))
    with pytest.raises(WrongCode):
        await sign_ins.prove_by_code(here, code_id, wrong(digits))
    await sign_ins.prove_by_code(here, code_id, digits)
    with pytest.raises(CodeSpent):
        await sign_ins.prove_by_code(here, code_id, digits)
    here, there = await sign_ins.find(made.token), await sign_ins.find(other.token)
    assert here
    assert there
    assert here.sign_in.proven_lately
    assert not there.sign_in.proven_lately


async def test_who_was_blocked_or_has_another_address_now_is_sent_no_code_to_prove_it(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    made = await sign_ins.use(*await asked(database, vault, sign_ins), browser=BROWSER)
    here = await sign_ins.find(made.token)
    assert here
    for values in ({"status": "blocked"}, {"status": "active", "email": "bob@elsewhere.example"}):
        code_id = await sign_ins.ask_proof(here)
        async with database.writing() as rows:
            await rows.execute(update(User).where(User.id == "bob").values(values))
        assert await sent(database, vault, code_id) is None


async def test_who_is_signed_in_can_end_one_or_all(database: Database, sign_ins: SignIns, vault: Vault) -> None:
    made = [await sign_ins.use(*await asked(database, vault, sign_ins), browser=f"browser {n}") for n in range(3)]
    bob = UserId("bob")
    await sign_ins.end(UserId("ada"), made[0].id)
    assert await sign_ins.find(made[0].token), "it is not hers"
    await sign_ins.end(bob, made[0].id)
    assert await sign_ins.find(made[0].token) is None
    await sign_ins.end_all(bob, but=made[1].id)
    assert [one.id for one in await sign_ins.of_user(bob)] == [made[1].id]
    await sign_ins.end_all(bob)
    assert await sign_ins.find(made[1].token) is None
    assert await sign_ins.of_user(bob) == []


@pytest.mark.parametrize(
    "values", [{"began_at": LASTS}, {"seen_at": IDLE}], ids=["after its time", "after it was left alone"]
)
async def test_a_sign_in_ends_by_itself(
    database: Database, sign_ins: SignIns, vault: Vault, values: dict[str, timedelta]
) -> None:
    made = await sign_ins.use(*await asked(database, vault, sign_ins), browser=BROWSER)
    async with database.writing() as rows:
        await rows.execute(update(SignIn).values({name: datetime.now(UTC) - ago for name, ago in values.items()}))
    assert await sign_ins.find(made.token) is None


async def test_a_blocked_account_is_signed_in_nowhere(database: Database, sign_ins: SignIns, vault: Vault) -> None:
    made = await sign_ins.use(*await asked(database, vault, sign_ins), browser=BROWSER)
    async with database.writing() as rows:
        await rows.execute(update(User).where(User.id == "bob").values(status="blocked"))
    assert await sign_ins.find(made.token) is None
    assert await sent(database, vault, await sign_ins.ask(BOB)) is None


async def test_that_it_is_used_is_noted_now_and_then(database: Database, sign_ins: SignIns, vault: Vault) -> None:
    made = await sign_ins.use(*await asked(database, vault, sign_ins), browser="x" * 999 + "\n")
    first = await sign_ins.find(made.token)
    assert first is not None
    assert first.sign_in.browser == "x" * LONGEST_BROWSER
    before = datetime.now(UTC) - NOTED_EVERY
    async with database.writing() as rows:
        await rows.execute(update(SignIn).values(seen_at=before))
    await sign_ins.find(made.token)
    async with database.reading() as rows:
        assert (await rows.get_one(SignIn, made.id)).seen_at > before


async def test_neither_address_nor_token_nor_digits_is_kept(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    code_id, digits = await asked(database, vault, sign_ins)
    made = await sign_ins.use(code_id, digits, browser=BROWSER)
    async with database.reading() as rows:
        code, kept = await rows.get_one(SignInCode, code_id), await rows.get_one(SignIn, made.id)
        text = repr([vars(code), vars(kept)])
    assert not {BOB.value, made.token, digits} & set(text.replace("'", " ").split())
    assert BOB.value not in text
    assert made.token not in text


async def test_who_is_signed_in_proves_anew_and_nobody_else_for_them(
    database: Database, sign_ins: SignIns, vault: Vault
) -> None:
    made = [await sign_ins.use(*await asked(database, vault, sign_ins), browser=BROWSER) for _ in range(2)]
    bob, ago = UserId("bob"), datetime.now(UTC) - PROOF_LASTS
    await sign_ins.end(bob, made[1].id)
    async with database.writing() as rows:
        await rows.execute(update(SignIn).values(proven_at=ago))
    await sign_ins.prove(made[0].id, UserId("ada"))
    await sign_ins.prove(made[1].id, bob)
    async with database.reading() as rows:
        assert (await rows.scalars(select(SignIn.proven_at))).all() == [ago, ago]
    found = await sign_ins.find(made[0].token)
    assert found is not None
    assert not found.sign_in.proven_lately
    await sign_ins.prove(made[0].id, bob)
    found = await sign_ins.find(made[0].token)
    assert found is not None
    assert found.sign_in.proven_lately
