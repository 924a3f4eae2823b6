"""The pages' languages: whose one is taken, that a choice lasts, and that no page mixes them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import httpx
import pytest

from api.pages.english import ENGLISH
from api.pages.forms import NoName
from api.pages.french import FRENCH
from api.pages.german import GERMAN
from api.pages.rendering import WORDS
from api.pages.words import Ending, Words
from domain.codes import CodeExpired, CodesUsedUp, CodeUsed, NoCodeSent, NotACode, TriesUsedUp, WrongCode
from domain.errors import REFUSALS, HandoverError, Unavailable
from domain.ids import UserId
from domain.languages import Language, moment
from persistence.links.approvals import owner_channel
from persistence.session import Database
from persistence.tables import ApprovalLink, Request, Transfer, User
from persistence.vault import Vault
from tests.api.conftest import LATER
from tests.api.engine import Engine
from tests.api.reading import Reading
from tests.api.world import CODE, TOKEN, add_code, add_link, change

FRENCH_BROWSER = {"Accept-Language": "fr-CH, fr;q=0.9, en;q=0.8"}
ENGLISH_BROWSER = {"Accept-Language": "en-US, en;q=0.5"}
GERMAN_BROWSER = {"Accept-Language": "de-AT, de;q=0.9, en;q=0.8"}
#: Words of its pages that a language spells as English does.
SHARED = {
    Language.FRENCH: {
        *("code", "codes", "cookie", "cookies", "message", "messages", "minute", "minutes", "moment", "page"),
        *("continue", "place", "qr", "rfid", "sessions", "site"),
    },
    Language.GERMAN: {
        *("browser", "code", "codes", "cookie", "cookies", "link", "minute", "qr", "rfid", "spam"),
        *("an", "in", "so", "was"),
    },
}
#: What is on the pages by no words of ours.
DATA = (
    "Enjoy it!\n<script>alert(1)</script>",
    "Wallbox cp-1",
    "12 rue des Lilas, Lyon",
    "Team Nord",
    "Rita's own",
    "Olga",
)
TYPED_ERRORS: list[HandoverError] = [
    NoName(120),
    *(NotACode(6), WrongCode(4), TriesUsedUp(5), CodesUsedUp(5), CodeExpired(), NoCodeSent(), CodeUsed()),
]
ERRORS = [*TYPED_ERRORS, *(kind("An English text.") for kind in REFUSALS.values()), Unavailable("An English text.")]


async def lang_of(http: httpx.AsyncClient, path: str, **headers: str) -> str | None:
    answer = await http.get(path, headers=headers)
    lang = Reading(answer.text).lang
    assert answer.headers["content-language"] == lang
    return lang


# --- whose language ---------------------------------------------------------------------------------------------------


async def test_the_account_comes_before_the_browser_and_the_browser_before_the_sender(
    http: httpx.AsyncClient, link: str, database: Database
) -> None:
    assert await lang_of(http, link, **FRENCH_BROWSER) == "en", "Rita's account is in English"
    await change(database, User, locale="fr_FR")
    assert await lang_of(http, link, **ENGLISH_BROWSER) == "fr"
    await change(database, User, locale="de_CH")
    assert await lang_of(http, link, **FRENCH_BROWSER) == "de"
    await change(database, User, locale="es")
    assert await lang_of(http, link, **FRENCH_BROWSER) == "fr", "there is no Spanish page: the browser is asked"
    assert await lang_of(http, link, **GERMAN_BROWSER) == "de"


async def test_without_an_account_the_browser_is_asked_then_the_senders_language_taken(
    http: httpx.AsyncClient, link: str, database: Database
) -> None:
    await change(database, Transfer, to_owner_id=None, to_group_id=None)

    assert await lang_of(http, link, **ENGLISH_BROWSER) == "en"
    assert await lang_of(http, link) == "fr", "Olga's"
    await change(database, User, locale="ja")
    assert await lang_of(http, link) == "en"


async def test_an_account_that_was_opened_meanwhile_counts(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault
) -> None:
    await change(database, Transfer, to_owner_id=None, to_group_id=None)
    body = b'{"kind":"transfer_to_user","acceptance":"required","expires_in":"P7D",'
    sealed = vault.seal(body + b'"recipient":"rita@example.com","recipient_channel":"email"}')
    await change(database, Request, sealed_body=sealed)

    assert await lang_of(http, link, **FRENCH_BROWSER) == "en", "Rita's account"


async def test_of_several_owners_each_reads_their_own_language(
    http: httpx.AsyncClient, link: str, database: Database
) -> None:
    await change(database, Transfer, kind="move_to_group", to_group_id="g-team")
    await change(database, ApprovalLink, channel=owner_channel(UserId("u-olga")))

    assert await lang_of(http, link, **ENGLISH_BROWSER) == "fr"
    await change(database, ApprovalLink, channel=owner_channel(UserId("u-adam")))
    assert await lang_of(http, link, **ENGLISH_BROWSER) == "en", "an admin is no owner, so the browser is asked"


# --- the switch -------------------------------------------------------------------------------------------------------


async def test_the_switch_is_on_each_page_and_the_choice_lasts(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault
) -> None:
    for path in (link, f"{link}/code", f"/t/{TOKEN}x"):
        page = (await http.get(path)).text
        assert '<a href="?lang=fr" lang="fr" hreflang="fr">Français</a>' in page
        assert '<a href="?lang=de" lang="de" hreflang="de">Deutsch</a>' in page
    await add_code(database, vault)
    wrong = await http.post(f"{link}/accept", data={"code": "000000"})
    assert f'href="{link}/code?lang=fr"' in wrong.text, "an answer to a form is no address to come back to"

    chosen = await http.get(f"{link}/code?lang=fr")

    assert Reading(chosen.text).lang == "fr"
    assert "Max-Age" not in chosen.headers["set-cookie"]
    assert "Path=/;" in chosen.headers["set-cookie"]
    for path in (link, f"{link}/code", f"/t/{TOKEN}x", "/t/of/lnk_2"):
        assert await lang_of(http, path, **ENGLISH_BROWSER) == "fr"
    done = await http.post(f"{link}/accept", data={"code": CODE})
    assert "Vous avez accepté" in done.text
    assert await lang_of(http, f"{link}?lang=en", **FRENCH_BROWSER) == "en"
    assert await lang_of(http, link, **FRENCH_BROWSER) == "en"


@pytest.mark.parametrize("choice", ["es", "", "x" * 500, "fr%0d%0aSet-Cookie:a=b", "../en"])
async def test_a_language_that_there_is_not_chooses_nothing(http: httpx.AsyncClient, link: str, choice: str) -> None:
    answer = await http.get(f"{link}?lang={choice}")

    assert (answer.status_code, Reading(answer.text).lang) == (200, "en")
    assert "set-cookie" not in answer.headers


# --- no page mixes them -----------------------------------------------------------------------------------------------


async def every_page(http: httpx.AsyncClient, link: str, database: Database, vault: Vault, lang: str) -> list[str]:
    """Give every page that there is, in a language: offers, forms, errors, ends."""
    await change(database, User, locale=lang)
    browser = {"Accept-Language": lang}
    pages = [await http.get(link), await http.get(f"{link}/code")]
    pages += [await http.post(f"{link}/accept", data={"code": code}) for code in ("x", CODE)]
    await add_code(database, vault)
    pages += [await http.post(f"{link}/accept", data={"code": "000000"}) for _ in range(6)]
    pages.append(await http.get(f"{link}/code"))
    for values in (
        {"kind": "transfer_ownership"},
        {"kind": "move_to_group"},
        {"kind": "transfer_to_user", "connection": "delete"},
    ):
        await change(database, Transfer, **values)
        pages.append(await http.get(link))
    await add_link(database, "newer-token", link_id="lnk_2", generation=2)
    pages.append(await http.get(link))
    for values in ({"state": "expired"}, {"state": "cancelled"}, {"state": "declined"}, {"accepted_by": "u-rita"}):
        await change(database, Transfer, **values)
        pages.append(await http.get(link))
    pages += [await http.get(path, headers=browser) for path in ("/t/unknown", "/t/of/unknown")]
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    pages.append(await http.post(f"{link}/accept", headers={**browser, **elsewhere}))
    return [page.text for page in pages]


def without_data(text: str) -> str:
    for data in DATA:
        text = text.replace(data, "")
    return text


def words_in(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[^\W\d_]{2,}", text.lower())}


@pytest.mark.parametrize("language", SHARED)
async def test_no_english_word_is_on_any_page_of_another_language(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine, language: Language
) -> None:
    pages = [Reading(page) for page in await every_page(http, link, database, vault, language)]

    assert {page.lang for page in pages} == {language}
    english = words_in([*texts_of(ENGLISH), moment(LATER, Language.ENGLISH)]) - {"utc"}
    assert words_in(without_data(text) for page in pages for text in page.texts) & english == SHARED[language]
    assert len({page.texts[0] for page in pages}) == 11, "they are many pages, not one"
    assert "Error" not in str([page.texts for page in pages])


def test_every_language_but_english_is_compared_with_it() -> None:
    assert set(SHARED) == set(Language) - {Language.ENGLISH}


def texts_of(value: Any) -> Iterator[str]:
    """Give every text within a language's words."""
    if isinstance(value, str) and not isinstance(value, Language):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from texts_of(one)
    elif hasattr(value, "__dataclass_fields__"):
        for field in fields(value):
            yield from texts_of(getattr(value, field.name))


@pytest.mark.parametrize("words", [FRENCH, GERMAN], ids=lambda words: words.language)
def test_every_language_says_the_same_things_with_the_same_placeholders(words: Words) -> None:
    for field in fields(ENGLISH):
        english, others = getattr(ENGLISH, field.name), getattr(words, field.name)
        if isinstance(english, dict):
            assert english.keys() == others.keys()
        pairs = list(zip(texts_of(english), texts_of(others), strict=True))
        assert all(one != other for one, other in pairs if re.search(r"\w", one)), field.name
        assert all(set(re.findall(r"\{\w+\}", one)) == set(re.findall(r"\{\w+\}", other)) for one, other in pairs)
    assert isinstance(ENGLISH.accepted, Ending)


def test_english_has_its_typography() -> None:
    for text in texts_of(ENGLISH):
        assert not re.search(r"""['"]|\.\.\.""", text), text


def test_french_has_its_typography() -> None:
    for text in texts_of(FRENCH):
        assert not re.search(r"[^\u00a0][:;?!»]|«[^\u00a0]|'|“|”|\.\.\.", text), text
        assert not re.search(r"\b(tu|ton|ta|tes|toi)\b", text.lower()), text


def test_german_has_its_typography() -> None:
    for text in texts_of(GERMAN):
        assert not re.search(r"""['"«»”ß]|\.\.\.""", text), text
        assert re.findall("[„“]", text) == [*"„“"] * text.count("„"), text
        assert not re.search(r"\b(du|dich|dir|deine?[mnrs]?)\b", text.lower()), text


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_told_in_the_readers_language_with_its_numbers(error: HandoverError) -> None:
    for words in WORDS.values():
        text = words.error_of(error)
        assert "An English text" not in text
        assert "{" not in text
        numbers = {name: number for name, number in vars(error).items() if name not in {"message", "retry_after"}}
        assert all(str(number) in text for number in numbers.values()), "the wait goes into a header"
    assert len({words.error_of(error) for words in WORDS.values()}) == len(Language)


def test_what_is_wrong_with_what_was_typed_has_words_of_its_own() -> None:
    for words in WORDS.values():
        assert len({words.error_of(error) for error in TYPED_ERRORS}) == len(TYPED_ERRORS)
        assert all(type(error) in words.errors for error in TYPED_ERRORS)
