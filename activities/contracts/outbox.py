"""The outbox: letters of transfers, queued and sent apart from them."""

from abc import ABC, abstractmethod
from datetime import datetime

from activities.contracts.declaring import step
from activities.contracts.messages import Done, Message, TransferRef
from domain.letters import Subject


class Queue(TransferRef):
    """A letter to be queued, and a reminder of it for later, which is sent where it is not out of date by then."""

    subject: Subject
    remind_at: datetime | None = None


class Deliver(Message):
    """An order to send what is due."""


class Outbox(ABC):
    """Letters of transfers (`outbox.*`): delivered at least once, each under a Message-ID that stays the same."""

    @step("outbox.queue", may_run_again=True)
    @abstractmethod
    async def queue(self, letter: Queue) -> Done:
        """Queue a letter that follows from no step of the register; a repeat queues nothing."""

    @step("outbox.deliver")
    @abstractmethod
    async def deliver(self, order: Deliver) -> Done:
        """Send what is due, and what comes to be, for some minutes, or until the worker stops; heartbeats."""
