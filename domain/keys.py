"""The keys with which chargers authenticate: who may know one, and what it was made for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class KnownTo(StrEnum):
    """Who may know a key."""

    PEOPLE = "people"
    """It was imported, shown or typed, or it was sent over more than one connection: somebody may have read it."""
    CHARGER = "charger"
    """It was made here, sent over one and the same connection only, and proven: we know what was connected then."""


class KeyPurpose(StrEnum):
    """What a key was made for."""

    GIVEN = "given"
    """With the charge point, by an import."""
    TYPED = "typed"
    """To be typed into the charger by its owner, who was shown it."""
    ENROLMENT = "enrolment"
    """To replace a key that people know by one that only the charger does."""
    ROTATION = "rotation"
    """Its owner asked for a fresh one in place of one that only the charger knew."""
    TRANSFER = "transfer"
    """The charge point has changed hands."""


#: Keys that replace a present owner's own: until their proof the old key opens what it always did.
OWN: Final = frozenset({KeyPurpose.ENROLMENT.value, KeyPurpose.ROTATION.value})


@dataclass(frozen=True)
class KeyInUse:
    """What people may be told of the key that a charger uses now: never the key."""

    known_to: KnownTo
    since: datetime
    """When the charger first came with it; of one that no charger was seen to take, when it was made."""
    open_line: bool
    """It was sent over `ws`: whoever sees the network has read it."""
    serials: tuple[str, ...]
    """The serial numbers that were named by what it was sent to; none where it was sent to nothing."""
