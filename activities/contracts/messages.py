"""What every step is asked with, or answers."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from domain.ids import TransferId


class Message(BaseModel):
    """Root of what crosses Temporal: frozen; later fields are optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Done(Message):
    """A step that has nothing to tell."""


#: `type` of the ApplicationError of any step of a transfer that has ended. Its detail is the state, where this very run
#: has ended it in a workflow task that was lost: that is its outcome. None: it has ended under another run.
ENDED: Final = "transfer_ended"


class TransferRef(Message):
    """The transfer that a step is for; (transfer id, step) is what makes a step idempotent."""

    transfer_id: TransferId


class TransferRun(TransferRef):
    """A run of a workflow that says it is this transfer's. The request row is the proof, and the workflow's id."""

    workflow_id: str
    run_id: str
