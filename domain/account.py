"""What somebody types to open an account: a name, and the language that they are written to in."""

import re
import unicodedata
from typing import Final

from domain.errors import InvalidRequest
from domain.printable import is_printable

LONGEST_NAME: Final = 120
_LOCALE: Final = re.compile(r"[a-z]{2}(-[A-Z]{2})?")


def parse_name(text: str) -> str:
    """Give a name as one printable line of 1 to 120 characters, its blanks single; raises InvalidRequest."""
    name = re.sub(r" +", " ", text).strip()
    if not is_printable(name):
        raise InvalidRequest("The name must be one line without control characters; type it again.")
    if not any(unicodedata.category(letter)[0] in "LN" for letter in name):
        raise InvalidRequest("Type your name; it needs at least one letter.")
    if len(name) > LONGEST_NAME:
        raise InvalidRequest(f"The name is longer than {LONGEST_NAME} characters; shorten it.")
    return name


def parse_locale(text: str) -> str:
    """Check a language like `fr`, or one with its region like `fr-FR`; raises InvalidRequest."""
    if not _LOCALE.fullmatch(text):
        raise InvalidRequest("The language must be written like fr, or with its region like fr-FR.")
    return text
