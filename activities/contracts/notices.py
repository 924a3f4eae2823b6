"""Letters that have a workflow of their own."""

from abc import ABC, abstractmethod
from datetime import date

from activities.contracts.declaring import step
from activities.contracts.messages import Done, Message
from domain.ids import ChargePointId, LinkId, SignInCodeId
from domain.news import OwnerNews


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


class SendSignInCode(Message):
    """A code to sign in with, asked for at the pages."""

    code_id: SignInCodeId


class Notices(ABC):
    """Letters (`notices.*`): delivered at least once, each with a Message-ID that stays the same."""

    @step("notices.send_code")
    @abstractmethod
    async def send_code(self, order: SendCode) -> Done:
        """Make a one-time code, keep its MAC, send it to the recipient; the same code on every try."""

    @step("notices.tell_owner")
    @abstractmethod
    async def tell_owner(self, order: TellOwner) -> Done:
        """Tell the owner of a charge point; of new credentials a recipient who is asked about it, too."""


class SignInLetters(ABC):
    """Letters to who signs in (`sign_ins.*`)."""

    @step("sign_ins.send_code")
    @abstractmethod
    async def send_sign_in_code(self, order: SendSignInCode) -> Done:
        """Send a code to sign in with to whoever has the address that it was asked for with; to nobody else."""
