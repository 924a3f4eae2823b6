"""The approval link: codes, answers, and who is too late."""

import httpx
import pytest
from sqlalchemy import update

from domain.approval import Decision
from domain.errors import AlreadyDecided, NotPossible, Unavailable
from persistence.session import Database
from persistence.tables import Transfer
from persistence.vault import Vault
from tests.api.conftest import Trail
from tests.api.engine import Engine
from tests.api.world import CODE, add_code, change


async def test_asking_for_a_code_sends_the_next_one_and_leads_to_where_it_is_typed(
    http: httpx.AsyncClient, link: str, engine: Engine
) -> None:
    first = await http.post(f"{link}/code")
    await http.post(f"{link}/code")
    form = await http.get(first.headers["location"])

    assert (first.status_code, first.headers["location"]) == (303, f"{link}/code")
    assert engine.codes == [("lnk_1", 1), ("lnk_1", 2)]
    assert 'autocomplete="one-time-code"' in form.text
    assert f'formaction="{link}/decline"' in form.text


async def test_a_sixth_code_is_not_sent(http: httpx.AsyncClient, link: str, engine: Engine) -> None:
    answers = [await http.post(f"{link}/code") for _ in range(7)]

    assert [answer.status_code for answer in answers] == [303] * 5 + [429] * 2
    assert [number for _, number in engine.codes] == [1, 2, 3, 4, 5]
    assert "5 codes were sent already" in answers[-1].text


@pytest.mark.parametrize("typed", [CODE, "123 456", " 123-456 "])
@pytest.mark.parametrize(("answer", "text"), [("accept", "You have accepted"), ("decline", "You have declined")])
async def test_the_right_code_takes_the_answer_for_the_links_recipient(
    http: httpx.AsyncClient,
    link: str,
    database: Database,
    vault: Vault,
    engine: Engine,
    answer: str,
    text: str,
    typed: str,
) -> None:
    await add_code(database, vault)

    page = await http.post(f"{link}/{answer}", data={"code": typed})

    assert page.status_code == 200
    assert text in page.text
    assert engine.decided == [("trf_1", Decision(answer), "link:lnk_1", None, "lnk_1")]


async def test_the_same_answer_may_come_again_with_the_same_code_but_not_the_other(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    """The first answer was lost on its way: the engine did not get it."""
    await add_code(database, vault)
    engine.fails = Unavailable("No answer yet.")
    lost = await http.post(f"{link}/accept", data={"code": CODE})
    engine.fails = None

    other = await http.post(f"{link}/decline", data={"code": CODE})
    again = await http.post(f"{link}/accept", data={"code": CODE})
    once_more = await http.post(f"{link}/accept", data={"code": CODE})

    assert (lost.status_code, lost.headers["retry-after"]) == (503, "5")
    assert "Press the same button once more" in lost.text
    assert other.status_code == 409
    assert "used for the other answer" in other.text
    assert again.status_code == once_more.status_code == 200
    assert [decision for _, decision, *_ in engine.decided] == [Decision.ACCEPT] * 2


async def test_wrong_codes_are_counted_and_the_sixth_try_is_too_many_even_if_right(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine, trail: Trail
) -> None:
    await add_code(database, vault)

    wrong = [await http.post(f"{link}/accept", data={"code": f"00000{number}"}) for number in range(5)]
    right = await http.post(f"{link}/accept", data={"code": CODE})

    assert [answer.status_code for answer in wrong] == [422, 422, 422, 422, 429]
    assert "Tries left: 4." in wrong[0].text
    assert "Tries left: 1." in wrong[3].text
    assert right.status_code == 429
    assert "ask for a new one" in right.text
    assert engine.decided == []
    assert [code for _, _, code in await trail("trf_1")] == ["invalid_request"] * 4 + ["rate_limited"]
    assert (await trail("trf_1"))[0][:2] == ("link:lnk_1", "accept_refused")


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦"])
async def test_what_can_not_be_a_code_costs_no_try(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, typed: str
) -> None:
    await add_code(database, vault)

    answers = [await http.post(f"{link}/accept", data={"code": typed}) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {422}
    assert "Type the 6 digits" in answers[0].text
    assert (await http.post(f"{link}/accept", data={"code": CODE})).status_code == 200


async def test_only_the_latest_code_is_good(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await add_code(database, vault, "111111", number=1)
    await add_code(database, vault, "222222", number=2)

    assert (await http.post(f"{link}/accept", data={"code": "111111"})).status_code == 422
    assert (await http.post(f"{link}/accept", data={"code": "222222"})).status_code == 200


async def test_an_expired_code_and_one_never_sent_say_to_ask_for_one(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    never = await http.post(f"{link}/accept", data={"code": CODE})
    await add_code(database, vault, minutes=-1)
    expired = await http.post(f"{link}/accept", data={"code": CODE})

    assert never.status_code == expired.status_code == 409
    assert "No code was sent yet; ask for one." in never.text
    assert "That code has expired; ask for a new one." in expired.text
    assert engine.decided == []


async def test_where_the_decision_is_refused_the_page_says_why_and_lets_the_reader_try_again(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine, trail: Trail
) -> None:
    await add_code(database, vault)
    engine.fails = NotPossible("There is no usable account for this address; open one, then accept.")

    refused = await http.post(f"{link}/accept", data={"code": CODE})
    engine.fails = None

    assert refused.status_code == 409
    assert "It takes an active account" in refused.text
    assert await trail("trf_1") == [("link:lnk_1", "accept_refused", "not_possible")]
    assert (await http.post(f"{link}/accept", data={"code": CODE})).status_code == 200


async def test_who_is_second_reads_how_it_stands(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await add_code(database, vault)
    async with database.writing() as rows:
        await rows.execute(update(Transfer).where(Transfer.id == "trf_1").values(state="cancelled"))
    engine.fails = AlreadyDecided("The transfer is cancelled; it can't be decided any more.")

    late = await http.post(f"{link}/accept", data={"code": CODE})

    assert late.status_code == 409
    assert "This transfer was called off" in late.text


async def test_a_code_that_could_not_be_sent_is_told_on_the_page(
    http: httpx.AsyncClient, link: str, engine: Engine
) -> None:
    engine.fails = Unavailable("The code could not be sent yet; ask for another one in a moment.")

    answer = await http.post(f"{link}/code")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert 'role="alert"' in answer.text
    assert "could not be sent yet" in answer.text


async def test_a_form_for_an_answer_that_there_is_not_is_not_found(http: httpx.AsyncClient, link: str) -> None:
    assert (await http.post(f"{link}/cancel", data={"code": CODE})).status_code == 404
    assert (await http.post(f"{link}/accept", json={"code": CODE})).status_code == 422
    assert (await http.put(link)).status_code == 405


async def test_the_link_works_where_the_address_had_no_account_when_it_was_asked(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await no_account(database)
    await add_code(database, vault)

    english = {"Accept-Language": "en"}
    assert "comes into your personal group" in (await http.get(link, headers=english)).text
    form = (await http.get(f"{link}/code", headers=english)).text
    assert "Open an account and accept" in form
    unnamed = await http.post(f"{link}/accept", data={"code": CODE, "name": " \u00a0 "}, headers=english)
    assert unnamed.status_code == 422
    assert "Type your name, in at most 120 characters" in unnamed.text
    assert engine.decided == []
    engine.fails = NotPossible("No account can be opened with this address; ask our support.")
    refused = await http.post(f"{link}/accept", data={"code": CODE, "name": "Noé"}, headers=english)
    assert (refused.status_code, engine.decided) == (409, [])
    assert "if yours is blocked" in refused.text
    engine.fails = None
    accepted = await http.post(f"{link}/accept", data={"code": CODE, "name": "Noé"}, headers=english)
    assert accepted.status_code == 200
    assert engine.opened == [("lnk_1", "Noé", "en")]
    assert engine.decided[0][3:] == (None, "lnk_1")


async def test_a_name_with_the_joiners_of_its_script_opens_an_account(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await no_account(database)
    await add_code(database, vault)

    assert (await http.post(f"{link}/accept", data={"code": CODE, "name": "क्\u200dषेत्र"})).status_code == 200
    assert [name for _, name, _ in engine.opened] == ["क्\u200dषेत्र"]


async def test_what_was_typed_as_a_name_is_there_again_after_a_wrong_code(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await no_account(database)
    await add_code(database, vault)

    wrong = await http.post(f"{link}/accept", data={"code": "000000", "name": '  "Noé"  Roy '})

    assert wrong.status_code == 422
    assert 'value="&#34;Noé&#34; Roy"' in wrong.text


@pytest.mark.parametrize("name", ["", "...", "n" * 121, "No\u202eé", "a\x00b"])
async def test_only_what_can_be_a_name_opens_an_account_and_declining_needs_none(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine, name: str
) -> None:
    await no_account(database)
    await add_code(database, vault)

    accepted = await http.post(f"{link}/accept", data={"code": CODE, "name": name})
    declined = await http.post(f"{link}/decline", data={"code": CODE, "name": name})

    assert (accepted.status_code, declined.status_code, engine.opened) == (422, 200, [])
    assert [decision for _, decision, *_ in engine.decided] == [Decision.DECLINE]


async def test_who_has_an_account_is_asked_for_no_name(http: httpx.AsyncClient, link: str, database: Database) -> None:
    assert 'name="name"' not in (await http.get(f"{link}/code")).text
    assert "no account" not in (await http.get(link)).text
    await change(database, Transfer, to_owner_id="u-blanca")
    for kind in ("transfer_to_user", "transfer_ownership"):
        await change(database, Transfer, kind=kind)
        form = (await http.get(f"{link}/code?lang=en")).text
        assert 'name="name"' not in form, "her account is blocked: she can't open another one"
        assert "is not in use" in form


async def no_account(database: Database) -> None:
    """Let nobody stand behind the link's address."""
    await change(database, Transfer, to_owner_id=None, to_group_id=None)
