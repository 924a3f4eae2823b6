"""The pages as an application of their own: headers, templates, and errors told to people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.borders import LastResort
from api.dependencies import Parts
from api.pages.approval import ApprovalPages
from api.pages.words import words_for
from api.problems import RETRY_AFTER_SECONDS, headers_of, note_away, status_of
from domain.errors import ErrorCode, HandoverError

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

#: A link opens a decision: it may not be kept, passed on by a referrer, framed, or read by a script.
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Sheets:
    """Renders the templates, and errors with them."""

    def __init__(self) -> None:
        """Load templates from this folder, all of them escaped."""
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """Render a page in the reader's language."""
        words = words_for(request.headers.get("accept-language", ""))
        return HTMLResponse(self._templates.get_template(template).render(words=words, **values), status)

    def away(self, request: Request | None = None) -> Response:
        """Say that something does not answer."""
        request = request or Request({"type": "http", "headers": []})
        words = words_for(request.headers.get("accept-language", ""))
        answer = self.page(request, "ending.html", 503, ending=words.away)
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return answer

    async def handover_error(self, request: Request, error: Exception) -> Response:
        """Answer what the pages do not answer themselves: an unknown link, a part that is away."""
        assert isinstance(error, HandoverError)  # noqa: S101 - registered for nothing else
        note_away(error)
        if error.code is ErrorCode.UNAVAILABLE:
            return self.away(request)
        answer = self._unknown(request, status_of(error))
        answer.headers.update(headers_of(error))
        return answer

    async def http_error(self, request: Request, error: Exception) -> Response:
        """Answer an unknown path and a wrong method."""
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
        answer = self._unknown(request, error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    def _unknown(self, request: Request, status: int) -> Response:
        words = words_for(request.headers.get("accept-language", ""))
        return self.page(request, "ending.html", status, ending=words.unknown)


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


def create_pages(parts: Parts) -> Starlette:
    """Build the pages under /t."""
    sheets = Sheets()
    pages = ApprovalPages(parts, sheets.page)

    return Starlette(
        routes=[
            Route("/{token}", pages.show, methods=["GET"]),
            Route("/{token}/code", pages.code_form, methods=["GET"]),
            Route("/{token}/code", pages.send_code, methods=["POST"]),
            Route("/{token}/{answer}", pages.back, methods=["GET"]),
            Route("/{token}/{answer}", pages.decide, methods=["POST"]),
        ],
        middleware=[Middleware(PrivatePages), Middleware(LastResort, answer=sheets.away)],
        exception_handlers={HandoverError: sheets.handover_error, HTTPException: sheets.http_error},
    )
