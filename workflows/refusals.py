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


def error_type(error: ActivityError) -> str | None:
    """Give the type of the ApplicationError that an activity failed with."""
    return error.cause.type if isinstance(error.cause, ApplicationError) else None
