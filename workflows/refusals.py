"""Refusals on their way through Temporal: domain error to failure and back."""

from temporalio.exceptions import ActivityError, ApplicationError

from domain.errors import REFUSALS, Refusal


def failure(refusal: Refusal) -> ApplicationError:
    """Give the failure as which a refusal leaves an update handler."""
    return ApplicationError(refusal.message, type=refusal.code.value, non_retryable=True)


def refusal_of(error: BaseException | None) -> Refusal | None:
    """Find the refusal that an activity or update failed with; None where it was something else."""
    while error is not None:
        if isinstance(error, ApplicationError) and error.type in REFUSALS:
            return REFUSALS[error.type](error.message)
        error = error.__cause__
    return None


def tries_of(error: ActivityError) -> int | None:
    """Say how often an activity was tried before it failed with `error`; None where its worker never answered."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ApplicationError) and cause.details and isinstance(cause.details[0], int):
            return cause.details[0]
        cause = cause.__cause__
    return None
