"""A browser that takes pictures of the Temporal UI: only where screenshots are asked for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which

from playwright.async_api import async_playwright

Picture = Callable[[str, Path, str, str, int], Awaitable[None]]


@asynccontextmanager
async def open_browser() -> AsyncIterator[Picture]:
    """Give what takes a picture, into a file, of a workflow's tab at an address, once a text stands there."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])

        async def picture(address: str, file: Path, tab: str, text: str, height: int) -> None:
            page = await browser.new_page(viewport={"width": 1280, "height": height})
            await page.goto(address)
            await page.get_by_role("link", name=tab).or_(page.get_by_text(tab)).first.click()
            await page.get_by_text(text).first.wait_for()
            file.parent.mkdir(exist_ok=True)
            await page.screenshot(path=file)
            await page.close()

        yield picture
        await browser.close()
