"""What whoever holds an approval link has done: a code sent, an account opened."""

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from typing_extensions import override

from activities.contracts.accounts import OpenAccount
from activities.contracts.notices import SendCode
from domain.errors import Unavailable
from domain.ids import TASK_QUEUE, LinkId, account_workflow_id, code_workflow_id
from engine.errors import as_refusals
from persistence.links.signups import Signups
from workflows.accounts import AccountWorkflow
from workflows.codes import OneTimeCodeWorkflow
from workflows.options import AWAITED, TASK_TIMEOUT
from workflows.refusals import refusal_of

_NOT_OPEN: Final = "The account is not open yet; try again in a moment."


class Links(ABC):
    """What is done for approval links. Raises the domain's refusals, and Unavailable."""

    @abstractmethod
    async def send_code(self, link_id: LinkId, number: int) -> None:
        """Have the `number`-th one-time code of a link made and sent; returns once the mail server has it."""

    @abstractmethod
    async def open_account(self, link_id: LinkId, *, name: str, locale: str) -> None:
        """Open an account for whoever a link was sent to, who has typed its code; nothing where they have one.

        May be repeated. Raises InvalidRequest for a name or locale that is none, NotAllowed for a replaced link,
        AlreadyDecided or TooLate where nothing is asked any more, NotPossible where no account can be opened with
        that address, Unavailable where it is not done yet: the same call again goes on.
        """


class TemporalLinks(Links):
    """What is done for approval links by the workflows of one Temporal namespace."""

    def __init__(self, client: Client, answer_within: timedelta, signups: Signups | None) -> None:
        """Take a client, how long a caller waits, and what keeps what is typed: needed where accounts are opened."""
        self._client = client
        self._within = answer_within
        self._signups = signups

    @override
    async def send_code(self, link_id: LinkId, number: int) -> None:
        order, name = SendCode(link_id=link_id, number=number), code_workflow_id(link_id, number)
        async with as_refusals():
            try:
                handle = await self._client.start_workflow(
                    OneTimeCodeWorkflow.run,
                    order,
                    id=name,
                    task_queue=TASK_QUEUE,
                    rpc_timeout=self._within,
                    priority=AWAITED,
                )
            except WorkflowAlreadyStartedError:
                handle = self._client.get_workflow_handle_for(OneTimeCodeWorkflow.run, name)
            try:
                await asyncio.wait_for(handle.result(), (self._within * 3).total_seconds())
            except (TimeoutError, WorkflowFailureError):
                raise Unavailable("The code could not be sent yet; ask for another one in a moment.") from None

    @override
    async def open_account(self, link_id: LinkId, *, name: str, locale: str) -> None:
        if self._signups is None:
            raise AssertionError("made without a place for what is typed")
        await self._signups.keep(link_id, name, locale)
        async with as_refusals():
            handle = await self._client.start_workflow(
                AccountWorkflow.run,
                OpenAccount(link_id=link_id),
                id=account_workflow_id(link_id),
                task_queue=TASK_QUEUE,
                task_timeout=TASK_TIMEOUT,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="Account of a recipient",
                rpc_timeout=self._within,
                priority=AWAITED,
            )
            try:
                await asyncio.wait_for(handle.result(), self._within.total_seconds())
            except TimeoutError:  # it goes on, and reads what was typed
                raise Unavailable(_NOT_OPEN) from None
            except WorkflowFailureError as error:
                await self._signups.forget(link_id)
                raise refusal_of(error) or Unavailable(_NOT_OPEN) from None
        await self._signups.forget(link_id)
