"""The issuer of OpenID Connect that people may sign in by: where it is, and who it says that somebody is.

The authorization code flow with PKCE; sections are those of OpenID Connect Core 1.0.
"""

import asyncio
import logging
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from domain.contact import Address, parse_email
from domain.errors import InvalidRequest, Unavailable
from domain.issuer import IssuerRefused, NoAccountThere, is_safe
from domain.networks import is_loopback

log = logging.getLogger(__name__)

#: What an ID token may be signed with: the issuer's private key alone. Never `none`, nor by what is public (HS…).
_ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
#: Where people come back to, on our origin: what is registered with the issuer.
CALLBACK: Final = "/account/oidc/callback"
#: How long, in seconds, the issuer may take to answer.
_PATIENCE: Final = 5.0
#: For how long, in seconds, what the issuer says of itself is taken as it was, and its keys.
_KEPT: Final = 3600.0
#: How soon, in seconds, its keys are asked for again where one is not among them.
_ASKED_AGAIN_AFTER: Final = 30.0
#: By how much, in seconds, the issuer's clock may differ from ours.
_LEEWAY: Final = 60
_AWAY: Final = "The issuer does not answer; try again in a moment, or sign in with a code."

_T = TypeVar("_T")


@dataclass(frozen=True)
class IssuerOptions:
    """The issuer that is configured, and what we are to it."""

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    name: str = "OpenID Connect"
    """What people know it by."""


@dataclass(frozen=True)
class Visit:
    """What somebody is sent to the issuer with, and has to come back with; `verifier` is PKCE's (RFC 7636)."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> "Visit":
        """Make one that nobody can guess."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))


class _Kept(Generic[_T]):
    """Something that is asked for now and then, by one at a time."""

    def __init__(self) -> None:
        self._value: _T | None = None
        self._asked_at = 0.0
        self._turn = asyncio.Lock()

    async def get(self, ask: Callable[[], Awaitable[_T]], age: float = _KEPT) -> _T:
        """Give it, asked for anew where that was more than `age` seconds ago."""
        async with self._turn:
            if self._value is None or time.monotonic() - self._asked_at >= age:
                self._value = await ask()
                self._asked_at = time.monotonic()
            return self._value


class Issuer:
    """Talks to the issuer. Raises Unavailable where it does not answer, or not as an issuer does."""

    def __init__(
        self, options: IssuerOptions, redirect_uri: str, *, ask_again_after: float = _ASKED_AGAIN_AFTER
    ) -> None:
        """Take where people come back to, and how soon, in seconds, keys may be asked for again."""
        self._options = options
        self._redirect_uri = redirect_uri
        self._ask_again_after = ask_again_after
        self._about: _Kept[Mapping[str, Any]] = _Kept()
        self._keys: _Kept[KeySet] = _Kept()

    async def way_there(self, visit: Visit) -> str:
        """Give the address to which somebody is sent."""
        about = await self._metadata()
        client = OAuth2Client(
            None,
            self._options.client_id,
            redirect_uri=self._redirect_uri,
            scope="openid email",
            code_challenge_method="S256",
        )
        address, _ = client.create_authorization_url(
            about["authorization_endpoint"], state=visit.state, code_verifier=visit.verifier, nonce=visit.nonce
        )
        return str(address)

    async def who(self, visit: Visit, answer: Mapping[str, str]) -> Address:
        """Give the confirmed e-mail address of who came back with `answer`, the parameters of the address.

        Raises IssuerRefused, NoAccountThere where no address is confirmed.
        """
        about = await self._metadata()
        code = self._code_in(visit, answer, about)
        tokens = await self._exchange(about, code, visit)
        claims = await self._read(tokens, visit, about)
        if "email" not in claims and "userinfo_endpoint" in about:
            claims = await self._ask_about(claims, tokens, about)
        email = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(email, str):
            raise NoAccountThere
        try:
            return parse_email(email)
        except InvalidRequest:
            raise NoAccountThere from None

    # --- coming back ----------------------------------------------------------------------------------------------

    def _code_in(self, visit: Visit, answer: Mapping[str, str], about: Mapping[str, Any]) -> str:
        """Give the code, where it is to this visit and from this issuer (RFC 9207)."""
        said = answer.get("iss")
        names_itself = about.get("authorization_response_iss_parameter_supported") is True
        from_it = said == self._options.issuer if said is not None or names_itself else True
        ours = secrets.compare_digest(answer.get("state", "").encode(), visit.state.encode())
        code = answer.get("code", "")
        if not (from_it and ours and code) or "error" in answer:
            raise IssuerRefused
        return code

    async def _exchange(self, about: Mapping[str, Any], code: str, visit: Visit) -> Mapping[str, Any]:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": visit.verifier,
        }
        url, headers, sent = self._authentication(about).prepare(
            "POST", about["token_endpoint"], {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(body)
        )
        answer = await self._call("POST", url, headers=headers, content=sent)
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(_AWAY)
        if answer.status_code != HTTPStatus.OK:
            log.info("the issuer did not take a code: HTTP %d", answer.status_code)
            raise IssuerRefused
        return _object_in(answer)

    def _authentication(self, about: Mapping[str, Any]) -> ClientAuth:
        client_id, secret = self._options.client_id, self._options.client_secret
        ways = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if secret is None:
            return ClientAuth(client_id, None, "none")
        if "client_secret_basic" not in ways and "client_secret_post" in ways:
            return ClientAuth(client_id, secret, "client_secret_post")
        return ClientAuth(quote_plus(client_id), quote_plus(secret), "client_secret_basic")  # RFC 6749, 2.3.1

    async def _read(self, tokens: Mapping[str, Any], visit: Visit, about: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read and check the ID token (3.1.3.7)."""
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise IssuerRefused
        with _refusing():
            try:
                token = jwt.decode(id_token, await self._key_set(about), algorithms=_ALGORITHMS)
            except InvalidKeyIdError:  # it may have a new one
                again = await self._key_set(about, age=self._ask_again_after)
                token = jwt.decode(id_token, again, algorithms=_ALGORITHMS)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={"iss": {"value": self._options.issuer}, "aud": {"value": self._options.client_id}},
                params={
                    "nonce": visit.nonce,
                    "client_id": self._options.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(leeway=_LEEWAY)
        return token.claims

    async def _ask_about(
        self, claims: Mapping[str, Any], tokens: Mapping[str, Any], about: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Ask for what the ID token leaves out (5.3); the answer has to be about the same person."""
        headers = {"Authorization": f"Bearer {tokens.get('access_token')}"}
        answer = await self._call("GET", about["userinfo_endpoint"], headers=headers)
        if answer.status_code != HTTPStatus.OK:
            raise Unavailable(_AWAY)
        said = _object_in(answer)
        if said.get("sub") != claims["sub"]:
            raise IssuerRefused
        return said

    # --- what it says of itself -----------------------------------------------------------------------------------

    async def _metadata(self) -> Mapping[str, Any]:
        return await self._about.get(self._ask_for_metadata)

    async def _ask_for_metadata(self) -> Mapping[str, Any]:
        about = await self._get(get_well_known_url(self._options.issuer, external=True))
        places = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        optional = ("userinfo_endpoint",) if "userinfo_endpoint" in about else ()
        if about.get("issuer") != self._options.issuer or not all(
            isinstance(about.get(place), str) and is_safe(about[place]) for place in (*places, *optional)
        ):
            log.error("HANDOVER_OIDC__ISSUER does not describe itself as that issuer, with addresses that use TLS")
            raise Unavailable(_AWAY)
        return about

    async def _key_set(self, about: Mapping[str, Any], age: float = _KEPT) -> KeySet:
        async def ask() -> KeySet:
            return _keys_in(await self._get(about["jwks_uri"]))

        return await self._keys.get(ask, age)

    async def _get(self, url: str) -> Mapping[str, Any]:
        answer = await self._call("GET", url)
        if answer.status_code != HTTPStatus.OK:
            raise Unavailable(_AWAY)
        return _object_in(answer)

    async def _call(self, method: str, url: str, **more: Any) -> httpx.Response:
        here = is_loopback(urlsplit(url).hostname or "")  # a proxy does not lead back to this machine
        try:
            async with httpx.AsyncClient(verify=self._tls, timeout=_PATIENCE, trust_env=not here) as client:
                return await asyncio.wait_for(client.request(method, url, **more), 2 * _PATIENCE)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise Unavailable(_AWAY) from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Read the machine's authorities, once."""
        return httpx.create_ssl_context()


def _keys_in(read: Mapping[str, Any]) -> KeySet:
    """Give the keys of a set that sign; what can't be one, or is for something else, is left out (RFC 7517, 5)."""
    listed, found = read.get("keys"), []
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and one.get("use", "sig") == "sig":
            with suppress(JoseError, ValueError):
                found.append(JWKRegistry.import_key(one))
    return KeySet(found)


def _object_in(answer: httpx.Response) -> Mapping[str, Any]:
    """Read a JSON object; raises Unavailable for anything else."""
    try:
        read = answer.json()
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Unavailable(_AWAY)
    return read


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn whatever is wrong with a token into the one refusal."""
    try:
        yield
    except (JoseError, ValueError, TypeError, KeyError) as error:
        log.info("the issuer's token does not hold: %s", type(error).__name__)
        raise IssuerRefused from error
