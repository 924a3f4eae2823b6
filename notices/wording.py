"""How values are written in a letter: which language, times in it, and what people typed made harmless."""

import re
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

LONGEST_VALUE: Final = 120
LONGEST_MESSAGE: Final = 2000

#: Joiners that scripts and emoji need; every other invisible formatting character may hide or turn text.
_JOINERS: Final = frozenset("\u200c\u200d")
#: Blanks that become one space; no-break ones stay.
_BLANKS: Final = re.compile(r"[^\S\u00a0\u202f]+")
_MONTHS: Final = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
}
_DAYS: Final = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
}


class Language(StrEnum):
    """The languages that letters are written in."""

    ENGLISH = "en"
    FRENCH = "fr"


def language_of(locale: str) -> Language:
    """Give the language of a locale like `fr-CA` or `fr_FR`; English for any that letters are not written in."""
    language = locale.replace("_", "-").partition("-")[0].strip().lower()
    return Language.FRENCH if language == Language.FRENCH else Language.ENGLISH


def one_line(text: str) -> str:
    """Give what somebody typed as one printable line: fit for a header, unable to forge another one."""
    return _shortened(_BLANKS.sub(" ", _printable(text)).strip(), LONGEST_VALUE)


def lines(text: str) -> list[str]:
    """Give what somebody typed as printable lines, without empty ones at its ends."""
    kept = [_BLANKS.sub(" ", _printable(line)).strip() for line in text.splitlines()]
    return _shortened("\n".join(kept).strip(), LONGEST_MESSAGE).split("\n")


def moment(at: datetime, language: Language) -> str:
    """Write a time in UTC, with its weekday: `Sunday 29 November 2026, 18:05 UTC`."""
    utc = at.astimezone(UTC)
    day = (
        f"{_DAYS[language][utc.weekday()]} {_ordinal(utc.day, language)} {_MONTHS[language][utc.month - 1]} {utc.year}"
    )
    return f"{day} à {utc:%H:%M} UTC" if language is Language.FRENCH else f"{day}, {utc:%H:%M} UTC"


def hour(at: datetime) -> str:
    """Write the time of day in UTC: `18:05 UTC`."""
    return f"{at.astimezone(UTC):%H:%M} UTC"


def _ordinal(day: int, language: Language) -> str:
    return "1er" if language is Language.FRENCH and day == 1 else str(day)


def _printable(text: str) -> str:
    """Replace control characters by spaces and drop invisible formatting (it may reverse what is read)."""
    return "".join(_replaced(character) for character in text)


def _replaced(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp", "Cs"}:
        return " "
    return "" if category == "Cf" and character not in _JOINERS else character


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
