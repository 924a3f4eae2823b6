"""Signing in at the pages: an address, a code, a cookie; nothing tells whether anybody has the address."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from api.app import create_app
from api.dependencies import Options
from domain.errors import Unavailable
from domain.ids import SignInCodeId
from domain.limits import CallLimits
from persistence.intake import sign_in_codes
from persistence.session import Database
from persistence.vault import Vault
from tests.api.engine import Engine

SAFE = "https://handover.example"
KNOWN, UNKNOWN = "rita@example.com", "nobody@example.com"
FORM = {"sec-fetch-site": "same-origin"}


@pytest.fixture
async def browser(database: Database, vault: Vault, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(database, vault, engine, Options(origin=SAFE, limits=CallLimits(sign_in_codes_per_hour=3)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SAFE, headers=FORM) as client:
        yield client


async def digits_of(database: Database, vault: Vault, code_id: SignInCodeId) -> str:
    """Give the digits that whoever has the address is sent."""
    async with database.writing() as rows:
        code = await sign_in_codes.to_send(rows, vault, code_id, datetime.now(UTC))
    assert code is not None
    return code.digits


async def sign_in(browser: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine) -> httpx.Response:
    await browser.post("/account/sign-in", data={"address": KNOWN})
    digits = await digits_of(database, vault, engine.sign_in_codes[-1])
    return await browser.post("/account/code", data={"code": f"{digits[:3]} {digits[3:]}"})


async def test_who_has_the_address_is_signed_in_by_the_code(
    browser: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine
) -> None:
    assert (await browser.get("/account/sign-ins")).headers["location"] == "/account/sign-in"
    asked = await browser.post("/account/sign-in", data={"address": f" {KNOWN.upper()} "})
    assert (asked.status_code, asked.headers["location"]) == (303, "/account/code")
    assert (await browser.get("/account/code")).status_code == 200
    digits = await digits_of(database, vault, engine.sign_in_codes[-1])
    entered = await browser.post("/account/code", data={"code": digits})
    assert entered.headers["location"] == "/"
    shown = await browser.get("/account/sign-ins")
    assert shown.status_code == 200
    assert "This is the one you are using now." in shown.text
    assert (await browser.get("/account/sign-in")).headers["location"] == "/"


async def test_the_cookies_are_for_this_host_alone_and_unreadable_for_scripts(
    browser: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine
) -> None:
    asked = await browser.post("/account/sign-in", data={"address": KNOWN})
    entered = await sign_in(browser, database, vault, engine)
    for answer, name in ((asked, "__Host-handover_code"), (entered, "__Host-handover_sign_in")):
        (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{name}=")]
        said = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= said
        assert not any(part.startswith("domain") for part in said)
        assert answer.headers["cache-control"] == "no-store"


async def test_an_address_that_nobody_has_is_answered_alike(browser: httpx.AsyncClient, engine: Engine) -> None:
    answers = []
    for address in (KNOWN, UNKNOWN):
        asked = await browser.post("/account/sign-in", data={"address": address})
        form, wrong = await browser.get("/account/code"), await browser.post("/account/code", data={"code": "000000"})
        answers.append((asked.status_code, asked.headers["location"], form.text, wrong.status_code, wrong.text))
    assert answers[0] == answers[1]
    assert len(set(engine.sign_in_codes)) == 2


@pytest.mark.parametrize("typed", ["", "amelie", "06 12", "a@b"])
async def test_what_is_no_address_is_said_and_kept(browser: httpx.AsyncClient, engine: Engine, typed: str) -> None:
    answer = await browser.post("/account/sign-in", data={"address": typed})
    assert answer.status_code == 422
    assert "This is no e-mail address and no phone number" in answer.text
    assert f'value="{typed}"' in answer.text
    assert engine.sign_in_codes == []


async def test_a_phone_number_is_dialled_from_where_the_browser_is(browser: httpx.AsyncClient, engine: Engine) -> None:
    there = {"accept-language": "fr-FR,fr;q=0.8"}
    answer = await browser.post("/account/sign-in", data={"address": "06 12 34 56 01"}, headers=there)
    assert answer.status_code == 303
    assert len(engine.sign_in_codes) == 1


async def test_too_many_codes_are_refused_whoever_has_the_address(browser: httpx.AsyncClient) -> None:
    for address in (KNOWN, UNKNOWN):
        codes = [(await browser.post("/account/sign-in", data={"address": address})).status_code for _ in range(4)]
        assert codes == [303, 303, 303, 429]


async def test_a_code_that_takes_no_further_try_says_to_ask_for_another(browser: httpx.AsyncClient) -> None:
    await browser.post("/account/sign-in", data={"address": KNOWN})
    answers = [await browser.post("/account/code", data={"code": "000000"}) for _ in range(6)]
    assert "Tries left: 4" in answers[0].text
    assert "ask for another one" in answers[-1].text
    assert 'name="code"' not in answers[-1].text, "there is nothing to type any more"
    assert (await browser.post("/account/code", data={"code": "12"})).status_code == 422


async def test_a_code_is_good_in_the_browser_that_asked_for_it(
    browser: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine
) -> None:
    await browser.post("/account/sign-in", data={"address": KNOWN})
    digits = await digits_of(database, vault, engine.sign_in_codes[-1])
    browser.cookies.clear()
    assert (await browser.get("/account/code")).headers["location"] == "/account/sign-in"
    answer = await browser.post("/account/code", data={"code": digits})
    assert "__Host-handover_sign_in" not in str(answer.headers)


async def test_one_or_all_others_can_be_ended_and_this_one(
    browser: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine
) -> None:
    await sign_in(browser, database, vault, engine)
    first = browser.cookies["__Host-handover_sign_in"]
    browser.cookies.clear()
    await sign_in(browser, database, vault, engine)
    page = await browser.get("/account/sign-ins")
    (path,) = re.findall(r'action="(/account/sign-ins/sin_[^"]+/end)"', page.text)
    assert (await browser.post(path)).status_code == 303
    assert 'action="/account/sign-ins/end-others"' not in (await browser.get("/account/sign-ins")).text
    assert (await browser.post("/account/sign-out")).headers["location"] == "/account/sign-in"
    for token in (first, None):
        browser.cookies.clear()
        if token:
            browser.cookies.set("__Host-handover_sign_in", token, domain="handover.example")
        assert (await browser.get("/account/sign-ins")).headers["location"] == "/account/sign-in"


@pytest.mark.parametrize("path", ["sign-in", "code", "sign-out", "sign-ins/end-others", "sign-ins/x/end"])
async def test_a_form_of_another_site_does_nothing(browser: httpx.AsyncClient, engine: Engine, path: str) -> None:
    answer = await browser.post(f"/account/{path}", data={"address": KNOWN}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert "This did not come from our page" in answer.text
    assert engine.sign_in_codes == []


async def test_what_is_away_is_said(browser: httpx.AsyncClient, engine: Engine) -> None:
    engine.fails = Unavailable("away")
    answer = await browser.post("/account/sign-in", data={"address": KNOWN})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(("language", "title"), [("en", "Sign in"), ("fr", "Se connecter"), ("de", "Anmelden")])
async def test_it_is_read_in_the_reader_s_language(browser: httpx.AsyncClient, language: str, title: str) -> None:
    answer = await browser.get("/account/sign-in", headers={"accept-language": language})
    assert f"<h1>{title}</h1>" in answer.text
    assert answer.headers["content-language"] == language


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
        ("<b>own</b>", "&lt;b&gt;own&lt;/b&gt;"),
        ("", "A browser that says nothing of itself"),
    ],
)
async def test_a_browser_is_named_as_people_know_it(
    browser: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine, agent: str, shown: str
) -> None:
    browser.headers["user-agent"] = agent
    await sign_in(browser, database, vault, engine)
    assert f"<strong>{shown}</strong>" in (await browser.get("/account/sign-ins")).text
