"""What stands round the whole application: who calls, headers, the limit of a body, the last resort for an error."""

import logging
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.proxies import Proxies

log = logging.getLogger(__name__)


#: What every answer has that does not say otherwise (OWASP's cheat sheet on HTTP headers).
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
#: What only its caller may know is kept by nobody on the way.
_PRIVATE: Final = "/v1/"
_YEAR: Final = timedelta(days=365)


class TrueClient:
    """Names as the client of a call who made it, where it came through proxies that are trusted.

    Nothing else that they say is taken: neither host nor scheme of a call play a part in an answer.
    """

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        """Wrap `app`."""
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] == "http" and scope.get("client"):
            peer, port = scope["client"]
            client = self._proxies.client(peer, Headers(scope=scope).getlist(self._proxies.header))
            scope["client"] = (client, port if client == peer else 0)
        await self._app(scope, receive, send)


class SecurityHeaders:
    """Puts headers on every answer, errors included."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        """Wrap `app`; `secure`: callers reach it over TLS alone, and are to go on so (RFC 6797)."""
        self._app = app
        self._headers = dict(_HEADERS)
        if secure:
            self._headers["Strict-Transport-Security"] = f"max-age={int(_YEAR.total_seconds())}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = self._headers | ({"Cache-Control": "no-store"} if scope["path"].startswith(_PRIVATE) else {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class _Left:
    """The caller is gone, and with them the rest of what they wanted: the part that came may say another thing."""


class BodyLimit:
    """Reads a body whole before anybody else sees it, and refuses one that is too large."""

    def __init__(self, app: ASGIApp, limit: int, refuse: Callable[[int], Response]) -> None:
        """Take the limit in bytes, and what renders the refusal."""
        self._app = app
        self._limit = limit
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Request(scope).headers.get("content-length", "0")
        body = await self._read(receive) if announced.isdecimal() and int(announced) <= self._limit else None
        if body is None:
            await self._refuse(self._limit)(scope, receive, send)
            return
        if isinstance(body, _Left):
            await Response(status_code=HTTPStatus.REQUEST_TIMEOUT)(scope, receive, send)  # for our numbers
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | _Left | None:
        """Give the body, None as soon as it is too large."""
        body = b""
        while len(body) <= self._limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _Left()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                return body if len(body) <= self._limit else None
        return None


class LastResort:
    """Turns an error that nobody foresaw into an answer; its trace goes to the log only."""

    def __init__(self, app: ASGIApp, answer: Callable[[Request], Response]) -> None:
        """Take what renders the answer to a request."""
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            # the path may hold a link's token, so only what kind of call it was is told
            log.exception("unexpected %s in a %s", type(error).__name__, scope["method"])
            await self._answer(Request(scope))(scope, receive, send)
