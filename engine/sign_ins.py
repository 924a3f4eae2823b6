"""Codes to sign in with, sent by a workflow each."""

from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import timedelta

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from typing_extensions import override

from activities.contracts.notices import SendSignInCode
from domain.ids import TASK_QUEUE, SignInCodeId, sign_in_code_workflow_id
from engine.errors import as_refusals
from workflows.codes import SignInCodeWorkflow
from workflows.options import AWAITED, TASK_TIMEOUT


class SignInCodes(ABC):
    """What is done for who signs in. Raises Unavailable."""

    @abstractmethod
    async def send_sign_in_code(self, code_id: SignInCodeId) -> None:
        """Have a code sent that was asked for; returns at once, whoever has the address."""


class TemporalSignInCodes(SignInCodes):
    """Codes sent by the workflows of one Temporal namespace."""

    def __init__(self, client: Client, answer_within: timedelta) -> None:
        """Take a client, and how long a caller waits."""
        self._client = client
        self._within = answer_within

    @override
    async def send_sign_in_code(self, code_id: SignInCodeId) -> None:
        async with as_refusals():
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    SignInCodeWorkflow.run,
                    SendSignInCode(code_id=code_id),
                    id=sign_in_code_workflow_id(code_id),
                    task_queue=TASK_QUEUE,
                    task_timeout=TASK_TIMEOUT,
                    static_summary="A code to sign in with",
                    rpc_timeout=self._within,
                    priority=AWAITED,
                )
