"""Signing in by an issuer of OpenID Connect: what people do, and what is refused of what can be forged."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import func, select, update

from api.app import create_app
from api.dependencies import Options
from api.issuer import CALLBACK, Issuer, IssuerOptions, Visit
from domain.issuer import IssuerRefused
from persistence.session import Database
from persistence.tables import SignIn, User
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.provider import CLIENT, LISTED_SECRET, SECRET, Provider, provider
from tests.api.test_signing_in import FORM, KNOWN, SAFE
from tests.api.world import add
from tools.stage import plain_http
from tools.stage.ports import HOST, free_port

REFUSED, NO_ACCOUNT, HOME = "/account/oidc/refused", "/account/oidc/no-account", "/"


@pytest.fixture
async def issuer() -> AsyncIterator[Provider]:
    async with provider(f"{SAFE}{CALLBACK}") as found:
        yield found


class Site:
    """The pages with an issuer, and browsers at them."""

    def __init__(self, database: Database, vault: Vault, engine: Engine, issuer: Provider) -> None:
        self.database, self._vault, self._engine = database, vault, engine
        self.options = IssuerOptions(issuer.origin, CLIENT, SECRET, "Example ID")

    @asynccontextmanager
    async def browser(self, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        """Give a browser at a process of its own, which has heard nothing of the issuer yet."""
        options = Options(origin=SAFE, issuer=replace(self.options, **changes))
        app = create_app(self.database, self._vault, self._engine, options)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SAFE, headers=FORM) as client:
            yield client

    async def sign_ins(self) -> int:
        async with self.database.reading() as rows:
            return (await rows.execute(select(func.count()).select_from(SignIn))).scalar_one()


@pytest.fixture
def site(database: Database, vault: Vault, engine: Engine, issuer: Provider) -> Site:
    return Site(database, vault, engine, issuer)


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.browser() as client:
        yield client


async def leave(browser: httpx.AsyncClient) -> str:
    """Press the button; gives the address at the issuer that it leads to."""
    left = await browser.post("/account/oidc")
    assert left.status_code == 200, left.text
    return left.headers["refresh"].removeprefix("0; url=")


async def way_back(there: str) -> str:
    """Sign in at the issuer; gives the path that it leads back to."""
    async with plain_http.client() as client:
        answer = await client.get(there)
    assert answer.status_code == 307, answer.text
    back = answer.headers["location"]
    assert back.startswith(f"{SAFE}{CALLBACK}?")
    return str(back.removeprefix(SAFE))


async def come_back(browser: httpx.AsyncClient) -> str:
    """Sign in there; gives where that ends."""
    answer = await browser.get(await way_back(await leave(browser)))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


# --- what people do ---------------------------------------------------------------------------------------------------


async def test_who_has_the_confirmed_address_is_signed_in(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/account/sign-in")).text
    assert 'action="/account/oidc"' in page
    assert "Sign in with Example ID" in page
    left = await browser.post("/account/oidc")
    assert "On to Example ID" in left.text
    entered = await browser.get(await way_back(left.headers["refresh"].removeprefix("0; url=")))
    assert entered.headers["location"] == HOME
    assert "__Host-handover_sign_in" in str(entered.headers.get_list("set-cookie"))
    assert "This is the one you are using now." in (await browser.get("/account/sign-ins")).text


async def test_what_is_sent_there_is_bound_to_this_browser(browser: httpx.AsyncClient, issuer: Provider) -> None:
    left = await browser.post("/account/oidc")
    there = urlsplit(left.headers["refresh"].removeprefix("0; url="))
    sent = {name: values[0] for name, values in parse_qs(there.query).items()}
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{issuer.origin}/authorize"
    assert sent["redirect_uri"] == f"{SAFE}/account/oidc/callback"
    assert (sent["response_type"], sent["scope"], sent["code_challenge_method"]) == ("code", "openid email", "S256")
    (cookie,) = left.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-handover_issuer=")
    said = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "secure", "samesite=lax", "path=/", "max-age=600"} <= said
    assert not any(sent[name] in cookie for name in ("state", "nonce", "code_challenge")), "it is sealed"
    again = parse_qs(urlsplit(await leave(browser)).query)
    assert all(again[name][0] != sent[name] for name in ("state", "nonce", "code_challenge"))
    assert left.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "localhost"])
async def test_where_they_come_back_to_does_not_follow_the_host_of_a_call(
    browser: httpx.AsyncClient, host: str
) -> None:
    left = await browser.post("/account/oidc", headers={"host": host, "x-forwarded-host": host})
    assert parse_qs(urlsplit(left.headers["refresh"]).query)["redirect_uri"] == [f"{SAFE}/account/oidc/callback"]


@pytest.mark.parametrize("way", ["public", "post"])
async def test_we_are_known_there_by_what_is_configured(site: Site, issuer: Provider, way: str) -> None:
    if way == "post":
        issuer.about = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    else:
        issuer.secret = None
    async with site.browser(client_secret=issuer.secret) as browser:
        assert await come_back(browser) == HOME
    assert issuer.refusals == []


async def test_what_the_issuer_says_of_itself_is_kept_for_a_while(browser: httpx.AsyncClient, issuer: Provider) -> None:
    for _ in range(3):
        assert await come_back(browser) == HOME
    assert issuer.asked.count("/.well-known/openid-configuration") == 1
    assert issuer.asked.count("/jwks") == 1


async def test_a_key_that_is_new_is_asked_for_and_not_at_every_token(issuer: Provider) -> None:
    options = IssuerOptions(issuer.origin, CLIENT, SECRET)
    eager, patient = (Issuer(options, issuer.redirect_uri, ask_again_after=after) for after in (0, 1000))

    async def there_and_back(ours: Issuer) -> str:
        visit = Visit.new()
        back = parse_qs(urlsplit(await way_back(await ours.way_there(visit))).query)
        return (await ours.who(visit, {name: values[0] for name, values in back.items()})).value

    for ours in (eager, patient):
        assert await there_and_back(ours) == KNOWN
    issuer.key = RSAKey.generate_key(2048, {"kid": "2", "use": "sig"})
    assert await there_and_back(eager) == KNOWN
    with pytest.raises(IssuerRefused):
        await there_and_back(patient)
    assert issuer.asked.count("/jwks") == 3


async def test_an_address_that_the_token_leaves_out_is_asked_for(browser: httpx.AsyncClient, issuer: Provider) -> None:
    issuer.claims = {"email": None, "email_verified": None}
    issuer.told = {"email": KNOWN, "email_verified": True}
    assert await come_back(browser) == HOME
    issuer.told["sub"] = "somebody else"
    assert await come_back(browser) == REFUSED


# --- who is not let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email": "nobody@example.com"},
        {"email": "blanca@example.com"},
        {"email": "no address"},
        {"email": 7},
    ],
    ids=str,
)
async def test_no_confirmed_address_of_an_account_in_use_lets_nobody_in(
    browser: httpx.AsyncClient, issuer: Provider, site: Site, claims: dict[str, Any]
) -> None:
    issuer.claims = claims
    assert await come_back(browser) == NO_ACCOUNT
    page = await browser.get(NO_ACCOUNT)
    assert page.status_code == 403
    assert "an e-mail address that Example ID has confirmed" in page.text
    assert 'href="/account/sign-in"' in page.text
    assert await site.sign_ins() == 0


async def test_of_two_accounts_with_the_address_neither_is_chosen(browser: httpx.AsyncClient, site: Site) -> None:
    twin = User(
        id="u-twin", name="Twin", email=KNOWN, phone=None, locale="en", status="active", created_at=datetime.now(UTC)
    )
    await add(site.database, twin)
    assert await come_back(browser) == NO_ACCOUNT
    assert await site.sign_ins() == 0


@pytest.mark.parametrize("status", ["blocked", "deleted"])
async def test_an_account_that_is_not_in_use_is_answered_as_none(
    browser: httpx.AsyncClient, site: Site, status: str
) -> None:
    async with site.database.writing() as rows:
        await rows.execute(update(User).where(User.email == KNOWN).values(status=status))
    assert await come_back(browser) == NO_ACCOUNT


# --- what is forged ---------------------------------------------------------------------------------------------------


async def test_an_answer_counts_once(browser: httpx.AsyncClient, issuer: Provider, site: Site) -> None:
    back = await way_back(await leave(browser))
    visit = browser.cookies["__Host-handover_issuer"]
    assert (await browser.get(back)).headers["location"] == HOME
    assert "__Host-handover_issuer" not in browser.cookies
    assert (await browser.get(back)).headers["location"] == REFUSED
    browser.cookies.set("__Host-handover_issuer", visit, domain="handover.example")
    assert (await browser.get(back)).headers["location"] == REFUSED
    assert issuer.refusals == ["invalid_grant"]
    assert await site.sign_ins() == 1


@pytest.mark.parametrize("where", ["nobody is on a visit", "another visit"])
async def test_an_answer_to_another_browser_signs_nobody_in(browser: httpx.AsyncClient, site: Site, where: str) -> None:
    """Or an attacker signs a victim in as themselves, and reads what they do."""
    async with site.browser() as attacker:
        back = await way_back(await leave(attacker))
    if where == "another visit":
        await leave(browser)
    assert (await browser.get(back)).headers["location"] == REFUSED
    assert await site.sign_ins() == 0
    assert (await browser.get("/account/sign-ins")).headers["location"] == "/account/sign-in"


@pytest.mark.parametrize("change", ["state", "iss", "no state", "no iss", "no code", "error"])
async def test_an_answer_that_was_tampered_with_is_refused(
    browser: httpx.AsyncClient, issuer: Provider, site: Site, change: str
) -> None:
    sent = httpx.QueryParams(urlsplit(await way_back(await leave(browser))).query)
    if change == "error":
        sent = sent.set("error", "access_denied")
    elif change.startswith("no "):
        sent = sent.remove(change.removeprefix("no "))
    else:
        sent = sent.set(change, f"{sent[change]}x")
    assert (await browser.get(f"{CALLBACK}?{sent}")).headers["location"] == REFUSED
    assert "/token" not in issuer.asked
    assert await site.sign_ins() == 0


async def test_an_issuer_that_does_not_name_itself_need_not(site: Site, issuer: Provider) -> None:
    issuer.about = {"authorization_response_iss_parameter_supported": False}
    async with site.browser() as browser:
        sent = httpx.QueryParams(urlsplit(await way_back(await leave(browser))).query)
        assert (await browser.get(f"{CALLBACK}?{sent.remove('iss')}")).headers["location"] == HOME
        issuer.names_itself_as = "https://evil.example"
        assert await come_back(browser) == REFUSED


async def test_a_code_is_worth_nothing_without_what_it_was_asked_for_with(
    browser: httpx.AsyncClient, issuer: Provider, site: Site
) -> None:
    """The code of another visit: the issuer compares the verifier (PKCE)."""
    async with site.browser() as victim:
        stolen = httpx.QueryParams(urlsplit(await way_back(await leave(victim))).query)["code"]
    ours = httpx.QueryParams(urlsplit(await way_back(await leave(browser))).query).set("code", stolen)
    assert (await browser.get(f"{CALLBACK}?{ours}")).headers["location"] == REFUSED
    assert issuer.refusals == ["invalid_grant"]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": "another", "azp": CLIENT},
        {"aud": None},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"sub": None},
        {"at_hash": "AAAA"},
    ],
    ids=lambda claims: f"{next(iter(claims.items()))}",
)
async def test_a_token_for_something_else_is_refused(
    browser: httpx.AsyncClient, issuer: Provider, site: Site, claims: dict[str, Any]
) -> None:
    issuer.claims = claims
    assert await come_back(browser) == REFUSED
    assert await site.sign_ins() == 0


def by_hand(claims: dict[str, Any], header: dict[str, str], secret: bytes | None = None) -> str:
    """Write a token that no library would: unsigned, or with a MAC by what is no secret."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    mac = hmac.digest(secret, ".".join(parts).encode(), "sha256") if secret else b""
    return ".".join([*parts, urlsafe_b64encode(mac).decode().rstrip("=")])


@pytest.mark.parametrize(
    "forgery", ["none", "public key as secret", "client's secret", "listed secret", "another key", "its own key"]
)
async def test_a_token_that_the_issuer_did_not_sign_is_refused(
    browser: httpx.AsyncClient, issuer: Provider, site: Site, forgery: str
) -> None:
    other = RSAKey.generate_key(2048, {"kid": "1"})
    public = issuer.key.as_pem(private=False)
    forgers: dict[str, Callable[[dict[str, Any]], str]] = {
        "none": lambda claims: by_hand(claims, {"alg": "none", "kid": "1"}),
        "public key as secret": lambda claims: by_hand(claims, {"alg": "HS256", "kid": "1"}, public),
        "client's secret": lambda claims: by_hand(claims, {"alg": "HS256", "kid": "1"}, SECRET.encode()),
        "listed secret": lambda claims: by_hand(claims, {"alg": "HS256", "kid": "listed"}, LISTED_SECRET),
        "another key": lambda claims: jwt.encode({"alg": "RS256", "kid": "1"}, claims, other),
        "its own key": lambda claims: jwt.encode({"alg": "RS256", "jwk": other.as_dict(private=False)}, claims, other),
    }
    issuer.sign = forgers[forgery]
    assert await come_back(browser) == REFUSED
    assert await site.sign_ins() == 0


async def test_a_token_by_another_kind_of_key_is_read(site: Site, issuer: Provider) -> None:
    key = ECKey.generate_key("P-256", {"kid": "ec"})
    issuer.key, issuer.sign = key, lambda claims: jwt.encode({"alg": "ES256", "kid": "ec"}, claims, key)  # type: ignore[assignment]
    async with site.browser() as browser:
        assert await come_back(browser) == HOME


@pytest.mark.parametrize("cookie", ["", "nonsense", "gAAAAA"])
async def test_a_visit_is_as_we_sealed_it(browser: httpx.AsyncClient, cookie: str) -> None:
    back = await way_back(await leave(browser))
    browser.cookies.set("__Host-handover_issuer", cookie, domain="handover.example")
    assert (await browser.get(back)).headers["location"] == REFUSED


async def test_a_visit_is_over_in_time(browser: httpx.AsyncClient, vault: Vault, issuer: Provider) -> None:
    back = await way_back(await leave(browser))
    kept = json.loads(vault.unseal(browser.cookies["__Host-handover_issuer"].encode()))
    assert 590 < kept["until"] - time.time() <= 600
    kept["until"] = time.time()
    sealed = vault.seal(json.dumps(kept).encode()).decode()
    browser.cookies.clear()
    browser.cookies.set("__Host-handover_issuer", sealed, domain="handover.example")
    assert (await browser.get(back)).headers["location"] == REFUSED


async def test_another_site_sends_nobody_there(browser: httpx.AsyncClient, issuer: Provider) -> None:
    answer = await browser.post("/account/oidc", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert issuer.asked == []


# --- what is away, or not there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "http://evil.example/jwks"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
        {"userinfo_endpoint": "http://evil.example/userinfo"},
    ],
    ids=str,
)
async def test_an_issuer_that_describes_another_one_or_an_open_line_is_not_asked(
    browser: httpx.AsyncClient, issuer: Provider, about: dict[str, Any]
) -> None:
    issuer.about = about
    assert (await browser.post("/account/oidc")).status_code == 503


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize("status", [200, 302, 500])
async def test_an_issuer_that_is_away_or_speaks_nonsense_is_said_to_be(
    site: Site, issuer: Provider, path: str, status: int
) -> None:
    issuer.claims = {"email": None}
    issuer.fails = {path: status}
    async with site.browser() as browser:
        answer = await browser.post("/account/oidc")
        if answer.status_code == 200:
            answer = await browser.get(await way_back(answer.headers["refresh"].removeprefix("0; url=")))
    if (path, status) == ("/token", 302):
        assert answer.headers["location"] == REFUSED
    else:
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "<h1>" in answer.text


async def test_an_issuer_that_nobody_listens_at_is_away(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.browser(issuer=f"http://{HOST}:{free_port()}") as browser:
        assert (await browser.post("/account/oidc")).status_code == 503
        assert (await browser.get("/account/sign-in")).status_code == 200, "a code can still be asked for"
    assert "unavailable" in caplog.text
    assert "unexpected" not in caplog.text


async def test_without_an_issuer_there_is_nothing_of_it(database: Database, vault: Vault, engine: Engine) -> None:
    app = create_app(database, vault, engine, Options(origin=SAFE))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SAFE, headers=FORM) as browser:
        assert "/account/oidc" not in (await browser.get("/account/sign-in")).text
        assert (await browser.post("/account/oidc")).status_code == 404
        for path in (CALLBACK, REFUSED, NO_ACCOUNT):
            assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("language", "button", "title"),
    [
        ("en", "Sign in with Example ID", "You are not signed in"),
        ("fr", "Se connecter avec Example ID", "Vous n\u2019\u00eates pas connect\u00e9"),
        ("de", "Mit Example ID anmelden", "Sie sind nicht angemeldet"),
    ],
)
async def test_the_issuer_is_told_of_in_the_reader_s_language(
    browser: httpx.AsyncClient, language: str, button: str, title: str
) -> None:
    there = {"accept-language": language}
    assert button in (await browser.get("/account/sign-in", headers=there)).text
    assert f"<h1>{title}</h1>" in (await browser.get(REFUSED, headers=there)).text
