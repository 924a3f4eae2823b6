"""What can be wrong with a simulated charge point: each a thing that a real one was seen to do."""

from enum import StrEnum


class Fault(StrEnum):
    """A way of answering a new key."""

    REJECT_KEY = "reject-key"
    """Rejects it."""
    LOSE_REPLY = "lose-reply"
    """Takes it, never answers, drops the connection, comes back with it."""
    REBOOT_REQUIRED = "reboot-required"
    """Takes it at its next restart."""
    DECODE_HEX = "decode-hex"
    """Authenticates with the bytes that the hex digits stand for."""
    LIE = "lie"
    """Accepts it and goes on with the old one for ever."""
    NOT_SUPPORTED = "not-supported"
    """Has no such setting."""
