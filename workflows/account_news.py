"""Tells somebody one piece of news about their account."""

from temporalio import workflow

from activities.contracts.account_news import AccountNews, TellOfPasskey
from activities.contracts.messages import Done
from domain.policy import Policy
from workflows.activity_calls import call
from workflows.options import letter


@workflow.defn(name="passkey_news")
class PasskeyNewsWorkflow:
    """One letter, of the id `passkey-<passkey id>-<change>`: a passkey is added once, and removed once."""

    @workflow.run
    async def run(self, order: TellOfPasskey) -> Done:
        """Send it, however long the mail server is away."""
        return await call(
            AccountNews.tell_of_passkey, order, letter(Policy()), summary="passkey, to whose it is", for_ever=True
        )
