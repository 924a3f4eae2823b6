"""How the holder of a link gets in: its token leaves the address bar for a cookie; forms come from our pages only."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from domain.errors import NotAllowed
from persistence.links.link_reads import LinkView

#: The cookie that holds a link's token. Each link has its own: the cookie's path is that of its pages.
COOKIE: Final = "handover_link"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class NotOpened(NotAllowed):
    """The browser does not hold the token of the link whose page it asks for."""


class FromElsewhere(NotAllowed):
    """A form was sent by another site's page."""


def path_of(link: LinkView) -> str:
    """Give the address of a link's page, which anybody may read: it opens nothing by itself."""
    return f"/t/of/{link.id}"


def hand_on(answer: Response, token: str, link: LinkView, *, secure: bool) -> None:
    """Let the browser keep the token, for this link's pages and no longer than the link is good for."""
    left = link.expires_at - datetime.now(UTC) if link.expires_at else None
    answer.set_cookie(
        COOKIE,
        token,
        max_age=max(0, int(left.total_seconds())) if left else None,
        path=path_of(link),
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def token_of(request: Request) -> str:
    """Give the token that the browser holds for this page; raises NotOpened."""
    token = request.cookies.get(COOKIE)
    if not token:
        raise NotOpened("Open the link from the message again.")
    return token


def check_origin(request: Request, origin: str) -> None:
    """Raise FromElsewhere where a browser says that a form was sent by a page that is not ours.

    `Sec-Fetch-Site` says it best. `Origin` is `null` from our own pages, which send no referrer. A browser that sends
    neither sends the token's cookie to forms of our own pages only (SameSite).
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site in {"same-origin", "none"}
    else:
        sent = request.headers.get("origin", "null")
        ours = sent == "null" or _place(sent) == _place(origin)
    if not ours:
        raise FromElsewhere("The form was sent by another site; open the link from the message again.")


def _place(origin: str) -> tuple[str, str | None, int | None] | None:
    """Give scheme, host and port of an origin; None for what is none."""
    try:
        parts = urlsplit(origin)
        return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
