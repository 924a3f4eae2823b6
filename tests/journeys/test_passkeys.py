"""Passkeys in a browser whose authenticator is the browser's own, in software, on a whole running system."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import update

from api.pages.english import ENGLISH
from domain.languages import Language
from domain.passkeys import PasskeyRefused
from domain.sign_in import PROOF_LASTS
from persistence.tables import SignIn
from tests.journeys.browser import PHONE, chromium, phone
from tests.journeys.looks import check
from tests.journeys.people import CODE, ask, mailed
from tests.journeys.phones import people, press, tidy
from tests.journeys.system import System, running
from tools.stage.ports import Ports

pytestmark = pytest.mark.timeout(180)
WORDS = ENGLISH.passkey
BEN = "en@example.com"
#: A platform's authenticator that has just seen a finger.
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if which("chromium") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("not run: there is no chromium on the PATH")
    async with chromium() as found:
        yield found


@asynccontextmanager
async def device(browser: Browser) -> AsyncIterator[tuple[Page, Callable[..., Awaitable[Any]]]]:
    """Give a page on a phone that has an authenticator, and what tells that something."""
    context = await browser.new_context(viewport=PHONE, locale="en-GB")
    page = await context.new_page()
    steering = await context.new_cdp_session(page)
    await steering.send("WebAuthn.enable")
    added = await steering.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    async def tell(command: str, **values: Any) -> None:
        await steering.send(command, {"authenticatorId": added["authenticatorId"], **values})

    yield page, tell
    await context.close()


async def sign_in(system: System, page: Page, origin: str) -> None:
    """Sign in with a code."""
    await page.goto(f"{origin}/account/sign-in")
    await page.get_by_label(ENGLISH.sign_in.address).fill(BEN)
    await press(page, ENGLISH.send_code)
    await page.get_by_label(ENGLISH.code_label).fill(await mailed(system, CODE, "sign in"))
    await press(page, ENGLISH.sign_in.title)
    await expect(page.get_by_role("heading", name=ENGLISH.points.title)).to_be_visible()


def watch(page: Page) -> list[str]:
    """Give what goes wrong in a page, as it does."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)
    return faults


async def long_ago(system: System) -> None:
    """Let the last proofs of who somebody is be too old."""
    async with system.db.writing() as rows:
        await rows.execute(update(SignIn).values(proven_at=datetime.now(UTC) - PROOF_LASTS))


async def look_in_each_language(page: Page, address: str) -> None:
    """Look at a page in each language, English last."""
    for language in (Language.FRENCH, Language.GERMAN, Language.ENGLISH):
        await page.goto(f"{address}?lang={language}")
        await check(page, language)


async def accept_by_passkey(system: System, page: Page, origin: str) -> None:
    """Accept a charge point, which can't be undone, and prove with a passkey who is signed in."""
    async with system.user("amelie") as amelie:
        to_ben = {"kind": "transfer_to_user", "recipient": BEN, "connection": "delete"}
        transfer_id = await ask(amelie, "en-1", to_ben, key="to-ben")
    await long_ago(system)
    await page.goto(f"{origin}/transfers/{transfer_id}")
    await press(page, ENGLISH.accept)
    await expect(page.get_by_text(ENGLISH.account.prove)).to_be_visible()
    await expect(page.get_by_label(ENGLISH.code_label)).to_have_count(0)  # no code is sent unless they ask for one
    await tidy(page, Language.ENGLISH)
    await press(page, WORDS.prove)
    await expect(page.get_by_text(ENGLISH.account.prove)).to_have_count(0)
    async with system.user("amelie") as amelie:
        assert (await amelie.get(f"/v1/transfers/{transfer_id}")).json()["to"]["owner_id"] == "en"


async def sign_out(page: Page, origin: str) -> None:
    await page.goto(f"{origin}/account/sign-ins")
    await press(page, ENGLISH.sign_in.sign_out)


async def test_a_passkey_is_added_signs_in_proves_and_is_removed(
    browser: Browser, tmp_path: Path, sqlite_url: str
) -> None:
    ports = Ports.free()
    origin = f"http://localhost:{ports.api}"
    settings = {"HANDOVER_ORIGIN": origin}
    async with (
        running(tmp_path / "system", sqlite_url, people(), away=None, settings=settings, ports=ports) as system,
        device(browser) as (page, tell_device),
    ):
        faults = watch(page)
        inside = page.get_by_role("heading", name=ENGLISH.points.title)
        alert = page.get_by_role("alert")

        await sign_in(system, page, origin)
        await page.get_by_role("link", name=ENGLISH.account.section).click()
        await page.get_by_role("link", name=WORDS.title).click()
        await expect(page.get_by_text(WORDS.not_here)).to_be_hidden()
        await page.get_by_label(WORDS.name).fill("My phone")
        await tidy(page, Language.ENGLISH)
        await press(page, WORDS.add)
        await expect(page.get_by_text("My phone")).to_be_visible()
        await press(page, WORDS.add)
        await expect(alert).to_have_text(WORDS.known)

        await look_in_each_language(page, f"{origin}/account/passkeys")
        await long_ago(system)
        await page.reload()
        await expect(page.get_by_role("button", name=WORDS.remove)).to_have_count(0)
        await tidy(page, Language.ENGLISH)
        await press(page, WORDS.prove)
        await expect(page.get_by_role("button", name=WORDS.remove)).to_be_visible()

        await accept_by_passkey(system, page, origin)

        await sign_out(page, origin)
        await expect(inside).to_be_visible()  # offered where the address is typed, and the device says yes

        await page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
        await sign_out(page, origin)
        await tidy(page, Language.ENGLISH)
        await press(page, WORDS.sign_in)
        await expect(inside).to_be_visible()

        await sign_out(page, origin)
        await tell_device("WebAuthn.setUserVerified", isUserVerified=False)
        await press(page, WORDS.sign_in)
        await expect(alert).to_have_text(WORDS.failed)
        await tell_device("WebAuthn.setUserVerified", isUserVerified=True)
        await press(page, WORDS.sign_in)
        await expect(inside).to_be_visible()

        await page.goto(f"{origin}/account/passkeys")
        await press(page, WORDS.remove)
        await expect(page.get_by_text(WORDS.none)).to_be_visible()
        await sign_out(page, origin)
        await press(page, WORDS.sign_in)
        await expect(alert).to_have_text(WORDS.errors[PasskeyRefused])
        assert faults == []

        async with phone(browser, "en-GB") as without_scripts:
            await without_scripts.goto(f"{origin}/account/sign-in")
            await expect(without_scripts.get_by_label(ENGLISH.sign_in.address)).to_be_visible()
            await expect(without_scripts.get_by_text(WORDS.sign_in)).to_be_hidden()
