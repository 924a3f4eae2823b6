"""Collects the decisions on a transfer: asks, reminds, expires. Exactly one decision wins."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.contracts.notices import Ask, Notices
from activities.contracts.registry import Decided, DecisionRecord, Plan, Registry, ResendRecord, TakenUp
from domain.approval import Decision
from domain.errors import AlreadyDecided
from domain.ids import OrderId, TransferId
from domain.transfer import Attention, StepName, TransferState
from domain.transitions import ACTION_OF, Action
from workflows.activity_calls import call, transact
from workflows.messages import TransferStatus
from workflows.options import letter
from workflows.step_runner import Canceller, RollBack, StepRunner


class Approvals:
    """The decisions of one transfer, taken one at a time, each durable before its caller hears of it."""

    def __init__(self, transfer_id: TransferId, runner: StepRunner) -> None:
        """Start undecided."""
        self._transfer_id = transfer_id
        self._runner = runner
        self._taken: dict[tuple[Decision, OrderId | None], TransferState] = {}
        self._resent: set[OrderId] = set()
        self._generation = 1
        self._turn = asyncio.Lock()
        self._letter_again = False

    @property
    def _board_state(self) -> TransferState:
        return self._runner.board.state

    @property
    def accepted(self) -> bool:
        """Whether the recipient has accepted, this run or an earlier one being told."""
        return any(decision is Decision.ACCEPT for decision, _ in self._taken)

    def remember(self, earlier: TakenUp) -> None:
        """Know what an earlier run was told, a repeat gets the same answer, and which links it has sent last."""
        self._taken.update({(taken.decision, taken.order_id): taken.state for taken in earlier.decisions})
        self._resent.update(earlier.resent)
        self._generation = earlier.generation

    # --- what the parties send ------------------------------------------------------------------------------------

    def check(self, decision: Decision, order_id: OrderId | None) -> None:
        """Refuse what can't be decided any more; a repeat of a decision that was taken is none.

        What comes before it is known how the transfer stands has to wait.
        """
        if (decision, order_id) not in self._taken:
            self._runner.check(ACTION_OF[decision])

    async def take(self, decision: Decision, order_id: OrderId | None = None) -> TransferStatus:
        """Take a decision into the register and say what it led to. Refuses as `check`, or without the right."""
        async with self._in_turn():
            self.check(decision, order_id)
            if known := self._taken.get((decision, order_id)):
                return TransferStatus(state=known, order_id=order_id)
            record = DecisionRecord(transfer_id=self._transfer_id, decision=decision, order_id=order_id)
            with self._runner.board.hearing():
                decided = await transact(
                    Registry.decide, record, self._runner.policy, summary=decision.value, for_ever=True
                )
        self._taken[decision, decided.order_id] = decided.state
        self._follow(decision, decided)
        return TransferStatus(state=decided.state, order_id=decided.order_id)

    def _follow(self, decision: Decision, decided: Decided) -> None:
        """Go on as was decided."""
        if decision is Decision.CANCEL and decided.state is TransferState.ROLLING_BACK:
            self._runner.cancel(Canceller.PARTY)
            return
        if self._runner.plan:  # of what does not come about nobody reads it
            self._runner.plan = self._runner.plan.model_copy(
                update={
                    "quiet": decided.quiet,
                    "lists": decided.lists,
                    "rotate": decided.rotate,
                    "until_new_key": decided.until_new_key,
                }
            )
        self._runner.board.enter(decided.state)

    def check_resend(self, order_id: OrderId | None) -> None:
        """Refuse what comes when nobody is asked any more; a repeat is none."""
        if order_id not in self._resent:
            self._runner.check(Action.RESEND)

    async def resend(self, order_id: OrderId | None) -> TransferStatus:
        """Let every link sent so far die, and have new ones sent at once. Refuses as `check_resend`, or a stranger."""
        async with self._in_turn():
            self.check_resend(order_id)
            if order_id is None or order_id not in self._resent:
                record = ResendRecord(transfer_id=self._transfer_id, order_id=order_id)
                resent = await transact(
                    Registry.resend, record, self._runner.policy, summary="new links", for_ever=True
                )
                self._generation = resent.generation
                self._letter_again = True  # one that can't be sent is out of date
                self._resent |= {order_id} if order_id else set()
        return TransferStatus(state=self._board_state, order_id=order_id)

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """Be the only one at the decision, once it is known how the transfer stands."""
        await self._runner.board.until(lambda: self._board_state is not TransferState.REQUESTED)
        async with self._turn:
            yield

    async def settle(self) -> None:
        """Wait for a decision that is being written; after this none can come in before the next await."""
        while self._turn.locked():
            await self._runner.wait(lambda: not self._turn.locked())

    # --- the wait -------------------------------------------------------------------------------------------------

    async def collect(self, plan: Plan) -> TransferState:
        """Ask the recipient, remind them, and give the state that the first decision led to; or expiry's."""
        board = self._runner.board
        board.begin(StepName.ASK_RECIPIENT, note=True)
        board.wait_for(Attention.RECIPIENT, plan.expires_at)
        letters = asyncio.ensure_future(self._send_letters(plan))
        try:
            while not self._decided():
                await self._wait_for_decision(plan)
        finally:
            letters.cancel()
        board.wait_for(Attention.NONE)
        board.done(StepName.ASK_RECIPIENT)
        return self._board_state

    def _decided(self) -> bool:
        return self._board_state is not TransferState.AWAITING_ACCEPTANCE

    async def _wait_for_decision(self, plan: Plan) -> None:
        """Wait for a decision, the expiry, a cancel from the Temporal UI, or an operator's `retry` (of the letter)."""
        left = (plan.expires_at or workflow.now()) - workflow.now()
        try:
            if left > timedelta() and not await self._runner.wait(self._decided, left, "expiry"):
                self._letter_again = True
        except RollBack:
            await self._decide_alone(Decision.CANCEL)
        if plan.expires_at and workflow.now() >= plan.expires_at and not self._decided():
            await self._decide_alone(Decision.EXPIRE)

    async def _decide_alone(self, decision: Decision) -> None:
        """Decide for the clock or the Temporal UI, unless somebody was first."""
        try:
            await self.take(decision)
        except AlreadyDecided:
            return

    async def _send_letters(self, plan: Plan) -> None:
        """Ask at once and after each resend, remind at the times of the plan; the decision ends it."""
        asked, reminders = 0, list(enumerate(plan.remind_at, start=1))
        while True:
            if asked < self._generation:
                asked = self._generation
                await self._deliver(Ask(transfer_id=self._transfer_id, generation=asked), plan)
            elif not await self._is_resent(asked, *reminders[:1]):
                number, _ = reminders.pop(0)
                ask = Ask(transfer_id=self._transfer_id, generation=asked, reminder=number)
                await self._deliver(ask, plan)

    async def _is_resent(self, asked: int, reminder: tuple[int, datetime] | None = None) -> bool:
        """Wait for a resend (True) until the next reminder is due (False), if there is one."""
        left = reminder[1] - workflow.now() if reminder else None
        if reminder and left is not None and left <= timedelta():
            return False
        summary = f"reminder {reminder[0]}" if reminder else None
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self._generation > asked, timeout=left, timeout_summary=summary)
        return self._generation > asked

    async def _deliver(self, ask: Ask, plan: Plan) -> None:
        """Send one letter; where its retries are used up an operator is asked, and it is tried again later."""
        summary = "reminder to the recipient" if ask.reminder else "approval link to the recipient"
        while True:
            try:
                await call(Notices.ask, ask, letter(self._runner.policy), summary=summary)
            except ActivityError as error:
                if is_cancelled_exception(error):  # the decision has come: nobody waits for what became of the letter
                    raise asyncio.CancelledError from error
                problem = self._runner.choices(self._runner.tell(error))
                self._runner.board.wait_for(Attention.OPERATOR, plan.expires_at, problem)
                self._letter_again = False
                with contextlib.suppress(asyncio.TimeoutError):
                    await workflow.wait_condition(
                        lambda: self._letter_again, timeout=self._runner.policy.operator_retries_every
                    )
                self._runner.board.wait_for(Attention.RECIPIENT, plan.expires_at)
            else:
                return
