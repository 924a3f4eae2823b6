"""Turns Temporal's errors into the domain's, for whoever asks it something."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import AlreadyDecided, NotFound, Refusal, Unavailable
from workflows.refusals import refusal_of

AWAY: Final = "The transfer's engine does not answer; try again in a moment."


@asynccontextmanager
async def as_refusals(*, timeout_is_unknown: bool = False) -> AsyncIterator[None]:
    """Turn Temporal's errors into the domain's."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        if timeout_is_unknown:
            raise
        raise Unavailable("No answer yet: it may still be done. Send the same request again.") from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            if "completed" in error.message:
                raise AlreadyDecided("The transfer has ended.") from None
            raise NotFound("There is no such transfer under way.") from None
        raise Unavailable(AWAY) from error
    except RuntimeError as error:  # a lazy client could not connect
        raise Unavailable(AWAY) from error


def _refusal(error: WorkflowUpdateFailedError) -> Refusal | Unavailable:
    """Give the refusal that an update failed with; anything else is ours to mend, and Unavailable to the caller."""
    return refusal_of(error.cause) or Unavailable(AWAY)
