"""What a one-time code is, and what may be wrong with one: each its own refusal, so that a page can say it."""

from datetime import timedelta
from typing import Final

from domain.errors import AlreadyDecided, InvalidRequest, RateLimited, TooLate

DIGITS: Final = 6
VALID_FOR: Final = timedelta(minutes=10)
#: So often a code may be typed wrongly.
TRIES: Final = 5


class NotACode(InvalidRequest):
    """What was typed can't be a code; it costs no try."""

    def __init__(self, digits: int) -> None:
        """Say how many digits a code has."""
        super().__init__(f"Type the {digits} digits of the code that we sent you.")
        self.digits = digits


class WrongCode(InvalidRequest):
    """Another code was sent."""

    def __init__(self, left: int) -> None:
        """Say how many tries are left: 1 or more."""
        tries = "1 try" if left == 1 else f"{left} tries"
        super().__init__(f"That code is not the right one; look at the latest message. {tries} left.")
        self.left = left


class TriesUsedUp(RateLimited):
    """The latest code takes no further try."""

    def __init__(self, tries: int) -> None:
        """Say how many wrong ones there were."""
        super().__init__(f"{tries} wrong codes were typed; ask for a new one.")
        self.tries = tries


class CodesUsedUp(RateLimited):
    """No further code is sent for the link."""

    def __init__(self, codes: int) -> None:
        """Say how many were sent."""
        super().__init__(f"{codes} codes were sent already; use the last one, or ask for a new link.")
        self.codes = codes


class CodeExpired(TooLate):
    """The latest code is too old."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("That code has expired; ask for a new one.")


class NoCodeSent(TooLate):
    """There is no code to compare with."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("No code was sent yet; ask for one.")


class CodeUsed(AlreadyDecided):
    """The code has given its one answer, and that was another."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("That code was used for another answer; ask for a new one.")
