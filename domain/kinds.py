"""The kinds of transfer."""

from enum import StrEnum


class TransferKind(StrEnum):
    """The three kinds of transfer."""

    MOVE_TO_GROUP = "move_to_group"
    TRANSFER_OWNERSHIP = "transfer_ownership"
    TRANSFER_TO_USER = "transfer_to_user"
