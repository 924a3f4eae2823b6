"""Interceptor: a business refusal is final, everything else is retried. Activities translate here, once.

A failure carries how often its activity was tried: a workflow can't see that otherwise.
"""

from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.errors import HandoverError, Refusal


class RefusalInterceptor(Interceptor):
    """Turns domain errors that leave an activity into ApplicationErrors with their code as type."""

    def intercept_activity(self, next_: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity."""
        return _Translate(next_)


class _Translate(ActivityInboundInterceptor):
    async def execute_activity(self, call: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(call)
        except HandoverError as error:
            tries, final = activity.info().attempt, isinstance(error, Refusal)
            category = ApplicationErrorCategory.BENIGN if final else ApplicationErrorCategory.UNSPECIFIED
            raise ApplicationError(
                error.message, tries, type=error.code.value, non_retryable=final, category=category
            ) from None
        except FailureError:
            raise
        except Exception as error:
            raise ApplicationError(str(error), activity.info().attempt, type=type(error).__name__) from error
