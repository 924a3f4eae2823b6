"""Whether whoever a transfer's address leads to can accept it."""

from enum import StrEnum


class Standing(StrEnum):
    """How a recipient stands, as they are asked and as they accept."""

    ACCOUNT = "account"
    """Their account can accept."""
    NO_ACCOUNT = "no_account"
    """No account has the address: as they accept one is opened."""
    UNUSABLE = "unusable"
    """An account has it that is blocked or deleted, or more than one has: nobody can accept by it."""
    OWNER = "owner"
    """The charge point is theirs already."""
