"""The three options of the help page, walked on what `make up` runs: on a phone and a desktop, in each language.

With `--screenshots` the pages are pictured in docs/screenshots, for docs/pages.md and the README.
"""

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from shutil import which
from typing import Final, Literal

import httpx
import pytest
from PIL import Image
from playwright.async_api import Browser, Page, ViewportSize, expect
from sqlalchemy import update

from api.pages.rendering import WORDS
from api.pages.words import Words
from domain.kinds import TransferKind
from domain.languages import Language
from domain.sign_in import PROOF_LASTS
from domain.transfer import TransferState
from persistence.tables import SignIn
from tests.conftest import ROOT
from tests.journeys.browser import chromium
from tests.journeys.looks import check, violations
from tests.journeys.people import CODE, LINK
from tests.journeys.phones import LOCALES, SCREENSHOTS
from tools.demo.play import Play, running, set_up
from tools.stage import plain_http

pytestmark = pytest.mark.timeout(400)
#: The pictures that are shown; no others are taken.
SHOWN: Final = {
    name
    for page in ("docs/pages.md", "README.md")
    for name in re.findall(r"screenshots/(walk-[a-z-]+)\.png", (ROOT / page).read_text())
}
Device = Literal["phone", "desktop"]
WINDOWS: Final[dict[Device, ViewportSize]] = {
    "phone": {"width": 390, "height": 844},
    "desktop": {"width": 1280, "height": 800},
}
#: What each walk gives away for good: a charge point each. The charger of the seventh takes no key that it is sent.
GIVEN: Final = {
    (device, language): f"lilas-{number}"
    for (device, language), number in zip(product(WINDOWS, Language), (2, 3, 4, 5, 6, 8), strict=True)
}


@dataclass
class House:
    """What `make up` runs, a browser, and who owns what changes hands in each walk."""

    play: Play
    browser: Browser
    pictured: bool
    group_of_1: str = "lilas"
    owner_of_1: str = "amelie"
    read: set[str] = field(default_factory=set)
    """The codes that were typed."""

    def api(self, who: str) -> httpx.AsyncClient:
        """Give the API as somebody sees it."""
        key = self.play.seeded.keys[who]
        return plain_http.client(base_url=self.play.stage.api, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    async def mailed(self, wanted: re.Pattern[str], to: str, about: str = "") -> str:
        """Wait for something in a mail to somebody, about something, that was not read before."""
        async with asyncio.timeout(60), plain_http.client() as mailbox:
            while True:
                for mail in reversed((await mailbox.get(f"{self.play.stage.mailbox}/api/messages")).json()):
                    ours = to in str(mail["to"]) and about in mail["text"]
                    found = wanted.search(mail["text"]) if ours else None
                    if found and found[0] not in self.read:
                        self.read.add(found[0])
                        return found[found.lastindex or 0]
                await asyncio.sleep(0.2)  # other processes' doing: there is nothing here to wait on


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    if which("chromium") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("not run: there is no chromium on the PATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDOVER_COOL_DOWN", "PT0S")  # what changes hands in one walk does so in the next
        patch.setenv("HANDOVER_SHORTEST_EXPIRY", "PT1S")
        stage = set_up(tmp_path_factory.mktemp("house"), free_ports=True)
        async with running(stage, print, with_stations=True) as play, chromium() as browser:
            yield House(play, browser, request.config.getoption("--screenshots"))


@dataclass
class Reader:
    """Somebody at a browser of their own."""

    house: House
    page: Page
    language: Language
    device: Device

    @property
    def words(self) -> Words:
        return WORDS[self.language]

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.house.play.stage.api}{path}")

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def follow(self, name: str | re.Pattern[str]) -> None:
        await self.page.get_by_role("link", name=name).first.click()

    async def sees(self, heading: str) -> None:
        await expect(self.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()

    async def ends(self, state: TransferState) -> None:
        """Wait until the page says by itself how the transfer has ended."""
        said = self.words.transfers.states[state].title
        await expect(self.page.locator(".outcome strong")).to_have_text(said, timeout=60_000)

    async def looked_at(self, name: str = "") -> None:
        """Check the page, and take a picture of it where one is shown."""
        await check(self.page, self.language)
        picture = f"walk-{name}-{self.language}-{self.device}"
        if self.house.pictured and picture in SHOWN:
            taken = await self.page.screenshot(full_page=self.device == "desktop")
            shown = Image.open(io.BytesIO(taken)).convert("RGB").quantize(256)
            shown.save(SCREENSHOTS / f"{picture}.png", optimize=True)

    async def sign_in(self, who: str) -> None:
        """Sign in by a code, wherever that leads back to."""
        words, address = self.words, f"{who}@example.com"
        await self.sees(words.sign_in.title)
        await self.looked_at("sign-in")
        await self.page.get_by_label(words.sign_in.address).fill(address)
        await self.press(words.send_code)
        await self.sees(words.sign_in.code_title)
        await self.looked_at("sign-in-code")
        await self.page.get_by_label(words.code_label, exact=True).fill(await self.house.mailed(CODE, address))
        await self.press(words.sign_in.title)


@asynccontextmanager
async def reader(house: House, language: Language, device: Device) -> AsyncIterator[Reader]:
    """Give a browser that holds nothing yet; whatever it is told to complain about is a failure."""
    context = await house.browser.new_context(
        viewport=WINDOWS[device], locale=LOCALES[language], timezone_id="Europe/Paris", extra_http_headers={}
    )
    page, wrong, elsewhere = await context.new_page(), list[str](), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    page.on(
        "request", lambda asked: elsewhere.append(asked.url) if not asked.url.startswith(house.play.stage.api) else None
    )
    one = Reader(house, page, language, device)
    await one.open(f"/account/sign-in?lang={language}")
    yield one
    await context.close()
    assert wrong == []
    assert [url for url in elsewhere if not url.startswith(house.play.stage.api)] == []


EVERYWHERE = pytest.mark.parametrize(("device", "language"), GIVEN)


@EVERYWHERE
async def test_a_charge_point_is_moved_to_another_group(house: House, device: Device, language: Language) -> None:
    words, kind = WORDS[language], WORDS[language].start.kinds[TransferKind.MOVE_TO_GROUP]
    async with reader(house, language, device) as amelie:
        await amelie.sign_in("amelie")
        await amelie.sees(words.points.title)
        await amelie.looked_at("home")
        await amelie.follow(re.compile("Les Lilas 1"))
        await amelie.sees("Les Lilas 1")
        await amelie.looked_at("point")
        await amelie.follow(words.points.settings)
        await amelie.looked_at("settings")
        await amelie.follow(words.points.transfer)
        await amelie.sees(words.start.title.format(point="Les Lilas 1"))
        await amelie.looked_at("options")
        await amelie.follow(re.compile(kind.title))
        target = "Harbour Car Park" if house.group_of_1 == "lilas" else "Résidence des Lilas"
        await amelie.page.get_by_role("radio", name=re.compile(target)).check()
        await amelie.looked_at("move")
        await amelie.press(words.start.go_on)
        await amelie.sees(words.start.check)
        await expect(amelie.page.get_by_text(target)).to_be_visible()
        await amelie.looked_at("check-move")
        await amelie.press(kind.button)
        await amelie.ends(TransferState.COMPLETED)
        await expect(amelie.page.locator(".facts").get_by_text(words.transfers.who_has_it)).to_be_visible()
        await expect(amelie.page.get_by_text(target)).to_have_count(2)  # it went there, and is there
        await amelie.looked_at("moved")
        house.group_of_1 = "harbour" if house.group_of_1 == "lilas" else "lilas"
        for path in ("/transfers", "/account/sign-ins"):
            await amelie.open(path)
            await amelie.looked_at(path.rpartition("/")[2])


@EVERYWHERE
async def test_its_ownership_is_transferred(house: House, device: Device, language: Language) -> None:
    words, kind = WORDS[language], WORDS[language].start.kinds[TransferKind.TRANSFER_OWNERSHIP]
    people = {"amelie": "Amélie Laurent", "ben": "Ben Carter"}
    owner_id = house.owner_of_1
    (other_id,) = people.keys() - {owner_id}
    async with reader(house, language, device) as owner, reader(house, language, device) as other:
        await owner.open("/charge-points/lilas-1/transfer")
        await owner.sign_in(owner_id)
        await owner.follow(re.compile(kind.title))
        await owner.page.get_by_role("radio", name=people[other_id]).check()
        await owner.looked_at("ownership")
        await owner.press(words.start.go_on)
        await owner.looked_at("check-ownership")
        await owner.press(kind.button)
        await owner.ends(TransferState.COMPLETED)
        await expect(owner.page.locator(".facts .strong")).to_contain_text(people[other_id])
        house.owner_of_1 = other_id
        await other.open("/charge-points/lilas-1")
        await other.sign_in(other_id)
        await expect(other.page.locator(".facts").get_by_text(words.points.you, exact=True)).to_be_visible()
        await other.looked_at("point-with-history")


@EVERYWHERE
async def test_it_is_given_to_another_user_who_accepts(house: House, device: Device, language: Language) -> None:
    words, kind = WORDS[language], WORDS[language].start.kinds[TransferKind.TRANSFER_TO_USER]
    point = GIVEN[device, language]
    name = f"Les Lilas {point.removeprefix('lilas-')}"
    async with reader(house, language, device) as amelie, reader(house, language, device) as chloe:
        await amelie.open(f"/charge-points/{point}/transfer/transfer-to-user")
        await amelie.sign_in("amelie")
        await amelie.sees(kind.title)
        await expect(amelie.page.get_by_role("checkbox", name=words.start.delete)).not_to_be_checked()
        await amelie.page.get_by_label(words.start.recipient).fill("chloe@example.com")
        await amelie.looked_at("to-user")
        await amelie.page.get_by_text(words.start.details).click()
        await amelie.looked_at("to-user-choices")
        await amelie.press(words.start.go_on)
        await amelie.sees(words.start.check)
        await amelie.looked_at("check-to-user")
        await amelie.press(kind.button)
        await expect(amelie.page.get_by_text("chloe@example.com")).to_be_visible()
        await amelie.page.get_by_text(words.transfers.in_person).click()
        await amelie.looked_at("asked")

        await chloe.open("/")
        await chloe.sign_in("chloe")
        await chloe.sees(words.points.offers)
        await chloe.looked_at("offers")
        await chloe.follow(re.compile(name))
        await chloe.sees(words.title)
        await chloe.looked_at("offer")
        await chloe.press(words.accept)
        await chloe.ends(TransferState.COMPLETED)
        await chloe.sees(words.transfers.next_steps)
        await chloe.looked_at("received")
        await amelie.ends(TransferState.COMPLETED)
        await expect(amelie.page.locator(".facts .strong")).to_contain_text("Chloé Martin")
        await chloe.follow(words.transfers.to_point)
        await chloe.sees(name)
        await amelie.open(f"/charge-points/{point}")
        await amelie.sees(words.account.not_here.title)
        await amelie.looked_at("not-here")


@pytest.mark.parametrize("language", Language)
async def test_who_declines_cancels_or_comes_too_late_reads_so(house: House, language: Language) -> None:
    words = WORDS[language]
    async with reader(house, language, "phone") as amelie, reader(house, language, "phone") as chloe:
        await amelie.sign_in("amelie")
        await chloe.sign_in("chloe")
        message = f"Declined in {language.name}."
        address = await ask(amelie, message)
        link = await house.mailed(LINK, "chloe@example.com", about=message)
        await chloe.page.goto(link)
        await chloe.sees(words.title)
        await chloe.looked_at("link")
        await chloe.press(words.send_code)
        await chloe.looked_at("link-code")
        await chloe.open(address)
        await chloe.press(words.decline)
        await chloe.ends(TransferState.DECLINED)
        await chloe.looked_at("declined")
        await amelie.ends(TransferState.DECLINED)
        await chloe.page.goto(link)
        await chloe.looked_at("link-over")

        address = await ask(amelie)
        await chloe.open(address)
        await amelie.press(words.transfers.resend)
        await amelie.press(words.transfers.cancel)
        await amelie.ends(TransferState.CANCELLED)
        await chloe.ends(TransferState.CANCELLED)

        async with house.api("amelie") as api:
            body = {"kind": "transfer_to_user", "recipient": "chloe@example.com", "expires_in": "PT1S"}
            begun = await api.post("/v1/charge-points/lilas-9/transfers", json=body)
        await chloe.open(f"/transfers/{begun.json()['id']}")
        await chloe.ends(TransferState.EXPIRED)
        await chloe.looked_at("expired")


@pytest.mark.parametrize("language", Language)
async def test_who_is_signed_in_with_another_account_is_led_to_the_right_one(house: House, language: Language) -> None:
    words = WORDS[language]
    async with reader(house, language, "phone") as amelie, reader(house, language, "phone") as chloe:
        await amelie.sign_in("amelie")
        address = await ask(amelie)
        await chloe.open(address)
        await chloe.sign_in("emma")
        await chloe.sees(words.account.not_here.title)
        await expect(chloe.page.get_by_text("Emma Rossi")).to_be_visible()
        await chloe.looked_at("other-account")
        await chloe.press(words.account.other_account)
        await chloe.sign_in("chloe")
        await chloe.sees(words.title)
        await amelie.press(words.transfers.cancel)
        await amelie.ends(TransferState.CANCELLED)


async def test_the_keyboard_alone_moves_a_charge_point(house: House) -> None:
    words = WORDS[Language.ENGLISH]
    move = words.start.kinds[TransferKind.MOVE_TO_GROUP]
    async with reader(house, Language.ENGLISH, "desktop") as amelie:
        await amelie.sign_in("amelie")
        await amelie.sees(words.points.title)
        await amelie.open("/charge-points/lilas-9/settings")
        await enter(amelie.page, words.points.transfer)
        await enter(amelie.page, move.title)
        await tab_to(amelie.page, words.points.own_group)
        await amelie.page.keyboard.press("Space")
        await enter(amelie.page, words.start.go_on)
        await amelie.sees(words.start.check)
        await enter(amelie.page, move.button)
        await amelie.ends(TransferState.COMPLETED)


async def test_without_scripts_everything_can_be_read_and_done(house: House) -> None:
    words = WORDS[Language.ENGLISH]
    context = await house.browser.new_context(viewport=WINDOWS["phone"], locale="en-GB", java_script_enabled=False)
    amelie = Reader(house, await context.new_page(), Language.ENGLISH, "phone")
    await amelie.open("/charge-points/lilas-1/transfer/move-to-group?lang=en")
    await amelie.page.get_by_label(words.sign_in.address).fill("amelie@example.com")
    await amelie.press(words.send_code)
    await amelie.page.get_by_label(words.code_label, exact=True).fill(await house.mailed(CODE, "amelie@example.com"))
    await amelie.press(words.sign_in.title)
    await amelie.page.get_by_role("radio").first.check()
    await amelie.press(words.start.go_on)
    await amelie.press(words.start.kinds[TransferKind.MOVE_TO_GROUP].button)
    await amelie.ends(TransferState.COMPLETED)  # the page is loaded anew by itself
    await amelie.open("/charge-points/lilas-1")
    await expect(amelie.page.get_by_text(re.compile("UTC")).first).to_be_visible()
    await context.close()


@pytest.mark.parametrize("language", Language)
async def test_a_new_key_is_made_once_it_is_meant_and_proven(house: House, language: Language) -> None:
    words = WORDS[language]
    async with reader(house, language, "phone") as amelie:
        await amelie.open("/charge-points/lilas-9/settings")
        await amelie.sign_in("amelie")
        async with house.play.db.writing() as rows:
            await rows.execute(update(SignIn).values(proven_at=datetime.now(UTC) - PROOF_LASTS))
        await amelie.press(words.points.new_key_button)
        await expect(amelie.page.get_by_text(words.points.new_key_sure)).to_be_visible()
        await amelie.looked_at("new-key-sure")
        await amelie.press(words.points.new_key_button)
        await expect(amelie.page.get_by_text(words.account.prove)).to_be_visible()
        await amelie.looked_at("prove")
        code = await house.mailed(CODE, "amelie@example.com")
        await amelie.page.get_by_label(words.code_label, exact=True).fill(code)
        await amelie.press(words.points.new_key_button)
        await amelie.sees(words.points.new_key_made.title)
        await amelie.looked_at("new-key")
        await amelie.open("/charge-points/lilas-9/settings")
        await amelie.looked_at("settings-not-connected")


async def test_what_is_looked_for_on_each_page_would_be_found(house: House) -> None:
    async with reader(house, Language.ENGLISH, "phone") as amelie:
        assert await violations(amelie.page) == []
        await amelie.page.evaluate("document.querySelector('label').remove()")
        assert "label" in [one["rule"] for one in await violations(amelie.page)]


def test_the_pictures_that_are_shown_are_there() -> None:
    assert {file.stem for file in SCREENSHOTS.glob("walk-*.png")} == SHOWN


async def ask(amelie: Reader, message: str = "") -> str:
    """Ask Chloé whether she takes the last charge point, and give the transfer's address."""
    words = amelie.words
    await amelie.open("/charge-points/lilas-9/transfer/transfer-to-user")
    await amelie.page.get_by_label(words.start.recipient).fill("chloe@example.com")
    await amelie.page.get_by_label(words.start.message).fill(message)
    await amelie.press(words.start.go_on)
    await amelie.press(words.start.kinds[TransferKind.TRANSFER_TO_USER].button)
    await amelie.page.wait_for_url(re.compile("/transfers/trf_"))
    return amelie.page.url.removeprefix(amelie.house.play.stage.api)


async def enter(page: Page, name: str) -> None:
    """Go by keyboard to a part that leads on, and press Enter."""
    await tab_to(page, name)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def tab_to(page: Page, name: str) -> None:
    """Press the tabulator until the part of that name has the focus."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        said = await page.evaluate(
            "() => { const one = document.activeElement; return (one.labels?.[0] ?? one).innerText ?? ''; }"
        )
        if said.startswith(name):
            return
    raise AssertionError(f"no tabulator leads to {name}")
