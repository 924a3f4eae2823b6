"""How the holder of a link gets in, and nobody else: by the token's cookie, with forms of our own pages."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie

import httpx
import pytest

from api.app import create_app
from api.dependencies import Options
from api.pages.rendering import qr_code
from persistence.session import Database
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import CODE, TOKEN, add_code, add_link, add_transfer, open_link

ORIGIN = "https://handover.example"
MAILED = f"/t/{TOKEN}"


def cookie_of(answer: httpx.Response) -> Morsel[str]:
    (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return morsel


@pytest.fixture
async def public(app: object, database: Database, vault: Vault, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    """The application at a public origin, with TLS; the test speaks to it as the proxy before it would."""
    app = create_app(database, vault, engine, Options(origin=f"{ORIGIN}/"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_token_leaves_the_address_for_a_cookie_of_that_links_pages(
    http: httpx.AsyncClient, link: str, method: str
) -> None:
    answer = await http.request(method, MAILED)

    assert (answer.status_code, answer.headers["location"]) == (303, "/t/of/lnk_1")
    cookie = cookie_of(answer)
    assert cookie.value == TOKEN
    assert cookie["path"] == "/t/of/lnk_1"
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "lax"
    assert not cookie["domain"]
    assert not cookie["secure"], "the configured origin has no TLS"
    page = await http.get(link)
    assert page.status_code == 200
    assert TOKEN not in page.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_with_tls_the_cookie_never_goes_without(public: httpx.AsyncClient, link: str) -> None:
    assert cookie_of(await public.get(MAILED))["secure"]
    assert cookie_of(await public.get("/t/unknown?lang=fr"))["secure"]


async def test_the_cookie_lives_no_longer_than_the_link(http: httpx.AsyncClient, database: Database) -> None:
    ends = datetime.now(UTC) + timedelta(hours=3)
    await add_transfer(database, expires_at=ends)
    before = datetime.now(UTC)

    answer = await http.get(await add_link(database))

    lives = timedelta(seconds=int(cookie_of(answer)["max-age"]))
    assert ends - timedelta(seconds=30) <= before + lives <= ends


async def test_two_links_are_open_in_one_browser_side_by_side(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await add_transfer(database, "trf_2", charge_point_id="cp-2")
    other = await open_link(http, await add_link(database, "other-token", link_id="lnk_2", transfer_id="trf_2"))
    await add_code(database, vault)

    assert "Wallbox cp-1" in (await http.get(link)).text
    assert "Wallbox cp-2" in (await http.get(other)).text
    assert (await http.post(f"{link}/accept", data={"code": CODE})).status_code == 200
    assert [transfer for transfer, *_ in engine.decided] == ["trf_1"]
    assert "Wallbox cp-2" in (await http.get(other)).text


@pytest.mark.parametrize("cookie", [None, "handover_link=", "handover_link=unknown", "handover_link=other-token"])
async def test_without_the_links_own_token_its_address_opens_nothing(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine, cookie: str | None
) -> None:
    await add_transfer(database, "trf_2", charge_point_id="cp-2")
    await add_link(database, "other-token", link_id="lnk_2", transfer_id="trf_2")
    await add_code(database, vault)
    http.cookies.clear()
    sent = {"Cookie": cookie} if cookie else {}

    answers = [await http.get(f"{link}{path}", headers=sent) for path in ("", "/code", "/accept")]
    answers += [await http.post(f"{link}{path}", data={"code": CODE}, headers=sent) for path in ("/code", "/accept")]

    for answer in answers:
        assert answer.status_code == 403
        assert "open the link in your message again" in answer.text
        assert "allow cookies" in answer.text
        assert "Wallbox" not in answer.text
    assert (engine.codes, engine.decided) == ([], [])


async def test_no_address_follows_a_forged_host(public: httpx.AsyncClient, link: str) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    opened = await public.get(MAILED, headers=forged)
    held = {**forged, "Cookie": f"handover_link={TOKEN}"}
    offer = await public.get(link, headers=held)
    answers = [opened, offer, await public.post(f"{link}/code", headers=held), await public.get(f"{link}/code")]
    answers.append(await public.get(f"{link}/decline", headers=held))

    assert [answer.status_code for answer in answers] == [303, 200, 303, 200, 303]
    assert {answer.headers.get("location", "/t/of/")[:6] for answer in answers} == {"/t/of/"}
    assert all("evil" not in answer.text + str(answer.headers) for answer in answers)
    assert str(qr_code(f"{ORIGIN}/t/{TOKEN}")) in offer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
        {"Sec-Fetch-Site": "same-site", "Origin": ORIGIN},
        {"Origin": "https://evil.example"},
        {"Origin": "http://handover.example"},
        {"Origin": "https://handover.example:8443"},
        {"Origin": "https://[broken"},
    ],
)
async def test_a_form_of_another_site_does_nothing_even_with_cookie_and_code(
    public: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine, headers: Mapping[str, str]
) -> None:
    await add_code(database, vault)
    await open_link(public, MAILED)

    answers = [
        await public.post(f"{link}/{path}", data={"code": CODE}, headers=headers)
        for path in ("accept", "decline", "code")
    ]

    for answer in answers:
        assert answer.status_code == 403
        assert "sent from another site" in answer.text
        assert answer.headers["cache-control"] == "no-store"
    assert (engine.codes, engine.decided) == ([], [])


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://Handover.example:443"},
        {"Origin": "null"},
        {},
    ],
)
async def test_a_form_of_our_own_pages_is_taken(
    public: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine, headers: Mapping[str, str]
) -> None:
    await add_code(database, vault)
    await open_link(public, MAILED)

    answer = await public.post(f"{link}/accept", data={"code": CODE}, headers=headers)

    assert answer.status_code == 200
    assert len(engine.decided) == 1
