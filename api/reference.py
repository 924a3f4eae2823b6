"""The reference page for people, `/docs`: the OpenAPI document, readable without a script."""

import json
import re
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

router = APIRouter(include_in_schema=False)

_CODE: Final = re.compile(r"`([^`]+)`")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _words(text: str) -> Markup:
    """Show paragraphs, with `code` in them."""
    return Markup("").join(Markup("<p>{}</p>").format(_line(part)) for part in text.split("\n\n"))


def _line(text: str) -> Markup:
    """Show a line, with `code` in it."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _written(value: Any) -> str:
    """Write an example: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _kind(schema: dict[str, Any]) -> str:
    """Say in few words what a value may be."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(_kind(one) for one in schema.get("anyOf") or schema["oneOf"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type", "any"))


_PAGES: Final = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_PAGES.filters.update(words=_words, line=_line, written=_written, kind=_kind)


@router.get("/docs")
async def reference(request: Request) -> HTMLResponse:
    """Show the OpenAPI document as a page."""
    text = _PAGES.get_template("reference.html").render(document=request.app.openapi())
    return HTMLResponse(text, headers=_HEADERS)
