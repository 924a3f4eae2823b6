"""How people are signed in at the pages, and for how long."""

from datetime import timedelta
from typing import Final

from domain.errors import AlreadyDecided

#: A sign-in ends so long after it began, and so long after it was last used.
LASTS: Final = timedelta(days=30)
IDLE: Final = timedelta(days=7)
#: How long who they are counts as proven, for what can't be undone.
PROOF_LASTS: Final = timedelta(minutes=10)
#: That it is used is written no more often than this.
NOTED_EVERY: Final = timedelta(minutes=5)
#: So much is kept of what a browser says that it is.
LONGEST_BROWSER: Final = 200


class CodeSpent(AlreadyDecided):
    """The code has signed somebody in already."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("That code was used already; ask for a new one.")
