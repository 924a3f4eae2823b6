"""The languages that people are written to: which one somebody reads, and how times are written in it."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from babel import Locale, negotiate_locale
from babel.dates import format_datetime
from babel.units import format_unit

from domain.support import DAYS


class Language(StrEnum):
    """A language that letters and pages are written in."""

    ENGLISH = "en"
    FRENCH = "fr"
    GERMAN = "de"


DEFAULT: Final = Language.ENGLISH
#: What one part of an Accept-Language header may be: a language range, and perhaps its weight.
_WISH: Final = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:\s*;\s*q=([01](?:\.[0-9]{0,3})?))?")
#: The units of a length of time, in minutes, the largest first.
_UNITS: Final = (("duration-day", 24 * 60), ("duration-hour", 60), ("duration-minute", 1))


def negotiate(*locales: str | None) -> Language | None:
    """Give the language of the first locale (`fr-CA`, `fr_FR`, `fr`) that there is a language for; None for none."""
    found = negotiate_locale([locale.strip().replace("-", "_") for locale in locales if locale], list(Language))
    return Language(found.lower()) if found else None


def language_of(*locales: str | None) -> Language:
    """Give the language to write to somebody in; English where none of the locales says another one."""
    return negotiate(*locales) or DEFAULT


def wishes(accept_language: str) -> list[str]:
    """List the locales of an Accept-Language header, the dearest first; nonsense and what is unwanted is left out."""
    read = [match for part in accept_language.split(",") if (match := _WISH.fullmatch(part.strip()))]
    weighed = [(float(match[2] or 1), match[1]) for match in read]
    return [locale for weight, locale in sorted(weighed, key=lambda wish: -wish[0]) if weight > 0]


def moment(at: datetime, language: Language) -> str:
    """Write a time in UTC, with its weekday: `Sunday 29 November 2026, 18:05 UTC`."""
    utc = at.astimezone(UTC)
    return format_datetime(utc, _pattern(language, utc.day), tzinfo=UTC, locale=language.value)


def _pattern(language: Language, day: int) -> str:
    """Give how a moment on the `day`-th of a month is written, as a date pattern of Unicode's."""
    match language:
        case Language.ENGLISH:
            return "EEEE d MMMM y, HH:mm 'UTC'"
        case Language.FRENCH:
            first = "'1er'" if day == 1 else "d"
            return f"EEEE {first} MMMM y 'à' HH:mm 'UTC'"
        case Language.GERMAN:
            return "EEEE, d. MMMM y, HH:mm 'Uhr UTC'"
        case _:
            assert_never(language)


def deleted_account(language: Language) -> str:
    """Write what stands for the name of somebody who was erased."""
    match language:
        case Language.ENGLISH:
            return "deleted account"
        case Language.FRENCH:
            return "compte supprimé"
        case Language.GERMAN:
            return "gelöschtes Konto"
        case _:
            assert_never(language)


def duration(length: timedelta, language: Language) -> str:
    """Write a length of time in the largest unit of which it is whole: `7 days`, `36 hours`, `90 minutes`."""
    minutes = round(length.total_seconds() / 60)
    unit, size = next(pair for pair in _UNITS if minutes % pair[1] == 0)
    return str(format_unit(minutes // size, unit, locale=language.value))


def hour(at: datetime) -> str:
    """Write the time of day in UTC: `18:05 UTC`, the same in every language."""
    return f"{at.astimezone(UTC):%H:%M} UTC"


def days_between(days: str, language: Language) -> str:
    """Write days of the week, given as `mon-fri`, as people do; of a single day that one."""
    names = Locale(language.value).days["stand-alone"]["abbreviated"]
    first, last = (str(names[DAYS.index(day)]).rstrip(".") for day in days.split("-"))
    return first if first == last else f"{first}\u2013{last}"
