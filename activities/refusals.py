"""Interceptor: a business refusal is final, everything else is retried. Activities translate here, once."""

from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.errors import HandoverError, Refusal


class RefusalInterceptor(Interceptor):
    """Turns domain errors that leave an activity into ApplicationErrors with their code as type."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - Temporal's name
        """Wrap every activity."""
        return _Translate(next)


class _Translate(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        try:
            return await super().execute_activity(input)
        except HandoverError as error:
            raise ApplicationError(
                error.message, type=error.code.value, non_retryable=isinstance(error, Refusal)
            ) from None
