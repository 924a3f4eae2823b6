"""What somebody is told of their account, by a workflow each."""

from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from typing_extensions import override

from activities.contracts.account_news import TellOfPasskey
from domain.ids import TASK_QUEUE, PasskeyId, UserId, passkey_news_workflow_id
from domain.passkeys import PasskeyChange
from engine.errors import as_refusals
from workflows.account_news import PasskeyNewsWorkflow
from workflows.options import TASK_TIMEOUT


class AccountNews(ABC):
    """News of accounts. Raises Unavailable."""

    @abstractmethod
    async def tell_of_passkey(self, user_id: UserId, passkey_id: PasskeyId, change: PasskeyChange) -> None:
        """Have somebody told that a passkey of theirs has just been added or removed; returns at once."""


class TemporalAccountNews(AccountNews):
    """News sent by the workflows of one Temporal namespace."""

    def __init__(self, client: Client, answer_within: timedelta) -> None:
        """Take a client, and how long a caller waits."""
        self._client = client
        self._within = answer_within

    @override
    async def tell_of_passkey(self, user_id: UserId, passkey_id: PasskeyId, change: PasskeyChange) -> None:
        order = TellOfPasskey(user_id=user_id, passkey_id=passkey_id, change=change, at=datetime.now(UTC))
        async with as_refusals():
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    PasskeyNewsWorkflow.run,
                    order,
                    id=passkey_news_workflow_id(passkey_id, change.value),
                    task_queue=TASK_QUEUE,
                    task_timeout=TASK_TIMEOUT,
                    static_summary=f"A passkey was {change.value}",
                    rpc_timeout=self._within,
                )
