"""What a charger can be told, whichever version of OCPP it speaks, and which of its answers are final."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from types import ModuleType
from typing import Any, ClassVar, Final

from domain.charger import CommandOutcome, KeyAnswer, OcppVersion
from gateway.ocpp.line import CallNotSupported, CallRefused, CallRejected, Handler, Line, NoAnswer
from persistence.chargers.charging import Running
from persistence.chargers.local_lists import Entry

#: What the statuses of the answers say, alike in every version. Each is final: asked again, it would be the same.
_OUTCOMES: Final = {
    "Accepted": CommandOutcome.DONE,
    "Scheduled": CommandOutcome.SCHEDULED,
    "RebootRequired": CommandOutcome.SCHEDULED,
    "Invalid": CommandOutcome.NOT_SUPPORTED,
    "NotSupported": CommandOutcome.NOT_SUPPORTED,
    "UnknownComponent": CommandOutcome.NOT_SUPPORTED,
    "UnknownVariable": CommandOutcome.NOT_SUPPORTED,
    "NotSupportedAttributeType": CommandOutcome.NOT_SUPPORTED,
    "VersionMismatch": CommandOutcome.STALE,
}
#: What a call got that its step can do without: a step is never held up, nor given to an operator, for one of those.
DISPENSABLE: Final = (CallRefused, NoAnswer)


class Setting(Enum):
    """What is read or set at a charger; each version has a name of its own for it."""

    LIST_ENABLED = auto()
    """Whether it heeds its local list."""
    LIST_LENGTH = auto()
    """How many tags the list takes."""
    LIST_PART = auto()
    """How many tags one message takes."""
    LIST_BYTES = auto()
    """How many bytes it takes."""
    UNKNOWN_OFFLINE = auto()
    """Whether a tag that it does not know may charge while it is offline."""
    CACHE_ENABLED = auto()
    """Whether it heeds the tags that it remembers by itself."""


#: After so many in a row without any answer no more of them are made.
_WISHES: Final = 2
#: What a charger says of its settings: None of one that it does not have; one that it was silent about is missing.
Settings = Mapping[Setting, str | None]


class Dialect(ABC):
    """One connected charger. Every command raises NotConnected, NoAnswer or CallRefused where it got no result."""

    VERSION: ClassVar[OcppVersion]
    RESULTS: ClassVar[ModuleType]
    """The library's results of this version."""
    NAMES: ClassVar[Mapping[Setting, str]]
    """How this version names the settings that it has."""
    TAG: ClassVar[int]
    """How many characters a tag has at most."""
    TYPES: ClassVar[bool]
    """Whether it tells tags of one value and several types apart."""

    def __init__(self, line: Line, handlers: Mapping[str, Handler]) -> None:
        """Tell over `line`; `handlers` take what the charger sends."""
        self._line = line
        self._handlers = handlers
        self._unanswered = 0

    def wish_anew(self) -> None:
        """Make dispensable calls again, whatever became of earlier ones."""
        self._unanswered = 0

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
    async def read(self, settings: Iterable[Setting]) -> Settings:
        """Ask for settings. One whose answer can't be had is missing."""

    @abstractmethod
    async def write(self, name: str, value: str, *, dispensable: bool = False) -> CommandOutcome:
        """Set what this version calls `name`; SCHEDULED: it takes effect with a restart."""

    @abstractmethod
    async def list_version(self) -> int:
        """Ask for the version of its local list; 0 where it has none, or does not say."""

    @abstractmethod
    async def send_list(self, version: int, entries: Sequence[Entry], *, full: bool) -> CommandOutcome:
        """Replace its local list, or add to it."""

    @abstractmethod
    async def clear_cache(self) -> CommandOutcome:
        """Make it forget the tags that it remembers by itself."""

    async def forget_customers(self, tags: Sequence[Entry]) -> bool:
        """Make it forget what it keeps of these tags' holders; whether it has. There may be no such call."""
        del tags
        return True

    @abstractmethod
    async def clear_profiles(self) -> Sequence[Mapping[str, Any]]:
        """Make it forget its former owner's charging profiles; gives those that stay: the installation's limits."""

    @abstractmethod
    async def send_key(self, key: str) -> KeyAnswer:
        """Give it its new key. Raises nothing: no answer, or a lost socket, is `unknown`."""

    @abstractmethod
    async def restart(self) -> CommandOutcome:
        """Restart it, gently: a running session is ended properly and its report kept."""

    async def _wish(self, request: Any) -> Any:
        """Send a call that its step can do without: none any more once some in a row got no answer at all.

        So a charger that never answers any of them holds the step up for the time of those few.
        """
        if self._unanswered >= _WISHES:
            raise NoAnswer("The charger does not answer what can be done without.")
        try:
            answer = await self._line.ask(request)
        except NoAnswer:
            self._unanswered += 1
            raise
        except CallRefused:
            self._unanswered = 0
            raise
        self._unanswered = 0
        return answer

    async def _tell(self, request: Any, *, dispensable: bool = False) -> CommandOutcome:
        """Send a call whose answer is a status. An error that would come again is an answer, too."""
        ask = self._wish if dispensable else self._line.ask
        try:
            return outcome_of((await ask(request)).status)
        except CallNotSupported:
            return CommandOutcome.NOT_SUPPORTED
        except CallRejected:
            return CommandOutcome.REJECTED


def outcome_of(status: str) -> CommandOutcome:
    """Say what a status stands for; `Failed`, and one that is not known, is a rejection."""
    return _OUTCOMES.get(status, CommandOutcome.REJECTED)
