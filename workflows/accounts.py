"""Opens the account of one recipient who has none."""

from temporalio import workflow

from activities.contracts.accounts import Accounts, OpenAccount
from activities.contracts.messages import Done
from domain.errors import Refusal
from domain.policy import Policy
from workflows.activity_calls import call
from workflows.options import code as code_options
from workflows.refusals import failure


@workflow.defn(name="open_account")
class AccountWorkflow:
    """Has the account written by an activity, as everything in the register: a crash leaves a whole one or none."""

    @workflow.run
    async def run(self, order: OpenAccount) -> Done:
        """Open it; fails with its refusal, or where it could not be written within two minutes."""
        try:
            return await call(Accounts.open, order, code_options(Policy()), summary="account of a recipient")
        except Refusal as refusal:
            raise failure(refusal) from None
