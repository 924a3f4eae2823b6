"""Runs one step until it is done: retried, shown, and given to an operator when its retries are used up."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.contracts.registry import Plan
from domain.errors import HandoverError
from domain.policy import Policy
from domain.transfer import Attention, OperatorAction, Reason, StepName, TransferState
from domain.transitions import Action, Change, Progress, check, effect
from workflows.refusals import tries_of
from workflows.status import StatusBoard

T = TypeVar("T")


class RollBack(HandoverError):
    """The story turns round: undo what was done."""

    def __init__(self, reason: Reason) -> None:
        """Keep why."""
        super().__init__(reason.value)
        self.reason = reason


class LeftUndone(HandoverError):
    """An operator said to leave this device step undone."""


class Canceller(Enum):
    """Who has cancelled a transfer."""

    PARTY = auto()
    TEMPORAL_UI = auto()
    """By a cancel of the workflow itself."""


class _Woken(Enum):
    MET = auto()
    TIME_OVER = auto()
    RETRY = auto()


@dataclass(frozen=True)
class _Resolution:
    action: OperatorAction
    step: StepName | None


class StepRunner:
    """Runs the story's steps, and hears who interrupts them: an operator, or a cancel."""

    def __init__(self, board: StatusBoard) -> None:
        """Start with nobody interrupting."""
        self.board = board
        self.plan: Plan | None = None
        """None until the charge point is reserved; as the decision has left it."""
        self.cancelled_by: Canceller | None = None
        """A cancel was decided: the running step is left, and the transfer rolled back."""
        self._resolution: _Resolution | None = None
        self._resolved_at: datetime | None = None
        self.proven = False
        """The charger has proven its new key: it stays so."""
        self._tries: Counter[StepName] = Counter()

    @property
    def policy(self) -> Policy:
        """How long the transfer waits for what."""
        return self.board.policy

    # --- who interrupts -------------------------------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """How far the transfer is."""
        return self.board.progress

    def begin_change(self) -> None:
        """Pass the point after which the change of ownership may be written."""
        self.board.progress = replace(self.progress, change=Change.BEGUN)

    def settle(self) -> None:
        """Pass the point of no return."""
        self.board.progress = replace(self.progress, change=Change.SETTLED)

    def check(self, act: Action) -> None:
        """Refuse what the transfer can't take now."""
        check(act, self.progress)

    def resolve(self, action: OperatorAction) -> None:
        """Take an operator's action for the step that runs now."""
        self._resolution = _Resolution(action, self.board.step)
        self._resolved_at = workflow.now()

    @property
    def resolved_now(self) -> bool:
        """Whether an operator's action came in this very workflow task: with that it may be lost."""
        return self._resolved_at == workflow.now()

    @contextmanager
    def may_be_left(self) -> Iterator[None]:
        """Let an operator's `complete` leave undone what runs inside the block, by LeftUndone."""
        self.board.progress = replace(self.progress, device_step=self.board.step)
        try:
            yield
        finally:
            self.board.progress = replace(self.progress, device_step=None)

    def raw_cancel(self) -> None:
        """Take a cancel of the workflow itself (from the Temporal UI): heeded where a cancel is possible."""
        if not self.progress.change_begun:
            self.cancel(Canceller.TEMPORAL_UI)

    def cancel(self, by: Canceller) -> None:
        """Leave the running step and roll back; the first one to say so counts."""
        self.cancelled_by = self.cancelled_by or by

    # --- waiting --------------------------------------------------------------------------------------------------

    async def wait(
        self, condition: Callable[[], bool], at_most: timedelta | None = None, summary: str | None = None
    ) -> bool:
        """Wait until `condition` holds (True), or the time is over or an operator says `retry` (False).

        Raises RollBack where a cancel or an operator says so, LeftUndone where an operator does.
        """
        return await self._wait(condition, at_most, summary) is _Woken.MET

    async def _wait(
        self, condition: Callable[[], bool], at_most: timedelta | None = None, summary: str | None = None
    ) -> "_Woken":
        ended = workflow.now() + at_most if at_most is not None else None
        while True:
            left = max(ended - workflow.now(), timedelta(milliseconds=1)) if ended else None
            try:
                await workflow.wait_condition(
                    lambda: condition() or self._interrupted(), timeout=left, timeout_summary=summary
                )
            except TimeoutError:
                return _Woken.MET if condition() else _Woken.TIME_OVER
            if condition():
                return _Woken.MET
            if self._take() is OperatorAction.RETRY:
                return _Woken.RETRY

    def _interrupted(self) -> bool:
        return self._resolution is not None or self._may_cancel_now() or self.board.over is not None

    def _may_cancel_now(self) -> bool:
        waiting = self.board.state in {TransferState.AWAITING_ACCEPTANCE, TransferState.TRANSFERRING}
        return self.cancelled_by is not None and not self.progress.change_begun and waiting

    def _take(self) -> OperatorAction | None:
        """Act on an interruption: raise, or give `retry`; None where there is none any more."""
        if self.board.over is not None:
            raise self.board.over
        resolution, self._resolution = self._resolution, None
        if self.board.state is TransferState.ROLLING_BACK:
            return OperatorAction.RETRY if resolution else None
        if self._may_cancel_now():
            raise RollBack(Reason.CANCELLED)
        if resolution is None or resolution.step is not self.board.step:
            return None
        if resolution.action is OperatorAction.ROLL_BACK and not self.progress.no_way_back:
            raise RollBack(Reason.OPERATOR)
        if resolution.action is OperatorAction.COMPLETE and self.progress.device_step is not None:
            raise LeftUndone("An operator left the step undone.")
        return OperatorAction.RETRY if resolution.action is OperatorAction.RETRY else None

    # --- running --------------------------------------------------------------------------------------------------

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run one attempt after another until one succeeds.

        `attempt` has its own retries. When they are used up an operator is asked, and every few hours it is tried again
        anyway. Refusals and RollBack, LeftUndone pass; so do failures that `attempt` raises on purpose (HandoverError).
        """
        while True:
            task = asyncio.ensure_future(attempt())
            with self.board.restoring():
                try:
                    if await self._finish(task):
                        return task.result()
                except ActivityError as error:
                    await self._ask_operator(error)

    async def _finish(self, task: asyncio.Future[Any]) -> bool:
        """Wait for `task`; False where it is to be tried anew."""
        try:
            woken = await self._wait(task.done)
            if woken is _Woken.MET:
                task.result()
        except (Exception, asyncio.CancelledError):  # nothing else: a workflow that is put away waits for nothing
            await self._drop(task)
            raise
        if woken is not _Woken.MET:
            await self._drop(task)
        return woken is _Woken.MET

    async def _drop(self, task: asyncio.Future[Any]) -> None:
        """Cancel an attempt and wait until it has ended: nothing of it may still happen later."""
        task.cancel()
        await workflow.wait_condition(task.done)
        if not task.cancelled():
            task.exception()

    async def _ask_operator(self, error: ActivityError) -> None:
        """Wait for an operator, or for the next try by itself."""
        await self.park(self.tell(error), lambda: False)

    def tell(self, error: ActivityError) -> str:
        """Count a step's tries that failed, write them, and give the text of what it failed with."""
        step, problem = self.board.step, str(error.cause or error).strip().partition("\n")[0]
        if step is not None:
            self._tries[step] += tries_of(error) or 1
            self.board.given_up(step, problem, self._tries[step])
            tries = self._tries[step]
            return f"Tried {f'{tries} times' if tries > 1 else 'once'}; it failed with: {problem}"
        return problem

    def choices(self, problem: str) -> str:
        """Say what is wrong, and what each of an operator's actions would do about it."""
        parked = replace(self.progress, attention=Attention.OPERATOR)
        effects = {action: effect(action, parked) for action in OperatorAction}
        return "\n".join(
            [problem, "", "Send the update `resolve` with:", ""]
            + [f"- `{action.value}`: {text}" for action, text in effects.items()]
        )

    async def park(self, problem: str, solved: Callable[[], bool]) -> None:
        """Give the step to an operator until they say `retry`, `solved` holds, or it is time for the next try."""
        pause = self.policy.operator_retries_every
        with self.board.restoring():
            self.board.wait_for(Attention.OPERATOR, workflow.now() + pause, self.choices(problem))
            await self.wait(solved, pause, "next try without an operator")
