"""Tells the owner of a charge point one piece of news about it."""

from temporalio import workflow

from activities.contracts.messages import Done
from activities.contracts.notices import Notices, TellOwner
from domain.policy import Policy
from workflows.activity_calls import call
from workflows.options import letter


@workflow.defn(name="owner_news")
class OwnerNewsWorkflow:
    """One letter, of the id `owner-news-<charge point>-<news>-<day>`: seen again that day it starts no other."""

    @workflow.run
    async def run(self, order: TellOwner) -> Done:
        """Send it, however long the mail server is away."""
        summary = f"{order.news.value} to the owner"
        return await call(Notices.tell_owner, order, letter(Policy()), summary=summary, for_ever=True)
