"""Serves the page, and what it is made of: under a path that changes with it, so that browsers keep it."""

import gzip
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Annotated, Final

from fastapi import APIRouter, Header, HTTPException, Response
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_HERE: Final = Path(__file__).parent
_KINDS: Final = {"scalar/scalar.js": "text/javascript", "page.js": "text/javascript", "page.css": "text/css"}
_VERSION: Final = sha256(b"".join((_HERE / name).read_bytes() for name in _KINDS)).hexdigest()[:16]
_PAGE: Final = Template((_HERE / "page.html").read_text()).substitute(files=f"/docs/{_VERSION}")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; "  # Scalar writes styles of its own
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_KEPT: Final = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


@router.get("/docs")
async def page() -> HTMLResponse:
    """Show the OpenAPI document."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get("/docs/{version}/{name:path}")
def file(version: str, name: str, accept_encoding: Annotated[str, Header()] = "") -> Response:
    """Give what the page is made of."""
    if version != _VERSION or name not in _KINDS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if "gzip" in accept_encoding:
        return Response(_packed(name), headers=_KEPT | {"Content-Encoding": "gzip"}, media_type=_KINDS[name])
    return Response((_HERE / name).read_bytes(), headers=_KEPT, media_type=_KINDS[name])


@cache
def _packed(name: str) -> bytes:
    """Pack a file, once in a process: the largest takes longer than a call may."""
    return gzip.compress((_HERE / name).read_bytes(), mtime=0)
