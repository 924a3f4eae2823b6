"""What a transfer writes to people about."""

from enum import StrEnum


class Subject(StrEnum):
    """What a letter of a transfer is about; whom it goes to and what it says follows from how the transfer stands."""

    ASKED = "asked"
    """The question to whoever must decide, and its reminders."""
    REQUESTED = "requested"
    """To a present owner who did not ask."""
    ACCEPTED = "accepted"
    """To the sender and the present owner: the recipient has."""
    ENDED = "ended"
    SETTLED = "settled"
    """What it had left to do at the charger is done."""
    NEW_KEY = "new_key"
    """To the new owner, who is to type a key into the charger."""
