"""What a charger can be told, whichever version of OCPP it speaks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar, Final

from domain.charger import CommandOutcome, KeyAnswer, OcppVersion
from gateway.ocpp.line import CallNotSupported, CallRefused, Handler, Line
from persistence.chargers.charging import Running
from persistence.chargers.local_lists import ListLimits, ListOrder

#: What the statuses of the answers say, alike in every version.
_OUTCOMES: Final = {
    "Accepted": CommandOutcome.DONE,
    "Scheduled": CommandOutcome.SCHEDULED,
    "Rejected": CommandOutcome.REJECTED,
    "NotSupported": CommandOutcome.NOT_SUPPORTED,
    "VersionMismatch": CommandOutcome.STALE,
}


class Dialect(ABC):
    """One connected charger. Every command raises NotConnected, NoAnswer or CallRefused where it got no result."""

    VERSION: ClassVar[OcppVersion]
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
    async def quiet(self, stop: Sequence[Running]) -> CommandOutcome:
        """Make it inoperative, and stop the sessions of `stop`."""

    @abstractmethod
    async def release(self) -> CommandOutcome:
        """Make it operative."""

    @abstractmethod
    async def limits(self) -> ListLimits:
        """Ask how much of a local list it takes, and which version it has."""

    @abstractmethod
    async def send_list(self, order: ListOrder) -> CommandOutcome:
        """Replace its local list."""

    @abstractmethod
    async def forget(self, former: Sequence[str]) -> None:
        """Make it forget the tags it remembers by itself, what it keeps of the `former` ones, and charging profiles."""

    @abstractmethod
    async def send_key(self, key: str) -> KeyAnswer:
        """Give it its new key. Raises nothing: no answer, or a lost socket, is `unknown`."""

    @abstractmethod
    async def restart(self) -> CommandOutcome:
        """Restart it, gently: a running session is ended properly and its report kept."""

    async def _tell(self, request: Any) -> CommandOutcome:
        """Send a call whose answer is a status; `Failed`, and a call it does not know, count as told."""
        try:
            status = (await self._line.ask(request)).status
        except CallNotSupported:
            return CommandOutcome.NOT_SUPPORTED
        if status == "Failed":
            raise CallRefused(f"The charger could not carry out {type(request).__name__}.")
        return _OUTCOMES.get(status, CommandOutcome.REJECTED)
