"""The audit trail and how a transfer stands, as readers see it."""

from abc import ABC, abstractmethod
from datetime import datetime

from pydantic import Field

from activities.contracts.declaring import step
from activities.contracts.messages import Message, TransferRef
from domain.actors import SYSTEM
from domain.ids import OrderId
from domain.trail import TrailAction
from domain.transfer import (
    Attention,
    OperatorAction,
    Reason,
    StepName,
    StepState,
    TransferState,
)


class StepNote(Message):
    """How one step stands."""

    name: StepName
    state: StepState | None = None
    """None: as before."""
    last_error: str | None = None
    attempts: int = 0
    """How often it was tried so far; 0: not known."""


class Note(TransferRef):
    """What a reader of the transfer should see: only given fields change, but `attention` always."""

    attention: Attention = Attention.NONE
    waiting_until: datetime | None = None
    state: TransferState | None = None
    reason: Reason | None = None
    steps: tuple[StepNote, ...] = ()
    action: TrailAction | None = None
    """An entry for the audit trail, with `actor` and `detail`."""
    actor: str = SYSTEM
    detail: dict[str, str] = Field(default_factory=dict)
    resolution: OperatorAction | None = None
    """What an operator has had done, as an entry: theirs whose `order_id` it is, else the Temporal UI's."""
    order_id: OrderId | None = None


class Noted(Message):
    """It is on record."""

    order_id: OrderId | None = None
    """The order that was found to ask for it."""


class Records(ABC):
    """Audit trail and read model (`records.*`)."""

    @step("records.note", may_run_again=True)
    @abstractmethod
    async def note(self, note: Note) -> Noted:
        """Write how the transfer stands; a repeat writes the same."""
