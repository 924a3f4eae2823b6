"""What the acceptance page says of the charger's key, and what the recipient chooses about it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.dependencies import Options
from api.pages.english import ENGLISH
from api.pages.rendering import WORDS
from domain.keys import KnownTo
from domain.languages import Language
from domain.policy import Policy
from domain.transfer import UntilNewKey
from persistence.session import Database
from persistence.tables import Transfer
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.reading import Reading
from tests.api.world import CODE, TOKEN, add_code, add_key, change, open_link

#: Transfers after which the charger has no use for another key.
WITHOUT_ANOTHER_KEY: list[dict[str, Any]] = [
    {"connection": "delete"},
    {"kind": "move_to_group", "to_owner_id": "u-olga"},
]
WITH_ANOTHER_KEY: list[dict[str, Any]] = [
    {"kind": "transfer_to_user"},
    {"kind": "transfer_ownership", "to_group_id": "g-team"},
    {"kind": "move_to_group"},
]


async def words_of(http: httpx.AsyncClient, path: str) -> str:
    return " ".join(Reading((await http.get(path)).text).texts)


@pytest.mark.parametrize("values", WITH_ANOTHER_KEY)
@pytest.mark.parametrize("known_to", [*KnownTo, None])
async def test_who_accepts_another_owner_is_asked_what_an_old_key_opens_whatever_key_it_is(
    http: httpx.AsyncClient, link: str, database: Database, values: dict[str, Any], known_to: KnownTo | None
) -> None:
    await change(database, Transfer, **values)
    if known_to:
        await add_key(database, known_to)

    page = (await http.get(f"{link}/code?lang=en")).text

    assert page.count('type="radio"') == 2
    assert 'value="serve" checked' in page
    for choice in ENGLISH.until_new_key_choices.values():
        assert choice.label in page
        assert choice.text in page


@pytest.mark.parametrize("values", WITHOUT_ANOTHER_KEY)
async def test_where_the_key_stays_or_ends_with_the_change_nothing_is_asked_of_it(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine, values: dict[str, Any]
) -> None:
    await change(database, Transfer, if_offline="roll_back", **values)
    await add_key(database, KnownTo.CHARGER)
    await add_code(database, vault)

    assert 'type="radio"' not in (await http.get(f"{link}/code")).text
    offered = await words_of(http, f"{link}?lang=en")
    assert "can know the key" not in offered
    assert "goes back" not in offered
    await http.post(f"{link}/accept", data={"code": CODE, "until_new_key": "quarantine"})
    assert engine.choices == [None], "what is not asked is not answered"


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ({"until_new_key": "serve"}, UntilNewKey.SERVE),
        ({"until_new_key": "quarantine"}, UntilNewKey.QUARANTINE),
        ({"until_new_key": "<script>"}, None),
        ({}, None),
    ],
)
async def test_the_choice_goes_with_the_acceptance(
    http: httpx.AsyncClient,
    link: str,
    database: Database,
    vault: Vault,
    engine: Engine,
    typed: dict[str, str],
    chosen: UntilNewKey | None,
) -> None:
    await add_code(database, vault)

    assert (await http.post(f"{link}/accept", data={"code": CODE} | typed)).status_code == 200
    assert engine.choices == [chosen]


async def test_who_declines_has_chosen_nothing(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await add_code(database, vault)
    await http.post(f"{link}/decline", data={"code": CODE, "until_new_key": "quarantine"})
    assert engine.choices == [None]


async def test_a_wrong_code_does_not_lose_the_choice(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault
) -> None:
    await add_code(database, vault)
    page = await http.post(f"{link}/accept", data={"code": "000000", "until_new_key": "quarantine"})
    assert 'value="quarantine" checked' in page.text
    assert page.text.count(" checked") == 1


async def test_a_key_that_people_know_is_said_to_need_another_one_and_delete_to_be_better(
    http: httpx.AsyncClient, link: str, database: Database
) -> None:
    await add_key(database, KnownTo.PEOPLE)

    offered = await words_of(http, link)

    assert "People can know the key that it uses, the present owner too" in offered
    assert "ask Olga to start again with the connection deleted" in offered
    assert "Its credentials are normally replaced" not in offered
    assert "Only what was connected" not in offered


@pytest.mark.parametrize(
    ("values", "said", "unsaid"),
    [
        ({}, "connected on Thursday 1 January 2026, 12:00 UTC can know", "serial"),
        ({"serials": ["S-1", "<b>"]}, "12:00 UTC (serial number: S-1, <b>) can know", "not encrypted"),
        ({"open_line": True}, "sent over a line that is not encrypted", "serial"),
    ],
)
async def test_a_key_that_only_the_charger_knows_is_said_to_be_known_to_what_was_connected(
    http: httpx.AsyncClient, link: str, database: Database, values: dict[str, Any], said: str, unsaid: str
) -> None:
    await add_key(database, KnownTo.CHARGER, **values)

    offered = await words_of(http, link)

    assert said in offered
    assert unsaid not in offered
    assert "not what hangs on the wall" in offered
    assert "Its credentials are normally replaced" in offered
    assert "<b>" not in (await http.get(link)).text


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("if_offline", ["roll_back", "complete"])
async def test_that_it_goes_back_where_the_charger_stays_offline_is_said_with_the_time(
    database: Database, vault: Vault, engine: Engine, link: str, if_offline: str, language: Language
) -> None:
    await change(database, Transfer, if_offline=if_offline)
    app = create_app(database, vault, engine, Options(policy=Policy(offline_deadline=timedelta(days=9))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://handover.test") as http:
        offered = await words_of(http, f"{await open_link(http, f'/t/{TOKEN}')}?lang={language}")

    span = {Language.ENGLISH: "9 days", Language.FRENCH: "9\u00a0jours", Language.GERMAN: "9 Tage"}[language]
    assert (WORDS[language].goes_back.format(span=span) in offered) is (if_offline == "roll_back")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("known_to", KnownTo)
async def test_every_sentence_about_a_key_is_in_the_readers_language(
    http: httpx.AsyncClient, link: str, database: Database, language: Language, known_to: KnownTo
) -> None:
    await add_key(database, known_to, open_line=True, serials=["S-1"])
    words = WORDS[language]
    offered = await words_of(http, f"{link}?lang={language}")
    assert words.key_open_line in offered
    if known_to is KnownTo.PEOPLE:
        assert words.kept_known in offered
        assert words.better_deleted.format(sender="Olga") in offered
    else:
        assert words.key_serials.format(serials="S-1") in offered
