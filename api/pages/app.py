"""The pages as an application of their own: addresses, headers, and errors told to people."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from fastapi import FastAPI
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
from api.pages.points import PointPages
from api.pages.rendering import Renderer
from api.pages.signing_in import SigningIn
from api.pages.starting import StartPages
from api.pages.transfers import TransferPages
from api.pages.visitors import SIGN_IN, NotSignedIn, Visitors
from api.pages.words import Ending
from api.problems import RETRY_AFTER_SECONDS, headers_of, note_away, status_of
from domain.errors import ErrorCode, HandoverError

STATIC: Final = Path(__file__).parent / "static"

#: A page shows what is its reader's alone: it may not be kept, framed, or read by others' scripts, nor, where a link
#: opens it, nor, as no answer's, be passed on by a
#: referrer (SecurityHeaders). A QR code needs no more: it is drawn within the page.
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Errors:
    """Tells the errors that no page tells itself."""

    def __init__(self, sheets: Renderer, visitors: Visitors | None = None) -> None:
        """Take what renders a page, and who is signed in, where the pages are for those."""
        self._sheets = sheets
        self._visitors = visitors

    def away(self, request: Request) -> Response:
        """Say that something does not answer."""
        answer = self._sheets.ending(request, self._sheets.words(request).away, 503)
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return answer

    async def handover_error(self, request: Request, error: Exception) -> Response:
        """Answer an unknown link, one that is not open in this browser, a part that is away."""
        error = cast(HandoverError, error)  # registered for nothing else
        note_away(error)
        if isinstance(error, NotSignedIn) and self._visitors:
            return self._sign_in(request, self._visitors)
        words = self._sheets.words(request)
        if error.code is ErrorCode.UNAVAILABLE:
            return self.away(request)
        endings: dict[type, Ending] = {NotOpened: words.not_opened, FromElsewhere: words.from_elsewhere}
        answer = await self._told(request, endings.get(type(error)), status_of(error))
        answer.headers.update(headers_of(error))
        return answer

    def _sign_in(self, request: Request, visitors: Visitors) -> Response:
        """Lead to where people sign in, and let the browser keep where they wanted to go."""
        answer = self._sheets.redirect(request, SIGN_IN)
        if request.method in {"GET", "HEAD"}:
            visitors.keep_back(answer, request.url.path)
        return answer

    async def http_error(self, request: Request, error: Exception) -> Response:
        """Answer an unknown path and a wrong method."""
        error = cast(HTTPException, error)  # registered for nothing else
        answer = await self._told(request, None, error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    async def _told(self, request: Request, ending: Ending | None, status: int) -> Response:
        """Render what there is to say; None: there is nothing at this address for the reader."""
        visitor = await self._visitors.find(request) if self._visitors else None
        here = visitor.caller if visitor else None
        words = self._sheets.words(request, here=here)
        ending = ending or (words.account.not_here if self._visitors else words.unknown)
        return self._sheets.ending(request, ending, status, here=here, back=request.url.path)


class PrivatePages:
    """Puts the headers on every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_pages(backend: Backend) -> Starlette:
    """Build the pages under /t."""
    origin = backend.options.origin
    sheets = Renderer(secure=backend.options.secure, support=backend.options.support)
    pages = ApprovalPages(backend, sheets, Visitors(backend), origin)
    return _application(
        sheets,
        [
            Route("/{token}", pages.open, methods=["GET"]),
            Route("/{token}/", pages.open, methods=["GET"]),
            Route("/of/{link}", pages.show, methods=["GET"]),
            Route("/of/{link}/deadline.ics", pages.deadline, methods=["GET"]),
            Route("/of/{link}/code", pages.code_form, methods=["GET"]),
            Route("/of/{link}/code", pages.send_code, methods=["POST"]),
            Route("/of/{link}/{answer}", pages.back, methods=["GET"]),
            Route("/of/{link}/{answer}", pages.decide, methods=["POST"]),
        ],
    )


def mount_account_pages(app: FastAPI, backend: Backend) -> None:
    """Put the pages of who is signed in, and those for signing in, into the application."""
    sheets = Renderer(secure=backend.options.secure, support=backend.options.support)
    visitors = Visitors(backend)
    signing_in = SigningIn(backend, sheets, visitors)
    points = PointPages(backend, sheets, visitors)
    start = StartPages(backend, sheets, visitors)
    transfers = TransferPages(backend, sheets, visitors)
    rooms: dict[str, Sequence[BaseRoute]] = {
        "/account": [
            Route("/sign-in", signing_in.ask, methods=["GET"]),
            Route("/sign-in", signing_in.send_code, methods=["POST"]),
            Route("/code", signing_in.code_form, methods=["GET"]),
            Route("/code", signing_in.enter, methods=["POST"]),
            Route("/sign-out", signing_in.sign_out, methods=["POST"]),
            Route("/sign-ins", signing_in.show, methods=["GET"]),
            Route("/sign-ins/end-others", signing_in.end_others, methods=["POST"]),
            Route("/sign-ins/{sign_in}/end", signing_in.end_one, methods=["POST"]),
            *_passkey_routes(PasskeyPages(backend, sheets, visitors)),
            *_issuer_routes(backend, sheets, visitors),
        ],
        "/charge-points": [
            Route("/{point}", points.show, methods=["GET"]),
            Route("/{point}/settings", points.settings, methods=["GET"]),
            Route("/{point}/identify", points.identify, methods=["POST"]),
            Route("/{point}/key", points.new_key, methods=["POST"]),
            Route("/{point}/transfer", start.options, methods=["GET"]),
            Route("/{point}/transfer/{kind}", start.form, methods=["GET"]),
            Route("/{point}/transfer/{kind}", start.check, methods=["POST"]),
            Route("/{point}/transfer/{kind}/start", start.back, methods=["GET"]),
            Route("/{point}/transfer/{kind}/start", start.start, methods=["POST"]),
        ],
        "/transfers": [
            Route("/{transfer}", transfers.show, methods=["GET"]),
            Route("/{transfer}/progress", transfers.progress, methods=["GET"]),
            Route("/{transfer}/deadline.ics", transfers.deadline, methods=["GET"]),
            Route("/{transfer}/{act}", transfers.back, methods=["GET"]),
            Route("/{transfer}/{act}", transfers.decide, methods=["POST"]),
        ],
    }
    for path, routes in rooms.items():
        app.mount(path, _application(sheets, routes, visitors))
    for route in (Route("/", points.home), Route("/transfers", transfers.list)):  # a mount's own path is not its own
        app.router.routes.append(Route(route.path, _application(sheets, [route], visitors)))


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
        Route("/passkeys", pages.prove_by_code, methods=["POST"]),
        Route("/passkeys/{passkey}/remove", pages.remove, methods=["POST"]),
        *(Route(path, pages.in_json(call), methods=["POST"]) for path, call in scripted.items()),
    ]


def _issuer_routes(backend: Backend, sheets: Renderer, visitors: Visitors) -> Sequence[BaseRoute]:
    if backend.issuer is None or backend.options.issuer is None:
        return []
    pages = IssuerPages(backend, sheets, visitors, backend.issuer, backend.options.issuer.name)
    return [
        Route("/oidc", pages.leave, methods=["POST"]),
        Route("/oidc/callback", pages.come_back, methods=["GET"]),
        Route("/oidc/refused", pages.refused, methods=["GET"]),
        Route("/oidc/no-account", pages.no_account, methods=["GET"]),
    ]


def _application(sheets: Renderer, routes: Sequence[BaseRoute], visitors: Visitors | None = None) -> Starlette:
    errors = Errors(sheets, visitors)
    app = Starlette(
        routes=routes,
        middleware=[Middleware(PrivatePages), Middleware(LastResort, answer=errors.away)],
        exception_handlers={HandoverError: errors.handover_error, HTTPException: errors.http_error},
    )
    app.router.redirect_slashes = False  # it would lead to whatever host the call names, with the token in the address
    return app
