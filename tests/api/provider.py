"""A little issuer of OpenID Connect, on this machine: it is strict with what it is sent, and can be made to lie."""

import asyncio
import hashlib
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tools.stage.ports import HOST, free_port

CLIENT, SECRET = "handover", "secret of the client/+%"
#: A key that it lists by mistake: everybody knows it.
LISTED_SECRET = b"a secret that everybody knows, as it is listed"


@dataclass
class Provider:
    """What it knows, and what is wrong with what it says."""

    origin: str
    redirect_uri: str
    secret: str | None = SECRET
    email: str = "rita@example.com"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}))
    about: dict[str, Any] = field(default_factory=dict)
    """Changes of its description."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Changes of the ID token's claims; None: it is left out."""
    told: dict[str, Any] = field(default_factory=dict)
    """What else its userinfo says."""
    names_itself_as: str | None = None
    """`iss` beside the code, where it is not its own."""
    sign: Callable[[dict[str, Any]], str] | None = None
    """What signs instead of its key."""
    fails: dict[str, int] = field(default_factory=dict)
    """The status that a path answers instead."""
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(path)
        if path in self.fails:
            return Response("away", self.fails[path])
        match path:
            case "/.well-known/openid-configuration":
                return JSONResponse(self.description())
            case "/jwks":
                listed = {"kty": "oct", "kid": "listed", "k": urlsafe_b64encode(LISTED_SECRET).decode().rstrip("=")}
                return JSONResponse({"keys": [{"kty": "new"}, listed, self.key.as_dict(private=False)]})
            case "/authorize":
                return self._authorize(dict(request.query_params))
            case "/token":
                return self._token(request, dict(parse_qsl((await request.body()).decode())))
            case _:
                return JSONResponse({"sub": "r1", **self.told})

    def description(self) -> dict[str, Any]:
        return {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "jwks_uri": f"{self.origin}/jwks",
            "userinfo_endpoint": f"{self.origin}/userinfo",
            "authorization_response_iss_parameter_supported": True,
            **self.about,
        }

    def _authorize(self, sent: dict[str, str]) -> Response:
        wanted = {"response_type": "code", "client_id": CLIENT, "redirect_uri": self.redirect_uri}
        if not wanted.items() <= sent.items() or sent.get("code_challenge_method") != "S256":
            return self._refuse("invalid_request")
        code = secrets.token_urlsafe()
        self.codes[code] = sent
        answer = {"code": code, "state": sent["state"], "iss": self.names_itself_as or self.origin}
        return RedirectResponse(f"{self.redirect_uri}?{urlencode(answer)}")

    def _token(self, request: Request, sent: dict[str, str]) -> Response:
        if not self._knows(request, sent):
            return self._refuse("invalid_client", 401)
        asked = self.codes.pop(sent.get("code", ""), None)  # once
        hashed = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or sent.get("grant_type") != "authorization_code"
            or sent.get("redirect_uri") != self.redirect_uri
            or urlsafe_b64encode(hashed).decode().rstrip("=") != asked["code_challenge"]
        ):
            return self._refuse("invalid_grant")
        now = int(time.time())
        claims = {"iss": self.origin, "sub": "r1", "aud": CLIENT, "iat": now, "exp": now + 300}
        claims |= {"nonce": asked["nonce"], "email": self.email, "email_verified": True, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.sign(claims) if self.sign else self.signed(claims)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def _knows(self, request: Request, sent: dict[str, str]) -> bool:
        if self.secret is None:
            return sent.get("client_id") == CLIENT and "authorization" not in request.headers
        if self.about.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]:
            return (sent.get("client_id"), sent.get("client_secret")) == (CLIENT, self.secret)
        given = b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        read = [dict(parse_qsl(f"v={part}")).get("v") for part in given.split(":")]
        return read == [CLIENT, self.secret]

    def _refuse(self, error: str, status: int = 400) -> Response:
        self.refusals.append(error)
        return JSONResponse({"error": error}, status)


@asynccontextmanager
async def provider(redirect_uri: str) -> AsyncIterator[Provider]:
    """Serve an issuer inside the block."""
    port = free_port()
    found = Provider(f"http://{HOST}:{port}", redirect_uri)
    app = Starlette(routes=[Route("/{path:path}", found.answer, methods=["GET", "POST"])])
    async with serving(app, port):
        yield found


@asynccontextmanager
async def serving(app: ASGIApp, port: int) -> AsyncIterator[None]:
    """Serve an application inside the block."""
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_config=None, access_log=False))
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(60):
            while not server.started:
                await asyncio.sleep(0.01)  # uvicorn says so nowhere else
        yield
    finally:
        server.should_exit = True
        await running
