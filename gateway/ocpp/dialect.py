"""What a charger can be told, whichever version of OCPP it speaks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import ModuleType
from typing import Any, ClassVar, Final

from domain.keys import KeyAnswer
from gateway.ocpp.line import CallNotSupported, CallRefused, Handler, Line
from persistence.charging import Running
from persistence.local_lists import ListLimits, ListOrder


class Outcome(StrEnum):
    """How a command ended that the charger answered."""

    DONE = "done"
    SCHEDULED = "scheduled"
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    STALE = "stale"
    """The charger has a newer list already: a higher version is wanted."""


#: What the statuses of the answers say, alike in every version.
_OUTCOMES: Final = {
    "Accepted": Outcome.DONE,
    "Scheduled": Outcome.SCHEDULED,
    "Rejected": Outcome.REJECTED,
    "NotSupported": Outcome.NOT_SUPPORTED,
    "VersionMismatch": Outcome.STALE,
}


class Dialect(ABC):
    """One connected charger. Every command raises NotConnected, NoAnswer or CallRefused where it got no result."""

    VERSION: ClassVar[str]
    RESULTS: ClassVar[ModuleType]
    """The library's results of this version."""

    def __init__(self, line: Line, handlers: Mapping[str, Handler]) -> None:
        """Tell over `line`; `handlers` take what the charger sends."""
        self._line = line
        self._handlers = handlers

    async def listen(self) -> None:
        """Handle what the charger sends until its socket is closed."""
        await self._line.listen(self._handlers)

    @abstractmethod
    async def quiet(self, stop: Sequence[Running]) -> Outcome:
        """Make it inoperative, and stop the sessions of `stop`."""

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
    async def forget(self, former: Sequence[str]) -> None:
        """Make it forget the tags it remembers by itself, what it keeps of the `former` ones, and charging profiles."""

    @abstractmethod
    async def send_key(self, key: str) -> KeyAnswer:
        """Give it its new key. Raises nothing: no answer, or a lost socket, is `unknown`."""

    @abstractmethod
    async def restart(self) -> Outcome:
        """Restart it, gently: a running session is ended properly and its report kept."""

    async def _tell(self, request: Any) -> Outcome:
        """Send a call whose answer is a status; `Failed`, and a call it does not know, count as told."""
        try:
            status = (await self._line.ask(request)).status
        except CallNotSupported:
            return Outcome.NOT_SUPPORTED
        if status == "Failed":
            raise CallRefused(f"The charger could not carry out {type(request).__name__}.")
        return _OUTCOMES.get(status, Outcome.REJECTED)
