"""What may stand in a line that people read: nothing that they can't see, or that turns what stands beside it."""

import unicodedata
from typing import Final

#: Joiners that scripts need; every other invisible character may hide or turn text.
_JOINERS: Final = frozenset("\u200c\u200d")
#: Blanks that Unicode counts among the letters and symbols.
_FILLERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_printable(text: str) -> bool:
    """Whether a text is one line of characters that are seen; also of none."""
    return not any(
        letter in _FILLERS or (unicodedata.category(letter) in _UNPRINTABLE and letter not in _JOINERS)
        for letter in text
    )


def is_blank(text: str) -> bool:
    """Whether nothing of a printable text is seen."""
    return all(unicodedata.category(letter)[0] in "CMZ" for letter in text)
