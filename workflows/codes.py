"""Sends one one-time code to whoever a link is for."""

from temporalio import workflow

from activities.contracts.messages import Done
from activities.contracts.notices import Notices, SendCode
from domain.policy import Policy
from workflows.options import code as code_options


@workflow.defn(name="one_time_code")
class OneTimeCodeWorkflow:
    """Makes, keeps as a MAC, and sends a code: never the API's work, so that a crash loses none."""

    @workflow.run
    async def run(self, order: SendCode) -> Done:
        """Send it; fails where it could not be sent within two minutes."""
        limits = code_options(Policy())
        return await workflow.execute_activity_method(
            Notices.send_code,
            order,
            start_to_close_timeout=limits.start_to_close,
            schedule_to_close_timeout=limits.schedule_to_close,
            retry_policy=limits.retries,
            summary="one-time code to the recipient",
        )
