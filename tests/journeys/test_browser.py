"""The recipient's pages on a phone without scripts, in both languages, on a whole running system.

With `--screenshots` they are pictured in docs/screenshots, for docs/pages.md.
"""

import asyncio
import io
import os
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from shutil import copy, which

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import expect
from sqlalchemy import select

from api.pages.rendering import WORDS
from domain.languages import Language
from domain.recipient import Standing
from persistence.links.link_reads import LinkState
from persistence.tables import User
from tests.api.world import everything
from tests.journeys.browser import chromium, phone
from tests.journeys.people import CODE, mailed, mails, see_it_end
from tests.journeys.phones import LOCALES, SCREENSHOTS, SHOWN, Site, get_code, people, press, tidy
from tests.journeys.system import running

pytestmark = pytest.mark.timeout(180)
BOTH = pytest.mark.parametrize("language", Language)
MESSAGES = {
    Language.ENGLISH: "See you on Friday!",
    Language.FRENCH: "À vendredi\u00a0!",
    Language.GERMAN: "Bis Freitag!",
}
SETTINGS = {"HANDOVER_SHORTEST_EXPIRY": "PT1S"}


@pytest.fixture(scope="module")
async def site(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Site]:
    if which("chromium") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("not run: there is no chromium on the PATH")
    folder = tmp_path_factory.mktemp("site")
    copy(sqlite_template, folder / "handover.db")
    url = f"sqlite+aiosqlite:///{folder / 'handover.db'}"
    async with (
        running(folder / "system", url, people(), away=None, settings=SETTINGS) as system,
        chromium() as browser,
    ):
        yield Site(system, browser, request.config.getoption("--screenshots"))


# --- the answers ------------------------------------------------------------------------------------------------------


@BOTH
async def test_who_is_asked_reads_what_is_offered_and_accepts(site: Site, language: Language) -> None:
    words = WORDS[language]
    transfer_id, name, link = await site.asked(language, message=MESSAGES[language])
    other = Language.FRENCH if language is Language.ENGLISH else Language.ENGLISH
    async with phone(site.browser, LOCALES[other]) as page:  # the account's language counts
        await page.goto(link)
        assert re.fullmatch(rf"{site.system.stage.api}/t/of/[0-9a-f]+", page.url)
        await expect(page.get_by_role("heading", name=words.title)).to_be_visible()
        for text in (name, "12 rue des Lilas, Lyon", "Amélie Laurent", "UTC", MESSAGES[language]):
            await expect(page.get_by_text(text).first).to_be_visible()
        await tidy(page, language)
        await site.picture(page, f"page-offer-{language}")
        code = await get_code(site, page, words, name)
        await tidy(page, language)
        await site.picture(page, f"page-code-{language}")
        serve, quarantine = words.until_new_key_choices.values()
        await expect(page.get_by_role("radio", name=serve.label)).to_be_checked()
        await page.get_by_text(quarantine.label).click()
        await expect(page.get_by_role("radio", name=quarantine.label)).to_be_checked()
        await tidy(page, language)
        await page.get_by_role("button", name=words.decline).scroll_into_view_if_needed()
        await site.picture(page, f"page-until-new-key-{language}")
        await page.get_by_label(words.code_label, exact=True).fill(code)
        await press(page, words.accept)
        await expect(page.get_by_role("heading", name=words.accepted.title)).to_be_visible()
        await tidy(page, language)
        await site.picture(page, f"page-accepted-{language}")
        async with site.system.user("amelie") as amelie:
            found = (await amelie.get(f"/v1/transfers/{transfer_id}")).json()
        assert found["to"]["owner_id"] == language.value
        assert found["until_new_key"] == "quarantine"
        await page.goto(link)
        await expect(page.get_by_role("heading", name=words.dead[LinkState.ACCEPTED].title)).to_be_visible()
        await tidy(page, language)
        await site.picture(page, f"page-was-accepted-{language}")


@BOTH
async def test_a_wrong_code_is_told_and_the_right_one_declines(site: Site, language: Language) -> None:
    words = WORDS[language]
    transfer_id, name, link = await site.asked(language)
    async with phone(site.browser, LOCALES[language], scheme="dark") as page:
        await page.goto(link)
        await tidy(page, language)
        await site.picture(page, f"page-offer-{language}-dark")
        code = await get_code(site, page, words, name)
        wrong = f"{(int(code.replace(' ', '')) + 1) % 10**6:06}"
        await page.get_by_label(words.code_label, exact=True).fill(wrong)
        await press(page, words.decline)
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("4")
        assert (await page.title()).startswith(words.error_prefix)
        await tidy(page, language)
        await site.picture(page, f"page-wrong-code-{language}-dark")
        await page.get_by_label(words.code_label, exact=True).fill(code)
        await press(page, words.decline)
        await expect(page.get_by_role("heading", name=words.declined.title)).to_be_visible()
        await page.goto(link)
        await expect(page.get_by_role("heading", name=words.dead[LinkState.DECLINED].title)).to_be_visible()
        await tidy(page, language)
        await site.picture(page, f"page-was-declined-{language}-dark")
    async with site.system.user("amelie") as amelie:
        assert (await see_it_end(amelie, transfer_id))["state"] == "declined"


async def test_the_language_is_switched_and_the_keyboard_alone_will_do(site: Site) -> None:
    french = WORDS[Language.FRENCH]
    _, name, link = await site.asked(Language.ENGLISH)
    async with phone(site.browser, "en-GB") as page:
        await page.goto(link)
        await page.keyboard.press("Tab")
        switch = page.get_by_role("link", name="Français")
        await expect(switch).to_be_focused()
        assert await switch.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name=french.title)).to_be_visible()
        await tidy(page, Language.FRENCH)
        await page.get_by_role("button", name=french.send_code).press("Enter")
        await expect(page.get_by_label(french.code_label)).to_be_focused()
        await page.keyboard.type(await mailed(site.system, CODE, name))
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name=french.accepted.title)).to_be_visible()


def read_qr(picture: bytes) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))]


@BOTH
async def test_the_qr_codes_of_the_letter_and_of_the_page_are_the_link(site: Site, language: Language) -> None:
    words = WORDS[language]
    _, name, link = await site.asked(language)
    letter = next(mail for mail in await mails(site.system) if link in mail["text"])
    drawn = re.findall(r'<img src="data:image/png;base64,([^"]+)"', letter["html"])  # as the mailbox shows it
    assert [read_qr(b64decode(one)) for one in drawn] == [[link]]
    for scheme in ("light", "dark"):
        async with phone(site.browser, LOCALES[language], scheme=scheme) as page:
            await page.goto(link)
            code = page.get_by_role("img", name=words.qr_code)
            await expect(code).to_be_hidden()
            await page.get_by_text(words.other_device).click()
            await code.scroll_into_view_if_needed()
            await tidy(page, language)
            await site.picture(page, f"page-qr-code-{language}-{scheme}")
            assert read_qr(await code.screenshot()) == [link]
    async with phone(site.browser, LOCALES[language]) as another:
        await another.goto(link)
        await expect(another.get_by_text(name)).to_be_visible()


async def test_a_form_on_another_site_decides_nothing_though_the_browser_holds_the_link(site: Site) -> None:
    words = WORDS[Language.ENGLISH]
    transfer_id, name, link = await site.asked(Language.ENGLISH)
    async with phone(site.browser, "en-GB") as page:
        await page.goto(link)
        address = page.url
        code = await get_code(site, page, words, name)
        await page.goto("about:blank")
        typed = f'<input name="code" value="{code}"><button>Win</button>'
        await page.set_content(f'<form method="post" action="{address}/accept">{typed}</form>')
        await press(page, "Win")
        await expect(page.get_by_role("heading", name=words.from_elsewhere.title)).to_be_visible()
        await tidy(page, Language.ENGLISH)
        async with site.system.user("amelie") as amelie:
            assert (await amelie.get(f"/v1/transfers/{transfer_id}")).json()["state"] == "awaiting_acceptance"
        await page.goto(f"{address}/code")
        await page.get_by_label(words.code_label, exact=True).fill(code)
        await press(page, words.accept)
        await expect(page.get_by_role("heading", name=words.accepted.title)).to_be_visible()


@BOTH
@pytest.mark.parametrize("decision", ["accept", "decline"])
async def test_who_has_no_account_opens_one_by_accepting_and_needs_none_to_decline(
    site: Site, language: Language, decision: str
) -> None:
    words, address = WORDS[language], f"{decision}-{language}@example.com"
    transfer_id, name, link = await site.asked(language, recipient=address)
    async with phone(site.browser, LOCALES[language]) as page:  # no account, so the browser's language counts
        await page.goto(link)
        await expect(page.get_by_text(words.cannot_accept[Standing.NO_ACCOUNT])).to_be_visible()
        await tidy(page, language)
        code = await get_code(site, page, words, name)
        await tidy(page, language)
        await page.get_by_text(words.name_hint).scroll_into_view_if_needed()
        await site.picture(page, f"page-account-{language}")
        await page.get_by_label(words.code_label, exact=True).fill(code)
        await press(page, words.open_and_accept)
        await expect(page.get_by_label(words.name_label)).to_be_focused()  # the browser itself asks for it
        if decision == "accept":
            await page.keyboard.type("Zoé Nouvelle")
            await press(page, words.open_and_accept)
            await expect(page.get_by_role("heading", name=words.accepted.title)).to_be_visible()
        else:
            await press(page, words.decline)
            await expect(page.get_by_role("heading", name=words.declined.title)).to_be_visible()
        await tidy(page, language)
    async with site.system.db.reading() as rows:
        user = (await rows.scalars(select(User).where(User.email == address))).one_or_none()
    async with site.system.user("amelie") as amelie:
        found = (await amelie.get(f"/v1/transfers/{transfer_id}")).json()
    if decision == "accept":
        assert user
        assert (user.name, user.locale) == ("Zoé Nouvelle", language.value)
        assert found["to"] == {"group_id": f"personal-{user.id}", "owner_id": user.id}
    else:
        assert (user, found["state"]) == (None, "declined")


# --- dead links -------------------------------------------------------------------------------------------------------


async def expired(site: Site, language: Language) -> str:
    transfer_id, _, link = await site.asked(language, expires_in="PT3S")
    async with site.system.user("amelie") as amelie:
        assert (await see_it_end(amelie, transfer_id))["state"] == "expired"
    return link


async def cancelled(site: Site, language: Language) -> str:
    transfer_id, _, link = await site.asked(language)
    async with site.system.user("amelie") as amelie:
        assert (await amelie.post(f"/v1/transfers/{transfer_id}/cancel")).status_code == 200
    return link


async def replaced(site: Site, language: Language) -> str:
    transfer_id, _, link = await site.asked(language)
    async with site.system.user("amelie") as amelie:
        assert (await amelie.post(f"/v1/transfers/{transfer_id}/resend")).status_code == 200
    return link


DEAD: dict[LinkState, Callable[[Site, Language], Awaitable[str]]] = {
    LinkState.EXPIRED: expired,
    LinkState.CANCELLED: cancelled,
    LinkState.REPLACED: replaced,
}


@BOTH
@pytest.mark.parametrize("state", DEAD)
async def test_a_dead_link_says_why_and_what_to_do(site: Site, language: Language, state: LinkState) -> None:
    ending = WORDS[language].dead[state]
    link = await DEAD[state](site, language)
    async with phone(site.browser, LOCALES[language]) as page:
        answer = await page.goto(link)
        assert answer
        assert answer.status == 410
        await expect(page.get_by_role("heading", name=ending.title)).to_be_visible()
        await expect(page.get_by_text(ending.text)).to_be_visible()
        assert await page.get_by_role("button").count() == 0
        await tidy(page, language)
        await site.picture(page, f"page-{state}-{language}")


@BOTH
async def test_a_link_that_was_cut_off_or_is_not_open_here_says_so(site: Site, language: Language) -> None:
    words = WORDS[language]
    _, _, link = await site.asked(language)
    async with phone(site.browser, LOCALES[language]) as page:
        await page.goto(link[:-1])
        await expect(page.get_by_role("heading", name=words.unknown.title)).to_be_visible()
        await tidy(page, language)
        await site.picture(page, f"page-unknown-{language}")
        await page.goto(link)
        address = page.url
    async with phone(site.browser, LOCALES[language]) as another:
        await another.goto(address)
        await expect(another.get_by_role("heading", name=words.not_opened.title)).to_be_visible()
        await tidy(another, language)
        await site.picture(another, f"page-not-opened-{language}")


# --- what opens links by itself ---------------------------------------------------------------------------------------


async def test_a_browser_that_follows_every_link_changes_no_row_and_sends_no_letter(site: Site) -> None:
    _, name, link = await site.asked(Language.ENGLISH)
    async with phone(site.browser, "en-GB") as page:
        await page.goto(link)
        await get_code(site, page, WORDS[Language.ENGLISH], name)  # so that there is something to use up
    before, letters = await everything(site.system.db), len(await mails(site.system))

    context = await site.browser.new_context()
    crawler = await context.new_page()
    ahead, seen = [link], set[str]()
    while ahead:
        address = ahead.pop()
        if address.endswith(".ics"):  # a browser keeps it as a file
            assert (await crawler.request.get(address)).status == 200
            seen |= {address}
            continue
        await crawler.goto(address)
        seen |= {address, crawler.url}
        found = await crawler.evaluate("""() => [...document.querySelectorAll('a, form, [formaction]')]
            .map(one => one.href || one.formAction || one.action)""")
        ours = {one for one in found if one.startswith(site.system.stage.api)}  # help may be anywhere
        ahead += ours - seen - set(ahead)
    await context.close()

    assert {"/code", "/accept", "/decline"} <= {f"/{one.partition('?')[0].rpartition('/')[2]}" for one in seen}
    assert {"lang=en", "lang=fr", "lang=de"} <= {one.partition("?")[2] for one in seen}
    await asyncio.sleep(2)  # a letter that had been asked for would have come by now
    assert await everything(site.system.db) == before
    assert len(await mails(site.system)) == letters


def test_the_page_in_the_docs_shows_pictures_that_are_there() -> None:
    taken = {file.stem for file in SCREENSHOTS.glob("page-*.png")}
    assert taken == SHOWN
