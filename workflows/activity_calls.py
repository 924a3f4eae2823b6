"""Calls one activity: a transaction local first unless it must be on record, what reaches outside ordinary at once."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

from activities.contracts.declaring import may_run_again
from activities.contracts.messages import Message
from domain.policy import Policy
from workflows.options import LOCAL_IN_ALL, LOCAL_RETRIES, LOCAL_TRY, Options, transaction
from workflows.refusals import ended_of, refusal_of

Ask = TypeVar("Ask", bound=Message)
Answer = TypeVar("Answer", bound=Message)
ActivityMethod = Callable[[Any, Ask], Awaitable[Answer]]
Shown = Callable[[], AbstractContextManager[None]]


async def transact(
    method: ActivityMethod[Ask, Answer],
    ask: Ask,
    policy: Policy,
    *,
    summary: str,
    for_ever: bool = False,
    on_record: bool = False,
    shown: Shown = nullcontext,
    priority: Priority = Priority.default,
) -> Answer:
    """Run a step that is one short transaction.

    Local tries leave hardly a trace in the history; where they fail, the ordinary activity is what operators see, with
    its attempts and last error. A refusal is raised as the domain's at once. `for_ever`: never gives up. `shown`: what
    the ordinary activity runs in.

    A worker that dies in a workflow task takes the task's local activities out of the history, not out of the world:
    they run again, and what they read may be something else by then; an update that has only just arrived may be gone.
    A step that may not run again, or is to be `on_record` here, is an ordinary activity at once, so that such things
    are in the history before it happens (decision 0005).
    """
    if may_run_again(method) and not on_record:
        try:
            return await _local(method, ask, summary)
        except FailureError as error:  # a local activity's failure comes with or without an ActivityError round it
            if is_cancelled_exception(error):
                raise
            if final := refusal_of(error) or ended_of(error):
                raise final from None
    options = transaction(policy)
    return await call(method, ask, options, summary=summary, for_ever=for_ever, shown=shown, priority=priority)


async def call(
    method: ActivityMethod[Ask, Answer],
    ask: Ask,
    options: Options,
    *,
    summary: str,
    task_queue: str | None = None,
    for_ever: bool = False,
    shown: Shown = nullcontext,
    priority: Priority = Priority.default,
) -> Answer:
    """Run an ordinary activity; raises the domain's refusal, or ActivityError once its retries are used up.

    Cancelling this waits for the activity to have taken notice: nothing it does may overlap with its compensation.
    """
    try:
        with shown():
            return await workflow.execute_activity_method(
                method,
                ask,
                task_queue=task_queue,
                start_to_close_timeout=options.start_to_close,
                schedule_to_close_timeout=None if for_ever else options.schedule_to_close,
                schedule_to_start_timeout=options.schedule_to_start,
                heartbeat_timeout=options.heartbeat,
                retry_policy=options.retries,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
                if options.heartbeat
                else workflow.ActivityCancellationType.TRY_CANCEL,
                summary=summary,
                priority=priority,
            )
    except ActivityError as error:
        if final := refusal_of(error) or ended_of(error):
            raise final from None
        raise


async def _local(method: ActivityMethod[Ask, Answer], ask: Ask, summary: str) -> Answer:
    return await workflow.execute_local_activity_method(
        method,
        ask,
        start_to_close_timeout=LOCAL_TRY,
        schedule_to_close_timeout=LOCAL_IN_ALL,
        retry_policy=LOCAL_RETRIES,
        summary=summary,
    )
