"""Refusals on their way through Temporal: domain error to failure and back."""

from collections.abc import Iterator

from temporalio.exceptions import ActivityError, ApplicationError

from activities.contracts.messages import ENDED
from domain.errors import REFUSALS, HandoverError, Refusal
from domain.transfer import TransferState


class TransferEnded(HandoverError):
    """The transfer has ended: this run is over at once.

    `state`: this very run has ended it so, in a workflow task that was lost. None: somebody has reset this run.
    """

    def __init__(self, message: str, state: TransferState | None) -> None:
        """Keep the state."""
        super().__init__(message)
        self.state = state


def failure(refusal: Refusal) -> ApplicationError:
    """Give the failure as which a refusal leaves an update handler."""
    return ApplicationError(refusal.message, type=refusal.code.value, non_retryable=True)


def refusal_of(error: BaseException | None) -> Refusal | None:
    """Find the refusal that an activity or update failed with; None where it was something else."""
    for cause in causes(error):
        if isinstance(cause, ApplicationError) and cause.type in REFUSALS:
            return REFUSALS[cause.type](cause.message)
    return None


def ended_of(error: BaseException | None) -> TransferEnded | None:
    """Find out whether a step was refused as its transfer has ended."""
    for cause in causes(error):
        if isinstance(cause, ApplicationError) and cause.type == ENDED:
            return TransferEnded(cause.message, next((TransferState(detail) for detail in cause.details), None))
    return None


def tries_of(error: ActivityError) -> int | None:
    """Say how often an activity was tried before it failed with `error`; None where its worker never answered."""
    for cause in causes(error):
        if isinstance(cause, ApplicationError) and cause.details and isinstance(cause.details[0], int):
            return cause.details[0]
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error, what it came of, and so on: Temporal wraps what an activity or update raised."""
    while error is not None:
        yield error
        error = error.__cause__
