"""Collects the decisions on a transfer: asks, reminds, expires. Exactly one decision wins."""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.contracts import Ask, DecisionRecord, Notices, Plan, Registry, Taken
from domain.approval import Decision
from domain.errors import AlreadyDecided, TooLate
from domain.ids import TransferId
from domain.transfer import FINAL, Attention, StepName, TransferState
from workflows.calls import call, transact
from workflows.messages import DecisionOrder
from workflows.options import letter
from workflows.steps import Desk, RollBack


class Approvals:
    """The decisions of one transfer, taken one at a time, each durable before its caller hears of it."""

    def __init__(self, transfer_id: TransferId, desk: Desk) -> None:
        """Start undecided."""
        self._transfer_id = transfer_id
        self._desk = desk
        self._taken: dict[tuple[Decision, str], TransferState] = {}
        self._deciding = False
        self._letter_again = False
        self.plan: Plan | None = None

    @property
    def _board_state(self) -> TransferState:
        return self._desk.board.state

    @property
    def accepted(self) -> bool:
        """Whether the recipient has accepted, this run or an earlier one being told."""
        return any(decision is Decision.ACCEPT for decision, _ in self._taken)

    def remember(self, decisions: Iterable[Taken]) -> None:
        """Know what an earlier run was told: a repeat gets the same answer."""
        self._taken.update({(taken.decision, taken.actor): taken.state for taken in decisions})

    # --- what the parties send ------------------------------------------------------------------------------------

    def check(self, decision: Decision, order: DecisionOrder) -> None:
        """Refuse what can't be decided any more; a repeat of a decision that was taken is none.

        What comes before it is known how the transfer stands has to wait.
        """
        if (decision, order.actor) in self._taken:
            return
        state = self._board_state
        if state in {TransferState.REQUESTED, TransferState.AWAITING_ACCEPTANCE}:
            return
        if decision is not Decision.CANCEL or state in FINAL:
            raise AlreadyDecided(f"The transfer is {state.value}; it can't be decided any more.")
        if self._desk.change_begun:
            raise TooLate("The ownership has changed or is about to; the transfer can't be cancelled any more.")
        if state is not TransferState.TRANSFERRING:
            raise AlreadyDecided(f"The transfer is {state.value}; it can't be cancelled any more.")

    async def take(self, decision: Decision, order: DecisionOrder) -> TransferState:
        """Take a decision into the register and give the state it led to. Refuses as `check`, or without the right."""
        await workflow.wait_condition(lambda: self._board_state is not TransferState.REQUESTED)
        while self._deciding:  # several may be woken at once: only the first one to look goes on
            await workflow.wait_condition(lambda: not self._deciding)
        self.check(decision, order)
        if known := self._taken.get((decision, order.actor)):
            return known
        self._deciding = True
        try:
            record = DecisionRecord(
                transfer_id=self._transfer_id,
                decision=decision,
                actor=order.actor,
                actor_id=order.actor_id,
                link_id=order.link_id,
            )
            summary = f"{decision.value} by {order.actor}"
            decided = await transact(
                Registry.decide, record, self._desk.policy, summary=summary, for_ever=True, on_record=True
            )
        finally:
            self._deciding = False
        self._taken[decision, order.actor] = decided.state
        if decision is Decision.CANCEL and decided.state is TransferState.ROLLING_BACK:
            self._desk.cancelled = True
            return decided.state
        if decision is Decision.ACCEPT and self.plan:
            self.plan = self.plan.model_copy(
                update={"quiet": decided.quiet, "lists": decided.lists, "rotate": decided.rotate}
            )
        self._desk.board.enter(decided.state)
        return decided.state

    async def settle(self) -> None:
        """Wait for a decision that is being written; after this none can come in before the next await."""
        while self._deciding:
            await self._desk.wait(lambda: not self._deciding)

    # --- the wait -------------------------------------------------------------------------------------------------

    async def collect(self, plan: Plan) -> TransferState:
        """Ask the recipient, remind them, and give the state that the first decision led to; or expiry's."""
        self.plan = plan
        board = self._desk.board
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
            if left > timedelta() and not await self._desk.wait(self._decided, left, "expiry"):
                self._letter_again = True
        except RollBack:
            await self._decide_alone(Decision.CANCEL, "temporal-ui")
        if plan.expires_at and workflow.now() >= plan.expires_at and not self._decided():
            await self._decide_alone(Decision.EXPIRE, "system")

    async def _decide_alone(self, decision: Decision, actor: str) -> None:
        """Decide for the clock or the Temporal UI, unless somebody was first."""
        try:
            await self.take(decision, DecisionOrder(actor=actor))
        except AlreadyDecided:
            return

    async def _send_letters(self, plan: Plan) -> None:
        """Ask at once and remind at the times of the plan; the decision ends it."""
        for number, moment in enumerate((workflow.now(), *plan.remind_at)):
            if moment > workflow.now():
                await workflow.sleep(moment - workflow.now(), summary=f"reminder {number}")
            await self._deliver(Ask(transfer_id=self._transfer_id, reminder=number), plan)

    async def _deliver(self, ask: Ask, plan: Plan) -> None:
        """Send one letter; where its retries are used up an operator is asked, and it is tried again later."""
        summary = "reminder to the recipient" if ask.reminder else "approval link to the recipient"
        while True:
            try:
                await call(Notices.ask, ask, letter(self._desk.policy), summary=summary)
            except ActivityError as error:
                if is_cancelled_exception(error):  # the decision has come: nobody waits for what became of the letter
                    raise asyncio.CancelledError from error
                problem = self._desk.choices(self._desk.tell(error))
                self._desk.board.wait_for(Attention.OPERATOR, plan.expires_at, problem)
                self._letter_again = False
                with contextlib.suppress(asyncio.TimeoutError):
                    await workflow.wait_condition(
                        lambda: self._letter_again, timeout=self._desk.policy.operator_retries_every
                    )
                self._desk.board.wait_for(Attention.RECIPIENT, plan.expires_at)
            else:
                return
