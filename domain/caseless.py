"""How OCPP compares what people type into chargers and onto cards, identities and RFID tags: without regard to case."""

import string
from typing import Final

_UPPER: Final = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


def caseless(text: str) -> str:
    """Give the spelling that all spellings of a text share: a to z in upper case.

    No other letter changes: outside ASCII one letter may become two, or the upper case of somebody else's.
    """
    return text.translate(_UPPER)
