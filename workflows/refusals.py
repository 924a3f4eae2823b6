"""Refusals on their way through Temporal: domain error to failure and back."""

from collections.abc import Iterator

from temporalio.exceptions import ActivityError, ApplicationError

from activities.contracts.messages import ENDED
from domain.errors import REFUSALS, HandoverError, Refusal


class TransferEnded(HandoverError):
    """The transfer has ended under another run: this one, which somebody has reset, is over at once."""


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
    """Find out whether a step was refused as its transfer has ended under another run."""
    found = (cause for cause in causes(error) if isinstance(cause, ApplicationError) and cause.type == ENDED)
    return next((TransferEnded(cause.message) for cause in found), None)


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
