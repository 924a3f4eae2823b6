"""Accounts that recipients open."""

from abc import ABC, abstractmethod

from activities.contracts.declaring import step
from activities.contracts.messages import Done, Message
from domain.ids import LinkId


class OpenAccount(Message):
    """The link whose recipient has no account yet; what they typed waits in the database."""

    link_id: LinkId


class Accounts(ABC):
    """Accounts that recipients open by their link (`accounts.*`)."""

    @step("accounts.open")
    @abstractmethod
    async def open(self, order: OpenAccount) -> Done:
        """Open an account with the address that the link was sent to; nothing where that has a usable one.

        Refuses NotAllowed for a replaced link, AlreadyDecided, TooLate, and NotPossible where the address has an
        account that is not usable.
        """
