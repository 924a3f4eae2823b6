"""The keys with which chargers authenticate: who may know one, and what it was made for."""

from enum import StrEnum


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
