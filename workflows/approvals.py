"""Collects the decisions on a transfer, or expires. Exactly one decision wins."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta

from temporalio import workflow

from activities.contracts.registry import (
    Decided,
    DecisionRecord,
    Plan,
    Registry,
    ResendRecord,
    TakenUp,
)
from domain.approval import Decision
from domain.errors import AlreadyDecided
from domain.ids import OrderId, TransferId
from domain.transfer import Attention, StepName, TransferState
from domain.transitions import ACTION_OF, Action
from workflows.activity_calls import transact
from workflows.charger import Looking
from workflows.messages import TransferStatus
from workflows.options import AWAITED
from workflows.step_runner import Canceller, RollBack, StepRunner


class Approvals:
    """The decisions of one transfer, taken one at a time, each durable before its caller hears of it."""

    def __init__(self, transfer_id: TransferId, runner: StepRunner) -> None:
        """Start undecided."""
        self._transfer_id = transfer_id
        self._runner = runner
        self._taken: dict[tuple[Decision, OrderId | None], TransferState] = {}
        self._resent: set[OrderId] = set()
        self._turn = asyncio.Lock()
        self.looking: Looking = lambda: nullcontext(lambda _where: None)
        """Gives whom to tell where the charger was seen: nobody, before the charge point is reserved."""
        self.catch_up: Callable[[], Awaitable[TransferState]] | None = None
        """Asks the register how the transfer stands."""

    @property
    def _board_state(self) -> TransferState:
        return self._runner.board.state

    def remember(self, earlier: TakenUp) -> None:
        """Know what an earlier run was told, a repeat gets the same answer."""
        self._taken.update({(taken.decision, taken.order_id): taken.state for taken in earlier.decisions})
        self._resent.update(earlier.resent)

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
            with self._runner.board.hearing(), self.looking() as saw:
                on_record = decision is not Decision.EXPIRE  # nobody but the clock says so, and says it again
                decided = await transact(
                    Registry.decide,
                    record,
                    self._runner.policy,
                    summary=decision.value,
                    for_ever=True,
                    on_record=on_record,
                    priority=AWAITED,
                )
                saw(decided.where)
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
                    "sessions_blocked": decided.sessions_blocked,
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
                policy = self._runner.policy
                await transact(Registry.resend, record, policy, summary="new links", for_ever=True, priority=AWAITED)
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
        """Give the state that the first decision led to, or expiry's; that they are asked the register has written."""
        board = self._runner.board
        board.begin(StepName.ASK_RECIPIENT, note=False)
        board.wait_for(Attention.RECIPIENT, plan.expires_at, note=False)
        while not self._decided():
            await self._wait_for_decision(plan)
        board.wait_for(Attention.NONE, note=False)
        return self._board_state

    def _decided(self) -> bool:
        return self._board_state is not TransferState.AWAITING_ACCEPTANCE

    async def _wait_for_decision(self, plan: Plan) -> None:
        """Wait for a decision, the expiry, a cancel from the Temporal UI, or an operator's `retry`."""
        left = (plan.expires_at or workflow.now()) - workflow.now()
        try:
            if left > timedelta():
                await self._runner.wait(self._decided, left, "expiry")
        except RollBack:
            await self._decide_alone(Decision.CANCEL)
        if plan.expires_at and workflow.now() >= plan.expires_at and not self._decided():
            await self._decide_alone(Decision.EXPIRE)

    async def _decide_alone(self, decision: Decision) -> None:
        """Decide for the clock or the Temporal UI, unless somebody was first: an earlier run may know who."""
        try:
            await self.take(decision)
        except AlreadyDecided:
            if not self._decided() and self.catch_up is not None:
                self._runner.board.enter(await self.catch_up())
