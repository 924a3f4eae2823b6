"""A browser: one that takes pictures of pages for people who operate, and phones for those who are asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which
from typing import Literal

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

Picture = Callable[[str, Path, str, str, int], Awaitable[None]]
PHONE: ViewportSize = {"width": 360, "height": 740}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser inside the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def open_browser() -> AsyncIterator[Picture]:
    """Give what takes a picture, into a file, of a workflow's tab at an address, once a text stands there."""
    turn = asyncio.Lock()  # several pages at once may each take longer than a click may
    async with chromium() as browser:

        async def picture(address: str, file: Path, tab: str, text: str, height: int) -> None:
            async with turn:
                page = await browser.new_page(viewport={"width": 1280, "height": height})
                await page.goto(address)
                await page.get_by_role("link", name=tab).or_(page.get_by_text(tab)).first.click()
                await page.get_by_text(text).first.wait_for()
                file.parent.mkdir(exist_ok=True)
                await page.screenshot(path=file)
                await page.close()

        yield picture


@asynccontextmanager
async def phone(browser: Browser, locale: str, *, scheme: Literal["light", "dark"] = "light") -> AsyncIterator[Page]:
    """Give a page on a phone of its own, set to `locale`, that runs no script."""
    context = await browser.new_context(
        viewport=PHONE, device_scale_factor=2, locale=locale, color_scheme=scheme, java_script_enabled=False
    )
    yield await context.new_page()
    await context.close()
