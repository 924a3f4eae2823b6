"""A running system with people who are asked on their phones, what they do there, and pictures of it."""

import io
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, expect

from api.pages.words import Words
from domain.languages import Language
from tests.conftest import ROOT
from tests.journeys.browser import PHONE
from tests.journeys.people import CODE, LINK, ask, mailed
from tests.journeys.system import System

SCREENSHOTS = ROOT / "docs" / "screenshots"
#: The pictures that docs/pages.md shows; no others are taken.
SHOWN = set(re.findall(r"screenshots/(page-[a-z-]+)\.png", (ROOT / "docs" / "pages.md").read_text()))
LOCALES = {Language.ENGLISH: "en-GB", Language.FRENCH: "fr-FR", Language.GERMAN: "de-AT"}
#: How many charge points each language's tests may hand over.
POINTS = 30


def people() -> list[dict[str, Any]]:
    """Amélie has charge points; Ben reads English, Chloé French, Dora German."""
    named = {
        "amelie": ("Amélie Laurent", "fr-FR"),
        "en": ("Ben Carter", "en-GB"),
        "fr": ("Chloé Martin", "fr-FR"),
        "de": ("Dora Huber", "de-AT"),
    }
    users = [
        {"type": "user", "id": who, "name": name, "email": f"{who}@example.com", "locale": locale}
        for who, (name, locale) in named.items()
    ]
    points = [
        {
            "type": "charge_point",
            "id": f"{language}-{number}",
            "identity": f"{language.upper()}-{number}",
            "name": f"Lilas-{language.upper()}{number}",
            "location": "12 rue des Lilas, Lyon",
            "owner_id": "amelie",
            "group_id": "lilas",
            "ocpp": "1.6",
            "password": f"first-password-of-{language}-{number}",
        }
        for language in Language
        for number in range(POINTS)
    ]
    group = {"type": "group", "id": "lilas", "name": "Résidence des Lilas"}
    owner = {"type": "membership", "group_id": "lilas", "user_id": "amelie", "role": "owner"}
    return [*users, group, owner, *points]


@dataclass
class Site:
    """A running system, a browser, and how pictures are taken."""

    system: System
    browser: Browser
    pictured: bool
    used: int = 0

    async def asked(self, language: Language, **body: Any) -> tuple[str, str, str]:
        """Have somebody asked for one more charge point: gives the transfer, the charge point's name, the link."""
        self.used += 1
        point = f"{language}-{self.used % POINTS}"
        name = f"Lilas-{language.upper()}{self.used % POINTS}"
        to = {"kind": "transfer_to_user", "recipient": f"{language}@example.com", **body}
        async with self.system.user("amelie") as amelie:
            transfer_id = await ask(amelie, point, to, key=f"{point}-{self.used}")
        return transfer_id, name, await mailed(self.system, LINK, name)

    async def picture(self, page: Page, name: str) -> None:
        """Take a picture of what the phone shows, where that is asked for: in few colours, so that it is small."""
        if self.pictured and name in SHOWN:
            taken = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
            taken.resize((PHONE["width"], PHONE["height"])).quantize(256).save(
                SCREENSHOTS / f"{name}.png", optimize=True
            )


async def tidy(page: Page, language: Language) -> None:
    """Check what holds on each page: its language, no sideways scrolling, touch targets a finger can hit."""
    await expect(page.locator("html")).to_have_attribute("lang", language.value)
    for part in await page.locator("main, h1, p, dl, svg, input, button, summary, a").all():
        box = await part.bounding_box()
        assert box is None or box["x"] + box["width"] <= PHONE["width"]
    targets = "button, input:not([type=radio]), .choice, summary, nav a"  # all of a choice is hit, not its circle alone
    for target in await page.locator(targets).all():
        box = await target.bounding_box()
        assert box is None or box["height"] >= 44, await target.inner_text()


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def get_code(site: Site, page: Page, words: Words, name: str) -> str:
    """Ask for a code on the offer's page, and read it in the mail."""
    await press(page, words.send_code)
    await expect(page.get_by_role("heading", name=words.code_title)).to_be_visible()
    return await mailed(site.system, CODE, name)
