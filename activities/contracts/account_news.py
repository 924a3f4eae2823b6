"""What somebody is told of their account."""

from abc import ABC, abstractmethod
from datetime import datetime

from activities.contracts.declaring import step
from activities.contracts.messages import Done, Message
from domain.ids import PasskeyId, UserId
from domain.passkeys import PasskeyChange


class TellOfPasskey(Message):
    """A passkey that was added to somebody's account, or removed from it."""

    user_id: UserId
    passkey_id: PasskeyId
    change: PasskeyChange
    at: datetime


class AccountNews(ABC):
    """Letters about accounts (`account_news.*`)."""

    @step("account_news.passkey")
    @abstractmethod
    async def tell_of_passkey(self, order: TellOfPasskey) -> Done:
        """Tell whose account it is."""
