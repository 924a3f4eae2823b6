"""The API's reference page in a browser, on a whole running system: a reader looks for a call, and tries one.

With `--screenshots` it is pictured in docs/screenshots, for docs/api.md.
"""

import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy, which
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.journeys.browser import chromium, phone
from tests.journeys.phones import SCREENSHOTS
from tests.journeys.system import System, running, two_users

pytestmark = pytest.mark.timeout(180)
DESKTOP, PHONE = (1280, 800), (390, 844)
KEPT = "() => [document.cookie, ...Object.entries(localStorage), ...Object.entries(sessionStorage)].flat().join(' ')"
#: Words of which one part is on another line than the other.
BROKEN = r"""() => {
  const found = [], texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT)
  const check = (from, start, to, end) => {
    const range = document.createRange()
    range.setStart(from, start)
    range.setEnd(to, end)
    const tops = [...range.getClientRects()].filter(part => part.width).map(part => part.top)
    if (Math.max(...tops) - Math.min(...tops) > 8) found.push(String(range))
  }
  let before
  while (texts.nextNode()) {
    const text = texts.currentNode
    if (!text.length || !text.parentElement.checkVisibility()) continue
    for (const word of text.data.matchAll(/[\w{}]+/g)) check(text, word.index, text, word.index + word[0].length)
    const goesOn = before?.parentElement == text.parentElement && /\w$/.test(before.data) && /^\w/.test(text.data)
    if (goesOn) check(before, before.length - 1, text, 1)
    before = text
  }
  return found
}"""


class Reader:
    """Somebody at the reference page, who sees what it does behind their back."""

    def __init__(self, page: Page, origin: str) -> None:
        """Listen to `page`."""
        self.page = page
        self.origin = origin
        self.called: list[str] = []
        self.said: list[str] = []
        page.on("request", self._calls)
        page.on("console", self._says)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _calls(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.called.append(request.url)

    def _says(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(message.text)

    @property
    def elsewhere(self) -> list[str]:
        """What the page called that is not the API that served it."""
        return [url for url in self.called if not url.startswith(f"{self.origin}/")]

    async def leads_to(self) -> list[str]:
        """Give where else the links lead that can be seen."""
        links = await self.page.get_by_role("link").evaluate_all("all => all.map(one => one.href)")
        return [url for url in links if not url.removeprefix("blob:").startswith(f"{self.origin}/")]

    async def open(self, call: str = "") -> None:
        """Open the page, at a call."""
        await self.page.goto(f"{self.origin}/docs{call and '#tag/'}{call}")
        await expect(self.page.get_by_role("heading", name="Handover", exact=True)).to_be_visible()

    async def send(self, call: str) -> Locator:
        """Try a call from the page: gives the dialog with its answer."""
        await self.page.get_by_role("button", name=f"Test Request ({call})").click()
        dialog = self.page.get_by_role("dialog", name="API Client")
        await dialog.get_by_role("button", name=f"Send {call.partition(' ')[0]} request").click()
        return dialog


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> AsyncIterator[System]:
    if which("chromium") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("not run: there is no chromium on the PATH")
    folder = tmp_path_factory.mktemp("reference")
    copy(sqlite_template, folder / "handover.db")
    url = f"sqlite+aiosqlite:///{folder / 'handover.db'}"
    async with running(folder / "system", url, as_in_examples(two_users(1)), away=None) as made:
        yield made


def as_in_examples(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Name the charge point and a group as the document's examples do."""
    named: list[dict[str, Any]] = json.loads(
        json.dumps(lines).replace('"cp-1"', '"lilas-1"').replace('"south"', '"harbour"')
    )
    return named


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


@asynccontextmanager
async def reading(
    system: System,
    browser: Browser,
    size: tuple[int, int] = DESKTOP,
    *,
    unguarded: bool = False,
) -> AsyncIterator[Reader]:
    """Give a reader at a browser of their own; `unguarded`: the page's own rules on what it may call don't count."""
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, bypass_csp=unguarded)
    yield Reader(await context.new_page(), system.stage.api)
    await context.close()


@pytest.mark.parametrize("unguarded", [False, True])
async def test_a_reader_finds_a_call_tries_one_and_nobody_else_hears_of_it(
    system: System, browser: Browser, *, unguarded: bool
) -> None:
    async with reading(system, browser, unguarded=unguarded) as reader:
        page = reader.page
        await reader.open()
        assert await page.title() == "Handover API"
        await page.get_by_role("button", name="Open Search").click()
        await page.get_by_role("combobox", name="Enter search query").fill("resend")
        await page.get_by_role("option", name="/v1/transfers/{transfer_id}/resend").click()
        await expect(page.get_by_role("heading", name="Send the question again")).to_be_in_viewport()
        await page.get_by_role("button", name="Copy as Markdown").first.click()

        await reader.open("me/GET/v1/me")
        await page.get_by_role("textbox", name="Bearer Token").first.fill(system.keys["ada"])
        dialog = await reader.send("get /v1/me")
        await expect(dialog).to_contain_text("200 OK")
        await expect(dialog).to_contain_text('"email": "ada@example.com"')
        assert await reader.leads_to() == ["https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/200"]
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await page.get_by_role("button", name="Set dark mode").click()
        assert await reader.leads_to() == []

        assert reader.called.count(f"{system.stage.api}/v1/me") == 1
        assert reader.elsewhere == []
        assert reader.said == []


async def test_the_examples_of_a_call_can_be_sent_as_they_stand(system: System, browser: Browser) -> None:
    async with reading(system, browser) as reader:
        await reader.open("transfers/POST/v1/charge-points/{charge_point_id}/transfers")
        await reader.page.get_by_role("textbox", name="Bearer Token").first.fill(system.keys["ada"])
        dialog = await reader.send("post /v1/charge-points/{charge_point_id}/transfers")
        await expect(dialog).to_contain_text("201 Created")
        await expect(dialog).to_contain_text('"charge_point_id": "lilas-1"')


async def test_a_key_is_forgotten_with_the_page_that_it_was_typed_into(system: System, browser: Browser) -> None:
    async with reading(system, browser) as reader:
        await reader.open("me/GET/v1/me")
        field = reader.page.get_by_role("textbox", name="Bearer Token").first
        await field.fill(system.keys["ada"])
        await expect(await reader.send("get /v1/me")).to_contain_text("200 OK")
        await reader.page.wait_for_timeout(1500)  # it writes what it keeps after a while
        secret = system.keys["ada"].rpartition("_")[2]
        assert secret not in await reader.page.evaluate(KEPT)
        assert await reader.page.evaluate("async () => (await indexedDB.databases()).length") == 0
        await reader.page.reload()
        await expect(field).to_be_empty()


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
async def test_no_word_is_broken_and_nothing_leads_sideways(
    system: System, browser: Browser, size: tuple[int, int]
) -> None:
    async with reading(system, browser, size) as reader:
        for call, heading in {
            "transfers/POST/v1/charge-points/{charge_point_id}/transfers": "Start a transfer",
            "charging-sessions/POST/v1/charge-points/{charge_point_id}/sessions/{session_id}/end": "End a charging",
            "charge-points/GET/v1/charge-points/{charge_point_id}/events": "List a charge point's events",
        }.items():
            await reader.open(call)
            await expect(reader.page.get_by_role("heading", name=heading)).to_be_in_viewport()
            assert await reader.page.evaluate(BROKEN) == []
            assert await reader.page.evaluate("document.documentElement.scrollWidth") <= size[0]


async def test_without_scripts_the_page_says_where_to_read_on(system: System, browser: Browser) -> None:
    async with phone(browser, "en-GB") as page:
        await page.goto(f"{system.stage.api}/docs")
        await expect(page.locator("noscript p")).to_be_visible()  # what finds words doesn't look in there
        await page.locator("noscript a").click()
        await expect(page.get_by_text('"start_transfer"')).to_be_visible()


async def test_the_page_is_pictured(system: System, browser: Browser, request: pytest.FixtureRequest) -> None:
    async with reading(system, browser) as reader:
        await reader.open("transfers/POST/v1/charge-points/{charge_point_id}/transfers")
        await expect(reader.page.get_by_role("heading", name="Start a transfer")).to_be_in_viewport()
        taken = Image.open(io.BytesIO(await reader.page.screenshot())).convert("RGB")
        if request.config.getoption("--screenshots"):
            taken.quantize(256).save(SCREENSHOTS / "reference.png", optimize=True)
