"""How people are signed in at the pages, and for how long."""

from datetime import datetime, timedelta
from typing import Final

from domain.errors import AlreadyDecided, NotAllowed

#: A sign-in ends so long after it began, and so long after it was last used.
LASTS: Final = timedelta(days=30)
IDLE: Final = timedelta(days=7)
#: That it is used is written no more often than this.
NOTED_EVERY: Final = timedelta(minutes=5)
#: So long after somebody proved who they are they may do what can't be undone.
PROOF_LASTS: Final = timedelta(minutes=10)
#: So much is kept of what a browser says that it is.
LONGEST_BROWSER: Final = 200


class NotProvenLately(NotAllowed):
    """What is asked for takes a proof of who asks that is not older than PROOF_LASTS."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("Prove who you are anew: sign in again.")


class CodeSpent(AlreadyDecided):
    """The code has signed somebody in already."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("That code was used already; ask for a new one.")


def is_fresh(proven_at: datetime, now: datetime) -> bool:
    """Whether a proof of who somebody is still counts for what can't be undone."""
    return now - proven_at < PROOF_LASTS
