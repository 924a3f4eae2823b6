"""What a charger can be told, whichever version of OCPP it speaks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum

from persistence.credentials import KeyAnswer
from persistence.local_lists import ListLimits, ListOrder


class Outcome(StrEnum):
    """How a command ended that the charger answered."""

    DONE = "done"
    SCHEDULED = "scheduled"
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    STALE = "stale"
    """The charger has a newer list already: a higher version is wanted."""


class Dialect(ABC):
    """One connected charger. Every command raises NotConnected, NoAnswer or CallRefused where it got no result."""

    @abstractmethod
    async def listen(self) -> None:
        """Handle what the charger sends until its socket is closed."""

    @abstractmethod
    async def quiet(self, stop: Sequence[int]) -> Outcome:
        """Make it inoperative, and stop the sessions with the transaction ids `stop`."""

    @abstractmethod
    async def release(self) -> Outcome:
        """Make it operative."""

    @abstractmethod
    async def limits(self) -> ListLimits:
        """Ask how much of a local list it takes, and which version it has."""

    @abstractmethod
    async def send_list(self, order: ListOrder) -> Outcome:
        """Replace its local list."""

    @abstractmethod
    async def forget(self) -> None:
        """Make it forget the tags it remembers by itself, and its owner's charging profiles."""

    @abstractmethod
    async def send_key(self, key: str) -> KeyAnswer:
        """Give it its new key. Raises nothing: no answer, or a lost socket, is `unknown`."""

    @abstractmethod
    async def restart(self) -> Outcome:
        """Restart it, gently: a running session is ended properly and its report kept."""
