"""What lets somebody charge: a tag is its value and its type together."""

from enum import StrEnum
from typing import Final

#: Characters that a tag has at most, in any version of OCPP.
LONGEST_TAG: Final = 36


class TagType(StrEnum):
    """OCPP 2.0.1's IdTokenEnumType; OCPP 1.6 has no types, and means any of them."""

    CENTRAL = "Central"
    EMAID = "eMAID"
    ISO14443 = "ISO14443"
    ISO15693 = "ISO15693"
    KEY_CODE = "KeyCode"
    LOCAL = "Local"
    MAC_ADDRESS = "MacAddress"
    NO_AUTHORIZATION = "NoAuthorization"
    """Nobody is named: whether that may charge, its group says."""
