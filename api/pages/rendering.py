"""Renders the templates in the reader's language, remembers which one they chose, and draws QR codes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, assert_never

import segno
from babel import Locale
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from ua_parser import parse

from api.pages.english import ENGLISH
from api.pages.french import FRENCH
from api.pages.german import GERMAN
from api.pages.words import Ending, Words
from domain.languages import Language, days_between, deleted_account, duration, language_of, moment, negotiate, wishes
from domain.support import Audience, SupportLine
from persistence.links.link_reads import LinkView
from persistence.people.callers import Caller
from persistence.views.names import Names


def _words_of(language: Language) -> Words:
    match language:
        case Language.ENGLISH:
            return ENGLISH
        case Language.FRENCH:
            return FRENCH
        case Language.GERMAN:
            return GERMAN
        case _:
            assert_never(language)


WORDS: Final[Mapping[Language, Words]] = {language: _words_of(language) for language in Language}
#: The cookie that holds the language which the reader chose; it goes with the browser's session.
CHOICE: Final = "handover_language"
_LOOKS: Final = frozenset({"GET", "HEAD"})


def _own_name(language: Language) -> str:
    """Give a language's name in the language itself: `Français`."""
    return (Locale(language.value).display_name or language.value).capitalize()


def _when(line: SupportLine, words: Words) -> str:
    """Say when there is help, and how soon an answer."""
    said, hours = [words.support.always], line.hours
    if hours is not None:
        times = {"opens": f"{hours.opens:%H:%M}", "closes": f"{hours.closes:%H:%M}", "zone": hours.zone}
        said = [words.support.hours.format(days=days_between(hours.days, words.language), **times)]
    if line.answers_within is not None:
        said.append(words.support.answers.format(span=duration(line.answers_within, words.language)))
    return " · ".join(said)


def _browser(said: str) -> str:
    """Name a browser, and what it runs on, by what it says of itself: `Firefox · Android`."""
    read = parse(said)
    return " · ".join(part.family for part in (read.user_agent, read.os) if part) or said


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(moment=moment, duration=duration, when=_when, browser=_browser, own_name=_own_name)


class Renderer:
    """Everything that a page is made of, but for what it is about."""

    def __init__(self, *, secure: bool, support: Mapping[Audience, SupportLine]) -> None:
        """Take whether cookies are `secure`: those are never sent without TLS; and where people find help."""
        self._secure = secure
        self._support = support

    def words(self, request: Request, link: LinkView | None = None, here: Caller | None = None) -> Words:
        """Give the words in the language of the reader, who opened a link, or is signed in, or neither.

        That is the one they chose, else the language of their account, else what their browser asks for, else the
        sender's: somebody without an account is likely to share it.
        """
        return WORDS[
            language_of(
                request.query_params.get("lang"),
                request.cookies.get(CHOICE),
                link.locale if link else here.locale if here else None,
                *wishes(request.headers.get("accept-language", "")),
                link.sender_locale if link else None,
            )
        ]

    def page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        *,
        link: LinkView | None = None,
        here: Caller | None = None,
        again: str = "",
        **values: Any,
    ) -> Response:
        """Render a page; what answers a form is found `again` at that address, in another language too."""
        words = self.words(request, link, here)
        link, values = _without_gaps(words.language, link, values)
        others = [language for language in Language if language is not words.language]
        address = "" if request.method in _LOOKS else again
        shared = {
            "words": words,
            "others": others,
            "address": address,
            "support": self._support,
            "shown_at": request.url.path,
        }
        text = _TEMPLATES.get_template(template).render(link=link, here=here, **shared, **values)
        answer = HTMLResponse(text, status, headers={"Content-Language": words.language.value})
        return self._remember(request, answer)

    def ending(
        self, request: Request, ending: Ending, status: int = 200, *, good: bool = False, **more: Any
    ) -> Response:
        """Render a page on which there is nothing left to press."""
        return self.page(request, "ending.html", status, ending=ending, good=good, **more)

    def redirect(self, request: Request, path: str) -> Response:
        """Lead to another of our pages, by a path: the host is whatever the browser has reached us by."""
        return self._remember(request, RedirectResponse(path, 303))

    def _remember(self, request: Request, answer: Response) -> Response:
        """Keep the language that the reader has just chosen, if so."""
        if chosen := negotiate(request.query_params.get("lang")):
            answer.set_cookie(CHOICE, chosen.value, path="/", secure=self._secure, httponly=True, samesite="lax")
        return answer


def _without_gaps(
    language: Language, link: LinkView | None, values: dict[str, Any]
) -> tuple[LinkView | None, dict[str, Any]]:
    """Say of those who were erased that their account is deleted, where a page would show their names."""
    nobody = deleted_account(language)
    link = replace(link, sender=link.sender or nobody) if link else None
    names = values.get("names")
    return link, values | ({"names": names.filled(nobody)} if isinstance(names, Names) else {})


def qr_code(address: str) -> Markup:
    """Draw an address as a QR code: SVG to be put into a page, black on white in any colour scheme."""
    code = segno.make(address, error="m", micro=False)
    return Markup(code.svg_inline(omitsize=True, light="#fff", dark="#000", svgclass=None, lineclass=None))  # noqa: S704 - the drawing holds no text
