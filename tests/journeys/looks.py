"""What holds on every page that a browser shows, whatever is on it: axe finds nothing, and nothing hangs over."""

from typing import Any, Final, Literal

from playwright.async_api import Page, expect

from domain.languages import Language
from tests.conftest import ROOT

_AXE: Final = (ROOT / "tests" / "journeys" / "axe" / "axe-4.14.1.min.js").read_text()
#: WCAG 2.2 to the level AA, and what axe holds for good practice.
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
#: A window of 1280 pixels at 400 %.
ZOOMED: Final = 320
#: So high a target is at least that a finger hits: beside WCAG's 24 pixels, which axe looks at.
_TARGET: Final = 44
_TARGETS: Final = "button:visible, input:visible:not([type=radio], [type=checkbox]), select:visible, summary:visible"


async def check(page: Page, language: Language) -> None:
    """Look at a page in both themes, as it stands and at 400 %."""
    await expect(page.locator("html")).to_have_attribute("lang", language.value)
    window = page.viewport_size
    assert window
    for width in (window["width"], ZOOMED):
        await page.set_viewport_size({"width": width, "height": window["height"]})
        hangs = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert hangs <= 0, f"{page.url} is {hangs} px too wide at {width} px"
    await page.set_viewport_size(window)
    for target in await page.locator(
        "button:visible, input:visible:not([type=radio], [type=checkbox]), select:visible"
    ).all():
        box = await target.bounding_box()
        assert box is None or box["height"] >= _TARGET, await target.evaluate("one => one.outerHTML")
    themes: tuple[Literal["dark", "light"], ...] = ("dark", "light")
    for theme in themes:
        await page.emulate_media(color_scheme=theme)
        assert await violations(page) == [], f"{page.url}, {theme}"


async def violations(page: Page) -> list[dict[str, Any]]:
    """Say what axe finds: each rule with the parts of the page that break it."""
    await page.evaluate(_AXE)
    found = await page.evaluate("rules => axe.run(document, {runOnly: rules})", _RULES)
    return [
        {"rule": one["id"], "help": one["help"], "parts": [node["html"][:200] for node in one["nodes"]]}
        for one in found["violations"]
    ]
