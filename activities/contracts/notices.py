"""Letters."""

from abc import ABC, abstractmethod
from datetime import date
from enum import StrEnum

from activities.contracts.declaring import step
from activities.contracts.messages import Done, Message, TransferRef
from domain.ids import ChargePointId, LinkId
from domain.news import OwnerNews
from domain.transfer import StepName


class Ask(TransferRef):
    """The question to the recipient. `reminder` 0 asks, by the link of `generation`; 1 and on remind, by the newest."""

    generation: int = 1
    reminder: int = 0


class Subject(StrEnum):
    """What the parties are told of."""

    REQUESTED = "requested"
    """To a present owner who did not ask."""
    ACCEPTED = "accepted"
    """To the sender and the present owner: the recipient has."""
    ENDED = "ended"
    SETTLED = "settled"
    """What it had left to do at the charger is done."""
    NEW_KEY = "new_key"
    """To the new owner, who is to type a key into the charger."""


class Tell(TransferRef):
    """A piece of news for the parties; who gets it and what it says follows from the transfer's state."""

    subject: Subject
    reminder: int = 0
    """Of `new_key`: 0 tells, 1 and on remind; each is a letter of its own."""


class SendCode(Message):
    """The `number`-th one-time code of a link."""

    link_id: LinkId
    number: int


class TellOwner(Message):
    """A piece of news of one day about a charge point, for its owner."""

    charge_point_id: ChargePointId
    news: OwnerNews
    day: date
    """In UTC."""
    occasion: str = ""
    """Of news that is told each time: which time. Empty: a day has one letter."""


class Notices(ABC):
    """Letters (`notices.*`): delivered at least once, each with a Message-ID that stays the same."""

    @step("notices.ask", StepName.ASK_RECIPIENT)
    @abstractmethod
    async def ask(self, ask: Ask) -> Done:
        """Send the recipient the approval link; an address without a usable account is asked to open one."""

    @step("notices.tell", StepName.TELL_PARTIES)
    @abstractmethod
    async def tell(self, tell: Tell) -> Done:
        """Tell the parties."""

    @step("notices.send_code")
    @abstractmethod
    async def send_code(self, order: SendCode) -> Done:
        """Make a one-time code, keep its MAC, send it to the recipient; the same code on every try."""

    @step("notices.tell_owner")
    @abstractmethod
    async def tell_owner(self, order: TellOwner) -> Done:
        """Tell the owner of a charge point; of new credentials a recipient who is asked about it, too."""
