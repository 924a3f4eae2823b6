"""The pages as an application of their own: addresses, headers, and errors told to people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.dependencies import Backend
from api.middleware import LastResort
from api.pages.approval import ApprovalPages
from api.pages.issuer_pages import IssuerPages
from api.pages.link_access import FromElsewhere, NotOpened
from api.pages.passkeys import PasskeyPages
from api.pages.rendering import Renderer
from api.pages.signing_in import SigningIn
from api.pages.words import Ending
from api.problems import RETRY_AFTER_SECONDS, headers_of, note_away, status_of
from domain.errors import ErrorCode, HandoverError

STATIC: Final = Path(__file__).parent / "static"

#: A link opens a decision: it may not be kept, framed, or read by a script, nor, as no answer's, be passed on by a
#: referrer (SecurityHeaders). A QR code needs no more: it is drawn within the page.
_POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}
#: A passkey is asked for by a script of ours, which calls us alone.
ACCOUNT_HEADERS: Final[Mapping[str, str]] = {
    **HEADERS,
    "Content-Security-Policy": f"{_POLICY}; script-src 'self'; connect-src 'self'",
}


class Errors:
    """Tells the errors that no page tells itself."""

    def __init__(self, sheets: Renderer) -> None:
        """Take what renders a page."""
        self._sheets = sheets

    def away(self, request: Request) -> Response:
        """Say that something does not answer."""
        answer = self._sheets.ending(request, self._sheets.words(request).away, 503)
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return answer

    async def handover_error(self, request: Request, error: Exception) -> Response:
        """Answer an unknown link, one that is not open in this browser, a part that is away."""
        error = cast(HandoverError, error)  # registered for nothing else
        note_away(error)
        words = self._sheets.words(request)
        if error.code is ErrorCode.UNAVAILABLE:
            return self.away(request)
        endings: dict[type, Ending] = {NotOpened: words.not_opened, FromElsewhere: words.from_elsewhere}
        answer = self._sheets.ending(request, endings.get(type(error), words.unknown), status_of(error))
        answer.headers.update(headers_of(error))
        return answer

    async def http_error(self, request: Request, error: Exception) -> Response:
        """Answer an unknown path and a wrong method."""
        error = cast(HTTPException, error)  # registered for nothing else
        answer = self._sheets.ending(request, self._sheets.words(request).unknown, error.status_code)
        answer.headers.update(error.headers or {})
        return answer


class PrivatePages:
    """Puts the headers on every answer, errors included."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        """Wrap `app`."""
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_pages(backend: Backend) -> Starlette:
    """Build the pages under /t."""
    origin = backend.options.origin
    sheets = Renderer(secure=backend.options.secure)
    pages = ApprovalPages(backend, sheets, origin)
    return _application(
        sheets,
        [
            Route("/{token}", pages.open, methods=["GET"]),
            Route("/{token}/", pages.open, methods=["GET"]),
            Route("/of/{link}", pages.show, methods=["GET"]),
            Route("/of/{link}/code", pages.code_form, methods=["GET"]),
            Route("/of/{link}/code", pages.send_code, methods=["POST"]),
            Route("/of/{link}/{answer}", pages.back, methods=["GET"]),
            Route("/of/{link}/{answer}", pages.decide, methods=["POST"]),
        ],
        HEADERS,
    )


def create_account_pages(backend: Backend) -> Starlette:
    """Build the pages under /account."""
    sheets = Renderer(secure=backend.options.secure)
    pages = SigningIn(backend, sheets)
    return _application(
        sheets,
        [
            Route("/sign-in", pages.ask, methods=["GET"]),
            Route("/sign-in", pages.send_code, methods=["POST"]),
            Route("/code", pages.code_form, methods=["GET"]),
            Route("/code", pages.enter, methods=["POST"]),
            Route("/sign-out", pages.sign_out, methods=["POST"]),
            Route("/sign-ins", pages.show, methods=["GET"]),
            Route("/sign-ins/end-others", pages.end_others, methods=["POST"]),
            Route("/sign-ins/{sign_in}/end", pages.end_one, methods=["POST"]),
            *_passkey_routes(PasskeyPages(backend, sheets)),
            *_issuer_routes(backend, sheets),
        ],
        ACCOUNT_HEADERS,
    )


def _passkey_routes(pages: PasskeyPages) -> Sequence[BaseRoute]:
    scripted = {
        "/passkeys/add/options": pages.ask_to_add,
        "/passkeys/add": pages.add,
        "/passkeys/sign-in/options": pages.ask_to_sign_in,
        "/passkeys/sign-in": pages.sign_in,
        "/passkeys/prove/options": pages.ask_to_prove,
        "/passkeys/prove": pages.prove,
    }
    return [
        Route("/passkeys", pages.show, methods=["GET"]),
        Route("/passkeys/{passkey}/remove", pages.remove, methods=["POST"]),
        *(Route(path, pages.in_json(call), methods=["POST"]) for path, call in scripted.items()),
    ]


def _issuer_routes(backend: Backend, sheets: Renderer) -> Sequence[BaseRoute]:
    if backend.issuer is None or backend.options.issuer is None:
        return []
    pages = IssuerPages(backend, sheets, backend.issuer, backend.options.issuer.name)
    return [
        Route("/oidc", pages.leave, methods=["POST"]),
        Route("/oidc/callback", pages.come_back, methods=["GET"]),
        Route("/oidc/refused", pages.refused, methods=["GET"]),
        Route("/oidc/no-account", pages.no_account, methods=["GET"]),
    ]


def _application(sheets: Renderer, routes: Sequence[BaseRoute], headers: Mapping[str, str]) -> Starlette:
    errors = Errors(sheets)
    app = Starlette(
        routes=routes,
        middleware=[Middleware(PrivatePages, headers=headers), Middleware(LastResort, answer=errors.away)],
        exception_handlers={HandoverError: errors.handover_error, HTTPException: errors.http_error},
    )
    app.router.redirect_slashes = False  # it would lead to whatever host the call names, with the token in the address
    return app
