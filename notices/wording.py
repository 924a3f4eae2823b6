"""How values are written in a letter: what people typed is made harmless."""

import re
import unicodedata
from typing import Final

LONGEST_VALUE: Final = 120
LONGEST_MESSAGE: Final = 2000

#: Joiners that scripts and emoji need; every other invisible formatting character may hide or turn text.
_JOINERS: Final = frozenset("\u200c\u200d")
#: Blanks that become one space; no-break ones stay.
_BLANKS: Final = re.compile(r"[^\S\u00a0\u202f]+")


def one_line(text: str) -> str:
    """Give what somebody typed as one printable line: fit for a header, unable to forge another one."""
    return _shortened(_BLANKS.sub(" ", _printable(text)).strip(), LONGEST_VALUE)


def lines(text: str) -> list[str]:
    """Give what somebody typed as printable lines, without empty ones at its ends."""
    kept = [_BLANKS.sub(" ", _printable(line)).strip() for line in text.splitlines()]
    return _shortened("\n".join(kept).strip(), LONGEST_MESSAGE).split("\n")


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
