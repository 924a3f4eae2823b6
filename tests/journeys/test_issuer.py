"""Signing in by an issuer in a real browser: the policy of our pages lets it go there, and it comes back signed in."""

import os
from shutil import which

import pytest
from playwright.async_api import expect

from api.app import create_app
from api.dependencies import Options
from api.issuer import CALLBACK, IssuerOptions
from api.pages.english import ENGLISH
from domain.languages import Language
from persistence.session import Database
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.provider import CLIENT, SECRET, provider, serving
from tests.api.world import populate
from tests.journeys.browser import chromium, phone
from tests.journeys.phones import press, tidy
from tools.stage.ports import free_port


async def test_a_browser_goes_to_the_issuer_and_comes_back_signed_in(sqlite_url: str, vault: Vault) -> None:
    if which("chromium") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("not run: there is no chromium on the PATH")
    port = free_port()
    origin, database = f"http://localhost:{port}", Database(sqlite_url)  # another site than the issuer's
    await populate(database)
    async with provider(f"{origin}{CALLBACK}") as issuer, chromium() as browser, phone(browser, "en-GB") as page:
        options = Options(origin=origin, issuer=IssuerOptions(issuer.origin, CLIENT, SECRET, "Example ID"))
        async with serving(create_app(database, vault, Engine(database), options), port):
            await page.goto(f"{origin}/account/sign-in")
            await tidy(page, Language.ENGLISH)
            await press(page, ENGLISH.issuer.sign_in.format(name="Example ID"))
            await page.wait_for_url(f"{origin}/")
            await page.goto(f"{origin}/account/sign-ins?lang=en")
            await press(page, ENGLISH.sign_in.sign_out)
            issuer.claims = {"email_verified": False}
            await press(page, ENGLISH.issuer.sign_in.format(name="Example ID"))
            await expect(page.get_by_role("heading", name=ENGLISH.issuer.no_account.title)).to_be_visible()
            await tidy(page, Language.ENGLISH)
            await page.get_by_role("link", name=ENGLISH.issuer.again).click()
            await expect(page.get_by_label(ENGLISH.sign_in.address)).to_be_visible()
    await database.close()
