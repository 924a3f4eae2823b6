"""Passkeys: added, listed, removed, signed in with, and a proof anew; what an attacker can send instead is refused."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from api.app import create_app
from api.dependencies import Options
from domain.limits import CallLimits
from domain.passkeys import MOST, PasskeyChange
from domain.sign_in import PROOF_LASTS
from persistence.session import Database
from persistence.tables import Passkey, PasskeyChallenge, SignIn, User
from persistence.vault import Vault
from tests.api.authenticator import PRESENT, Device, Key, read, written
from tests.api.engine import Engine
from tests.api.test_signing_in import FORM, KNOWN, SAFE, digits_of

ADAM = "adam@example.com"
ELSEWHERE = "https://handover.example.evil.example"
REFUSED = "This passkey was not accepted."


class Site:
    """The pages, and browsers at them."""

    def __init__(self, database: Database, vault: Vault, engine: Engine) -> None:
        self.database, self._vault, self._engine = database, vault, engine

    @asynccontextmanager
    async def browser(self, origin: str = SAFE, **limits: int) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(self.database, self._vault, self._engine, Options(origin=origin, limits=CallLimits(**limits)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=origin, headers=FORM) as client:
            yield client

    async def sign_in(self, browser: httpx.AsyncClient, address: str = KNOWN) -> None:
        browser.cookies.clear()
        await browser.post("/account/sign-in?lang=en", data={"address": address})
        digits = await digits_of(self.database, self._vault, self._engine.sign_in_codes[-1])
        await browser.post("/account/code", data={"code": digits})

    async def age_proofs(self) -> None:
        async with self.database.writing() as rows:
            await rows.execute(update(SignIn).values(proven_at=datetime.now(UTC) - PROOF_LASTS))

    async def count(self, table: type[Passkey | PasskeyChallenge]) -> int:
        async with self.database.reading() as rows:
            return (await rows.execute(select(func.count()).select_from(table))).scalar_one()


@pytest.fixture
def site(database: Database, vault: Vault, engine: Engine) -> Site:
    return Site(database, vault, engine)


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Rita's, who has just signed in with a code."""
    async with site.browser() as client:
        await site.sign_in(client)
        yield client


@pytest.fixture
def device() -> Device:
    return Device(SAFE)


async def asked(browser: httpx.AsyncClient, what: str) -> dict[str, Any]:
    answer = await browser.post(f"/account/passkeys/{what}/options")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def add(browser: httpx.AsyncClient, device: Device, name: str = "My phone") -> httpx.Response:
    made = device.make(await asked(browser, "add"))
    return await browser.post("/account/passkeys/add", json={"answer": made, "name": name})


async def enter(browser: httpx.AsyncClient, device: Device, key: Key | None = None) -> httpx.Response:
    """Sign in with a passkey in a browser in which nobody is signed in."""
    browser.cookies.clear()
    signed = device.sign(await asked(browser, "sign-in"), key)
    return await browser.post("/account/passkeys/sign-in", json={"answer": signed})


async def prove(browser: httpx.AsyncClient, device: Device, key: Key | None = None) -> httpx.Response:
    signed = device.sign(await asked(browser, "prove"), key)
    return await browser.post("/account/passkeys/prove", json={"answer": signed})


async def is_in(browser: httpx.AsyncClient) -> bool:
    return (await browser.get("/account/sign-ins")).status_code == 200


async def to_remove(browser: httpx.AsyncClient) -> str:
    """Give the address at which their only passkey is removed."""
    page = await browser.get("/account/passkeys")
    (path,) = re.findall(r'action="(/account/passkeys/pky_[^"]+/remove)"', page.text)
    return str(path)


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 403 and answer.json()["error"].startswith(REFUSED)


# --- what people do ---------------------------------------------------------------------------------------------------


async def test_a_passkey_is_added_listed_and_signs_in_by_itself(browser: httpx.AsyncClient, device: Device) -> None:
    assert "You have none yet." in (await browser.get("/account/passkeys")).text
    assert (await add(browser, device)).json() == {}
    page = (await browser.get("/account/passkeys")).text
    assert "My phone" in page
    assert "Not used yet" in page
    entered = await enter(browser, device)
    assert entered.json() == {}
    assert "__Host-handover_sign_in" in entered.headers["set-cookie"]
    assert "Last used on" in (await browser.get("/account/passkeys")).text, "it was Rita who signed in"


async def test_what_the_browser_is_asked_for_is_strict_and_tells_nothing(
    browser: httpx.AsyncClient, device: Device
) -> None:
    first = await asked(browser, "add")
    await add(browser, device)
    second = await asked(browser, "add")
    assert first["rp"]["id"] == "handover.example"
    assert first["user"]["id"] != second["user"]["id"], "it is random, until a passkey keeps it"
    assert second["user"]["id"] == written(device.keys[0].handle)
    assert len(device.keys[0].handle) == 32
    assert [one["id"] for one in second["excludeCredentials"]] == [written(device.keys[0].id)]
    selection = second["authenticatorSelection"]
    assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
    assert second["attestation"] == "none"
    to_enter, to_prove = await asked(browser, "sign-in"), await asked(browser, "prove")
    assert to_enter["allowCredentials"] == [], "nothing says who has a passkey"
    assert [one["id"] for one in to_prove["allowCredentials"]] == [written(device.keys[0].id)]
    for options in (to_enter, to_prove):
        assert (options["rpId"], options["userVerification"]) == ("handover.example", "required")
    assert len({one["challenge"] for one in (first, second, to_enter, to_prove)}) == 4
    assert all(len(read(one["challenge"])) == 32 for one in (first, second, to_enter, to_prove))


async def test_a_passkey_that_was_removed_signs_nobody_in(browser: httpx.AsyncClient, device: Device) -> None:
    await add(browser, device)
    path = await to_remove(browser)
    assert (await browser.post(path)).headers["location"] == "/account/passkeys"
    assert "My phone" not in (await browser.get("/account/passkeys")).text
    assert (await browser.post(path)).status_code == 303, "it is gone already"
    assert refused(await enter(browser, device))
    assert not await is_in(browser)


async def test_whose_it_is_is_told_of_a_passkey_that_was_added_or_removed(
    browser: httpx.AsyncClient, device: Device, site: Site, engine: Engine
) -> None:
    await add(browser, device)
    async with site.database.reading() as rows:
        (passkey_id,) = (await rows.scalars(select(Passkey.id))).all()
    for _ in range(2):
        await browser.post(f"/account/passkeys/{passkey_id}/remove")
    assert engine.passkey_news == [
        ("u-rita", passkey_id, PasskeyChange.ADDED),
        ("u-rita", passkey_id, PasskeyChange.REMOVED),
    ]


async def test_nothing_is_added_or_removed_that_nobody_could_be_told_of(
    browser: httpx.AsyncClient, device: Device, site: Site, engine: Engine
) -> None:
    await add(browser, device)
    path = await to_remove(browser)
    made = device.make(await asked(browser, "add"))
    engine.alive = False
    for answer in (await browser.post("/account/passkeys/add", json={"answer": made}), await browser.post(path)):
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
    assert await site.count(Passkey) == 1
    engine.alive = True
    assert (await browser.post("/account/passkeys/add", json={"answer": made})).status_code == 200


async def test_a_passkey_proves_anew_who_is_signed_in(browser: httpx.AsyncClient, device: Device, site: Site) -> None:
    await add(browser, device)
    await site.age_proofs()
    page = (await browser.get("/account/passkeys")).text
    assert "show once more that it is you" in page
    assert "/remove" not in page
    again = await browser.post("/account/passkeys/add/options")
    assert again.status_code == 403
    assert "sign out, then sign in again" in again.json()["error"]
    assert (await prove(browser, device)).status_code == 200
    assert (await add(browser, device, "My laptop")).status_code == 200


async def test_nothing_is_added_or_removed_without_a_fresh_proof(
    browser: httpx.AsyncClient, device: Device, site: Site
) -> None:
    await add(browser, device)
    path = await to_remove(browser)
    made = device.make(await asked(browser, "add"))
    await site.age_proofs()
    assert (await browser.post("/account/passkeys/add", json={"answer": made, "name": "late"})).status_code == 403
    answer = await browser.post(path)
    assert answer.status_code == 403
    assert "sign out, then sign in again" in answer.text
    assert await site.count(Passkey) == 1


async def test_who_is_not_signed_in_is_led_to_sign_in(browser: httpx.AsyncClient, device: Device) -> None:
    await add(browser, device)
    browser.cookies.clear()
    assert (await browser.get("/account/passkeys")).headers["location"] == "/account/sign-in"
    assert (await browser.post("/account/passkeys/pky_x/remove")).headers["location"] == "/account/sign-in"
    for what in ("add", "add/options", "prove", "prove/options"):
        assert (await browser.post(f"/account/passkeys/{what}", json={})).status_code == 403


@pytest.mark.parametrize("name", ["x" * 61, "hidden\u2066", "\u202eturned"])
async def test_a_name_is_one_short_line(browser: httpx.AsyncClient, device: Device, name: str, site: Site) -> None:
    assert (await add(browser, device, name)).status_code == 422
    assert await site.count(Passkey) == 0


async def test_a_name_may_be_left_empty_and_is_shown_as_it_was_typed(
    browser: httpx.AsyncClient, device: Device
) -> None:
    await add(browser, device, "")
    await add(browser, device, "<b>bold</b>")
    page = (await browser.get("/account/passkeys")).text
    assert "A passkey without a name" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


async def test_there_are_so_many_passkeys_of_one_user_and_no_more(
    browser: httpx.AsyncClient, device: Device, site: Site
) -> None:
    await add(browser, device)
    spare = device.make(await asked(browser, "add"))
    for _ in range(MOST - 1):
        assert (await add(browser, device)).status_code == 200
    assert (await browser.post("/account/passkeys/add/options")).status_code == 409
    late = await browser.post("/account/passkeys/add", json={"answer": spare, "name": ""})
    assert late.status_code == 409
    assert str(MOST) in late.json()["error"]
    assert 'data-passkey="add"' not in (await browser.get("/account/passkeys")).text
    assert await site.count(Passkey) == MOST


# --- what attackers send ----------------------------------------------------------------------------------------------


Change = Callable[[Device], Any]
WRONG = pytest.mark.parametrize(
    "change",
    [
        lambda device: replace(device, origin=ELSEWHERE),
        lambda device: replace(device, origin="http://handover.example"),
        lambda device: replace(device, origin="https://handover.example:8443"),
        lambda device: replace(device, rp_id="evil.example"),
        lambda device: replace(device, flags=PRESENT),
        lambda device: replace(device, flags=0x04),
        lambda device: replace(device, cross_origin=True),
    ],
    ids=["origin", "scheme", "port", "relying party", "user not verified", "nobody there", "within another's page"],
)


@WRONG
async def test_what_was_made_elsewhere_or_by_nobody_is_not_kept(
    browser: httpx.AsyncClient, device: Device, change: Change, site: Site
) -> None:
    assert refused(await add(browser, change(device)))
    assert await site.count(Passkey) == 0


@WRONG
async def test_what_was_signed_elsewhere_or_by_nobody_signs_nobody_in(
    browser: httpx.AsyncClient, device: Device, change: Change
) -> None:
    await add(browser, device)
    wrong = change(device)
    assert refused(await prove(browser, wrong))
    assert refused(await enter(browser, wrong))
    assert not await is_in(browser)
    assert (await enter(browser, device)).status_code == 200


async def test_a_challenge_takes_one_answer(browser: httpx.AsyncClient, device: Device, site: Site) -> None:
    await add(browser, device)
    browser.cookies.clear()
    signed = device.sign(await asked(browser, "sign-in"))
    spoilt = deepcopy(signed)
    spoilt["response"]["signature"] = written(b"no signature")
    answers = [await browser.post("/account/passkeys/sign-in", json={"answer": one}) for one in (signed, signed)]
    assert answers[0].status_code == 200
    assert refused(answers[1])
    again = device.sign(await asked(browser, "sign-in"))
    spoilt["response"]["clientDataJSON"] = again["response"]["clientDataJSON"]
    for one in (spoilt, again):
        assert refused(await browser.post("/account/passkeys/sign-in", json={"answer": one})), "one try, right or wrong"
    assert await site.count(PasskeyChallenge) == 0


async def test_a_challenge_is_good_for_its_time(browser: httpx.AsyncClient, device: Device, site: Site) -> None:
    await add(browser, device)
    browser.cookies.clear()
    signed = device.sign(await asked(browser, "sign-in"))
    async with site.database.writing() as rows:
        kept = (await rows.scalars(select(PasskeyChallenge))).one()
        assert timedelta(minutes=4) < kept.expires_at - datetime.now(UTC) <= timedelta(minutes=5)
        kept.expires_at = datetime.now(UTC)
    assert refused(await browser.post("/account/passkeys/sign-in", json={"answer": signed}))


@pytest.mark.parametrize(
    ("of", "sent_to"), [("sign-in", "prove"), ("prove", "sign-in"), ("add", "sign-in"), ("add", "prove")]
)
async def test_a_challenge_answers_what_it_was_asked_for(
    browser: httpx.AsyncClient, device: Device, of: str, sent_to: str
) -> None:
    await add(browser, device)
    await asked(browser, "sign-in")
    options = await asked(browser, of)
    options.setdefault("rpId", "handover.example")
    signed = device.sign(options)
    assert refused(await browser.post(f"/account/passkeys/{sent_to}", json={"answer": signed}))


async def test_a_challenge_to_prove_adds_nothing(browser: httpx.AsyncClient, device: Device, site: Site) -> None:
    await add(browser, device)
    options = await asked(browser, "add") | {"challenge": (await asked(browser, "prove"))["challenge"]}
    sent = {"answer": device.make(options), "name": ""}
    assert refused(await browser.post("/account/passkeys/add", json=sent))
    assert await site.count(Passkey) == 1


async def test_a_challenge_is_answered_where_it_was_asked_for(
    browser: httpx.AsyncClient, device: Device, site: Site
) -> None:
    await add(browser, device)
    elsewhere = device.sign(await asked(browser, "prove")), device.make(await asked(browser, "add"))
    async with site.browser() as other:
        await site.sign_in(other)
        assert refused(await other.post("/account/passkeys/prove", json={"answer": elsewhere[0]}))
        answer = await other.post("/account/passkeys/add", json={"answer": elsewhere[1], "name": ""})
        assert refused(answer), "another sign-in of hers"
        other.cookies.clear()
        signed = device.sign(await asked(other, "sign-in"))
    async with site.browser() as thief:
        await asked(thief, "sign-in")
        assert refused(await thief.post("/account/passkeys/sign-in", json={"answer": signed}))
        assert not await is_in(thief)


async def test_a_challenge_of_our_making_is_needed(browser: httpx.AsyncClient, device: Device) -> None:
    await add(browser, device)
    options = await asked(browser, "sign-in")
    options["challenge"] = written(bytes(32))
    signed = device.sign(options)
    assert refused(await browser.post("/account/passkeys/sign-in", json={"answer": signed}))


async def test_a_copy_of_a_passkey_is_found_by_its_counter(browser: httpx.AsyncClient, device: Device) -> None:
    device = replace(device, counts=True)
    await add(browser, device)
    copy = replace(device.keys[0])
    assert (await enter(browser, device)).status_code == 200
    assert (await enter(browser, device)).status_code == 200
    assert refused(await enter(browser, device, copy))
    assert refused(await enter(browser, device, replace(copy, count=1)))
    assert refused(await enter(browser, replace(device, counts=False), replace(copy, count=0)))
    assert (await enter(browser, device)).status_code == 200


async def test_somebody_else_s_passkey_proves_nothing(browser: httpx.AsyncClient, device: Device, site: Site) -> None:
    await add(browser, device)
    async with site.browser() as other:
        await site.sign_in(other, ADAM)
        theirs = replace(device, keys=[])
        await add(other, theirs)
        await site.age_proofs()
        assert refused(await prove(other, device))
        assert (await other.post("/account/passkeys/add/options")).status_code == 403


async def test_a_passkey_of_somebody_else_is_not_removed(
    browser: httpx.AsyncClient, device: Device, site: Site
) -> None:
    await add(browser, device)
    async with site.database.reading() as rows:
        theirs = (await rows.scalars(select(Passkey.id))).one()
    async with site.browser() as other:
        await site.sign_in(other, ADAM)
        await other.post(f"/account/passkeys/{theirs}/remove")
    assert await site.count(Passkey) == 1


async def test_a_credential_belongs_to_one_user(browser: httpx.AsyncClient, device: Device, site: Site) -> None:
    await add(browser, device)
    async with site.browser() as other:
        await site.sign_in(other, ADAM)
        made = Device(SAFE).make(await asked(other, "add"), id=device.keys[0].id)
        assert refused(await other.post("/account/passkeys/add", json={"answer": made, "name": ""}))
    assert await site.count(Passkey) == 1


async def test_what_a_device_says_of_its_user_must_fit(browser: httpx.AsyncClient, device: Device) -> None:
    await add(browser, device)
    assert refused(await enter(browser, device, replace(device.keys[0], handle=b"another")))
    browser.cookies.clear()
    signed = device.sign(await asked(browser, "sign-in"))
    del signed["response"]["userHandle"]
    assert refused(await browser.post("/account/passkeys/sign-in", json={"answer": signed}))


@pytest.mark.parametrize("status", ["blocked", "deleted"])
async def test_a_blocked_account_is_not_signed_in_by_a_passkey(
    browser: httpx.AsyncClient, device: Device, site: Site, status: str
) -> None:
    await add(browser, device)
    async with site.database.writing() as rows:
        await rows.execute(update(User).where(User.email == KNOWN).values(status=status))
    assert refused(await enter(browser, device))
    unknown = Device(SAFE, keys=[Key(b"handle")])
    one, other = await enter(browser, device), await enter(browser, unknown)
    assert (one.status_code, one.text) == (other.status_code, other.text), "an unknown one is answered alike"


@pytest.mark.parametrize(
    "what",
    ["add/options", "add", "sign-in/options", "sign-in", "prove/options", "prove"],
)
async def test_another_site_can_ask_for_nothing(
    browser: httpx.AsyncClient, device: Device, site: Site, what: str
) -> None:
    await add(browser, device)
    answer = await browser.post(f"/account/passkeys/{what}", json={}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert await site.count(PasskeyChallenge) == 0
    removed = await browser.post("/account/passkeys/pky_x/remove", headers={"sec-fetch-site": "same-site"})
    assert removed.status_code == 403


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[]",
        b"{",
        b'{"answer": 1}',
        b'{"answer": {}}',
        b'{"answer": {"response": {"clientDataJSON": "AAAA"}}}',
        b'{"answer": {"id": "A", "rawId": "A", "type": "public-key", "response": {"clientDataJSON": 7}}}',
        b'{"answer": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b"\xff\xfe",
    ],
    ids=range(9),
)
@pytest.mark.parametrize("what", ["add", "sign-in", "prove"])
async def test_nonsense_is_refused_and_breaks_nothing(browser: httpx.AsyncClient, what: str, sent: bytes) -> None:
    assert refused(await browser.post(f"/account/passkeys/{what}", content=sent))


async def test_challenges_are_limited_by_where_they_are_asked_for_from(site: Site) -> None:
    async with site.browser(passkey_challenges_per_minute=3) as browser:
        codes = [(await browser.post("/account/passkeys/sign-in/options")).status_code for _ in range(5)]
        limited = await browser.post("/account/passkeys/sign-in/options")
    assert codes == [200, 200, 200, 429, 429]
    assert limited.headers["retry-after"]
    assert await site.count(PasskeyChallenge) == 3


# --- the pages --------------------------------------------------------------------------------------------------------


async def test_nothing_is_kept_by_browsers_and_only_our_script_runs(browser: httpx.AsyncClient) -> None:
    for answer in (await browser.get("/account/passkeys"), await browser.post("/account/passkeys/sign-in/options")):
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'"} <= set(policy)
        assert not any("unsafe" in part for part in policy)
    script = await browser.get("/static/passkeys.js")
    assert script.headers["content-type"].startswith("text/javascript")


async def test_the_cookie_of_a_challenge_is_for_this_host_alone(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/account/passkeys/sign-in/options")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-handover_passkey=")
    assert {"httponly", "secure", "samesite=lax", "path=/", "max-age=300"} <= {
        part.strip().lower() for part in cookie.split(";")
    }


@pytest.mark.parametrize(
    ("origin", "there"),
    [
        ("https://handover.example", True),
        ("http://localhost:8000", True),
        ("http://handover.example", False),
        ("http://127.0.0.1:8000", False),
        ("https://192.0.2.7", False),
        ("https://[2001:db8::7]", False),
    ],
)
async def test_there_are_passkeys_only_where_browsers_have_them(site: Site, origin: str, there: bool) -> None:
    async with site.browser(origin) as browser:
        page = (await browser.get("/account/sign-in")).text
        assert ("passkey" in page) is there
        await site.sign_in(browser)
        assert ('href="/account/passkeys"' in (await browser.get("/account/sign-ins")).text) is there
        assert (await browser.get("/account/passkeys")).status_code == (200 if there else 404)
        assert (await browser.post("/account/passkeys/sign-in/options")).status_code == (200 if there else 404)


@pytest.mark.parametrize("host", ["evil.example", "localhost"])
async def test_the_host_of_a_call_plays_no_part(browser: httpx.AsyncClient, host: str) -> None:
    answer = await browser.post("/account/passkeys/sign-in/options", headers={"host": host, "x-forwarded-host": host})
    assert answer.json()["rpId"] == "handover.example"


@pytest.mark.parametrize(
    ("language", "title"), [("en", "Your passkeys"), ("fr", "Vos clés d\u2019accès"), ("de", "Ihre Passkeys")]
)
async def test_passkeys_are_told_of_in_the_reader_s_language(
    browser: httpx.AsyncClient, language: str, title: str
) -> None:
    assert f"<h1>{title}</h1>" in (await browser.get(f"/account/passkeys?lang={language}")).text
    told = (await browser.post("/account/passkeys/sign-in", json={})).json()["error"]
    assert (REFUSED in told) is (language == "en")
