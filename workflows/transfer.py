"""The story of one transfer: validate, look up, reserve, ask, quiet, change, reconfigure - or undo it all."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import NoReturn, TypeVar

from temporalio import workflow

from activities.contracts.messages import Message, TransferRef, TransferRun
from activities.contracts.outbox import Outbox, Queue
from activities.contracts.records import Note, Records
from activities.contracts.registry import (
    Changed,
    Finish,
    Plan,
    RefusedRecord,
    Registry,
    TurnBack,
    Turned,
    WhileAbsent,
)
from domain.actors import SYSTEM, TEMPORAL_UI
from domain.approval import Decision
from domain.errors import HandoverError, NotAllowed, Refusal
from domain.ids import OrderId
from domain.kinds import FoundBy, rules_of
from domain.letters import Subject
from domain.policy import Policy
from domain.transfer import FINAL, OperatorAction, Reason, StepName, TransferState, TransferWarning
from domain.transitions import Action
from workflows.activity_calls import ActivityMethod, transact
from workflows.approvals import Approvals
from workflows.charger import ChargerCommands
from workflows.compensation import Compensations, to_the_end
from workflows.messages import (
    ChargerNews,
    Opened,
    OrderRef,
    ResolveOrder,
    TransferOrder,
    TransferOutcome,
    TransferStatus,
)
from workflows.reconfiguration import Reconfiguration
from workflows.refusals import TransferEnded, failure
from workflows.status import StatusBoard
from workflows.step_runner import Canceller, RollBack, StepRunner

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@workflow.defn(name="transfer", failure_exception_types=[HandoverError])
class TransferWorkflow:
    """One move of one charge point, from request to outcome. Its id is `transfer-<transfer id>`."""

    @workflow.init
    def __init__(self, order: TransferOrder) -> None:
        """Start as requested, with nothing to undo."""
        self._ref = TransferRef(transfer_id=order.transfer_id)
        self._board = StatusBoard(order.transfer_id)
        self._runner = StepRunner(self._board)
        self._approvals = Approvals(order.transfer_id, self._runner)
        self._undo = Compensations()
        self._warnings: list[TransferWarning] = []
        self._refusal: Refusal | None = None
        self._charger: ChargerCommands | None = None
        self._early_news = False
        """Something happened at the charger, of which the plan may not know."""
        self._turned: Reason | None = None
        """Why a roll-back that is taken up was begun."""

    @property
    def _policy(self) -> Policy:
        return self._board.policy

    @property
    def _run(self) -> TransferRun:
        info = workflow.info()
        return TransferRun(transfer_id=self._ref.transfer_id, workflow_id=info.workflow_id, run_id=info.run_id)

    # --- the story ------------------------------------------------------------------------------------------------

    @workflow.run
    async def run(self, _order: TransferOrder) -> TransferOutcome:
        """See the transfer through to its outcome, whatever happens meanwhile."""
        try:
            with self._board.hearing():
                outcome = await to_the_end(self._story(), self._runner.raw_cancel)
        except TransferEnded as ended:
            await workflow.wait_condition(workflow.all_handlers_finished)
            if ended.state is None:
                raise
            self._board.enter(ended.state)
            outcome = TransferOutcome(state=ended.state)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._board.flush()
        return outcome

    async def _story(self) -> TransferOutcome:
        try:
            plan = await self._open()
        except Refusal as refusal:
            return await self._refuse(refusal)
        ended = self._board.state in FINAL
        state = self._board.state if ended else await self._carry_out(plan)
        await self._board.close()
        return TransferOutcome(state=state)

    async def _open(self) -> Plan:
        """Validate the rights, look up the target, reserve the charge point."""
        plan = await self._register(StepName.RESERVE, Registry.reserve, "reserve the charge point", self._run)
        self._board.policy = plan.policy
        self._board.about(plan.kind, plan.charge_point_id)
        self._charger = ChargerCommands(self._ref.transfer_id, plan, self._runner)
        self._approvals.looking, self._approvals.catch_up = self._charger.looking, self._take_up
        if not self._early_news:
            with self._charger.looking() as saw:
                saw(plan.where)
        self._board.progress = replace(self._board.progress, connection=plan.connection)
        self._board.enter(await self._take_up() if plan.again else plan.state)
        self._board.open()
        self._runner.plan = plan
        return plan

    async def _take_up(self) -> TransferState:
        """Go on where an earlier run was terminated: every step that it took may be taken again."""
        summary, run = "where the earlier run left it", self._run
        taken = await transact(Registry.take_up, run, self._policy, summary=summary, for_ever=True)
        self._approvals.remember(taken)
        self._required_charger().was_told()
        self._turned = taken.reason
        return taken.state

    async def _refuse(self, refusal: Refusal) -> TransferOutcome:
        """Write the refusal for its sender to read, then let the caller have it."""
        record = RefusedRecord(**self._run.model_dump(), code=refusal.code, message=refusal.message)
        await transact(Registry.refuse, record, self._policy, summary=f"refused: {refusal.code.value}", for_ever=True)
        self._board.enter(TransferState.REFUSED)
        self._refusal = refusal
        return TransferOutcome(state=TransferState.REFUSED)

    async def _carry_out(self, plan: Plan) -> TransferState:
        """Ask where it must be asked, then change and reconfigure; give the final state."""
        if self._board.state is TransferState.AWAITING_ACCEPTANCE:
            if (state := await self._approvals.collect(plan)) in FINAL:
                return state
            plan = self._runner.plan or plan
        device = Reconfiguration(
            plan, self._required_charger(), self._runner, self._undo, self._warnings, self._tell_of_key
        )
        try:
            if self._board.state is TransferState.TRANSFERRING:
                await device.quiet()
            else:
                device.was_quieted()
            if self._board.state is TransferState.ROLLING_BACK:
                self._turn_again(plan, device)
            device.owner_changed(await self._change_ownership(plan))
            await device.reconfigure()
        except RollBack as turn:
            turned = await self._turn_back(turn.reason)
            if turned.back:
                self._know_of_lost(plan, turned, device)
                return await self._roll_back(turn.reason)
            await self._go_on(plan, turned, device)
        return await self._finish(
            TransferState.COMPLETED_WITH_WARNINGS if self._warnings else TransferState.COMPLETED, None
        )

    async def _go_on(self, plan: Plan, turned: Turned, device: Reconfiguration) -> None:
        """Go on where there is no way back any more."""
        if not self._runner.progress.change_begun:  # in a workflow task that was lost
            device.owner_changed(await self._change(plan))
        if turned.proven:
            device.proven()
        elif turned.handed_out:
            device.await_new_key()
        await device.reconfigure()

    async def _change_ownership(self, plan: Plan) -> Changed:
        """Change the owner; from its begin there is no cancelling, and with `delete` no way back after it."""
        if plan.rotate and self._board.state is TransferState.TRANSFERRING:
            await self._required_charger().let_enrolment_end()
        await self._approvals.settle()
        if self._runner.cancelled_by is not None:
            raise RollBack(Reason.CANCELLED)
        return await self._change(plan)

    async def _change(self, plan: Plan) -> Changed:
        """Change the owner, or be told what an earlier try has found."""
        self._runner.begin_change()
        self._push_change(plan)
        step = StepName.CHANGE_OWNERSHIP
        change = WhileAbsent(transfer_id=self._ref.transfer_id, absent_after=self._absent_after())
        try:
            with self._required_charger().looking() as saw:
                changed = await self._register(
                    step, Registry.change_ownership, "change the ownership", change, on_record=self._runner.resolved_now
                )
                saw(changed.where)
        except Refusal as refusal:
            self._board.failed(StepName.CHANGE_OWNERSHIP, refusal.message)
            by_address = rules_of(plan.kind).found_by is FoundBy.RECIPIENT
            unusable = by_address and not isinstance(refusal, NotAllowed)
            raise RollBack(Reason.RECIPIENT_UNUSABLE if unusable else Reason.RIGHTS_LOST) from None
        self._board.enter(TransferState.RECONFIGURING)
        if self._runner.progress.no_way_back:
            self._undo.forget()
        return changed

    def _push_change(self, plan: Plan) -> None:
        self._undo.push(StepName.CHANGE_OWNERSHIP, self._undoing(Registry.restore_ownership, "former owner restored"))
        if plan.rotate:
            self._undo.push(
                StepName.ROTATE_CREDENTIALS, self._undoing(Registry.withdraw_credentials, "new credentials withdrawn")
            )

    def _turn_again(self, plan: Plan, device: Reconfiguration) -> NoReturn:
        """Take up a roll-back: what may have been done is undone, once more where it was already."""
        self._push_change(plan)
        device.lists_were_replaced()
        raise RollBack(self._turned or Reason.OPERATOR)

    # --- the end --------------------------------------------------------------------------------------------------

    async def _turn_back(self, reason: Reason) -> Turned:
        """Have the register begin the roll-back, unless there is no way back by now."""
        from_ui = reason is Reason.CANCELLED and self._runner.cancelled_by is Canceller.TEMPORAL_UI
        actor = TEMPORAL_UI if from_ui else SYSTEM
        turn = TurnBack(**self._run.model_dump(), reason=reason, actor=actor)
        return await self._write(Registry.turn_back, turn, f"rolling back: {reason.value}")

    def _know_of_lost(self, plan: Plan, turned: Turned, device: Reconfiguration) -> None:
        """Know what is to be undone that this run's history has not: of a lost workflow task, or before a reset."""
        if turned.again:
            self._required_charger().was_told()
            if not self._undo.knows(StepName.QUIET_CHARGER):
                device.was_quieted()
        if turned.changed and not self._undo.knows(StepName.CHANGE_OWNERSHIP):
            self._push_change(plan)
            if turned.again:
                device.lists_were_replaced()

    async def _roll_back(self, reason: Reason) -> TransferState:
        """Undo every step in reverse order; a compensation that fails waits for an operator, and is never left out."""
        self._board.enter(TransferState.ROLLING_BACK)
        self._warnings.clear()  # they were of the way forward
        await self._undo.unwind(self._board.undoing, self._board.compensated)
        return await self._finish(TransferState.ROLLED_BACK, reason)

    async def _finish(self, state: TransferState, reason: Reason | None) -> TransferState:
        """Write the outcome and release the charge point."""
        self._board.begin(StepName.TELL_PARTIES, note=False)
        end = Finish(
            transfer_id=self._ref.transfer_id,
            state=state,
            reason=reason,
            warnings=tuple(dict.fromkeys(self._warnings)),
            steps=self._board.unwritten,
            absent_after=self._absent_after(),
        )
        on_record = self._may_be_proven_yet() or self._runner.resolved_now
        ended = (await self._write(Registry.finish, end, f"finish as {state.value}", on_record=on_record)).state
        self._board.written()
        self._board.enter(ended)
        return ended

    def _may_be_proven_yet(self) -> bool:
        """Whether the charger may prove its new key while the end is written: another look would say otherwise."""
        return self._runner.plan is not None and self._runner.plan.rotate and not self._runner.proven

    def _absent_after(self) -> int | None:
        """Say by which absence of the charger the story goes in this very workflow task (decision 25)."""
        where = self._required_charger().seen_now
        return where.generation if where is not None and where.node is None else None

    async def _tell_of_key(self, remind_at: datetime) -> None:
        """Have the new owner told that a key is to be typed, and reminded of it."""
        letter = Queue(transfer_id=self._ref.transfer_id, subject=Subject.NEW_KEY, remind_at=remind_at)
        await transact(Outbox.queue, letter, self._policy, summary="a letter about the new key", for_ever=True)

    # --- what others send -----------------------------------------------------------------------------------------

    @workflow.update
    async def open(self) -> Opened:
        """Answer once the charge point is reserved; a refusal is raised with its code as the failure's type."""
        await self._board.until(lambda: self._runner.plan is not None or self._refusal is not None)
        if self._refusal is not None:
            raise failure(self._refusal)
        return Opened(state=self._board.state)

    @workflow.update
    async def accept(self, order: OrderRef) -> TransferStatus:
        """Accept the transfer: the recipient's."""
        return await self._decide(Decision.ACCEPT, order)

    @accept.validator
    def _check_accept(self, order: OrderRef) -> None:
        self._check(Decision.ACCEPT, order)

    @workflow.update
    async def decline(self, order: OrderRef) -> TransferStatus:
        """Decline the transfer: the recipient's."""
        return await self._decide(Decision.DECLINE, order)

    @decline.validator
    def _check_decline(self, order: OrderRef) -> None:
        self._check(Decision.DECLINE, order)

    @workflow.update
    async def cancel(self, order: OrderRef) -> TransferStatus:
        """Cancel the transfer: the sender's and the present owner's, until the ownership change begins."""
        return await self._decide(Decision.CANCEL, order)

    @cancel.validator
    def _check_cancel(self, order: OrderRef) -> None:
        self._check(Decision.CANCEL, order)

    @workflow.update
    async def resend(self, order: OrderRef) -> TransferStatus:
        """Ask the recipient anew, with a new link: the sender's and the operators'."""
        with _refusals_raised():
            return await self._approvals.resend(order.order_id)

    @resend.validator
    def _check_resend(self, order: OrderRef) -> None:
        with _refusals_raised():
            self._approvals.check_resend(order.order_id)

    @workflow.update
    async def resolve(self, order: ResolveOrder) -> TransferStatus:
        """Do what an operator says about the step that runs or waits: at once, the audit trail follows."""
        await self._look_for_way_back(order.action)
        state, step = self._board.state, self._board.step
        if order.action is OperatorAction.ROLL_BACK and state is TransferState.AWAITING_ACCEPTANCE:
            with _refusals_raised():
                state = (await self._approvals.take(Decision.CANCEL, order.order_id)).state
        else:
            self._runner.resolve(order.action)
        if self._runner.plan is None:  # the transfer has no row yet
            return TransferStatus(state=state, order_id=order.order_id)
        return TransferStatus(state=state, order_id=await self._note_resolution(order, step))

    async def _look_for_way_back(self, action: OperatorAction) -> None:
        """Refuse a roll-back where the charger has proven its new key by now, or the new owner was given one."""
        far = self._runner.progress
        if action is OperatorAction.ROLL_BACK and far.change_begun and not far.no_way_back:
            found = await transact(Registry.credentials, self._ref, self._policy, summary="is there a way back")
            with _refusals_raised():
                if found.proven or found.handed_out:
                    self._runner.settle()
                self._runner.check(Action(action.value))

    @resolve.validator
    def _check_resolve(self, order: ResolveOrder) -> None:
        with _refusals_raised():
            self._runner.check(Action(order.action.value))

    @workflow.signal
    def charger_news(self, _news: ChargerNews) -> None:
        """Look at the charger again: something happened there. What did is read from the database."""
        if self._charger is not None:
            self._charger.hear()
        self._early_news = True

    # --- shorthand ------------------------------------------------------------------------------------------------

    async def _register(
        self, name: StepName, step: ActivityMethod[Q, A], summary: str, ask: Q, *, on_record: bool = False
    ) -> A:
        """Run one of the register's steps, which writes its own row."""
        self._board.begin(name, note=False)
        shown, policy = self._board.trying, self._policy
        return await self._runner.run(
            lambda: transact(step, ask, policy, summary=summary, on_record=on_record, shown=shown)
        )

    async def _write(self, step: ActivityMethod[Q, A], ask: Q, summary: str, *, on_record: bool = True) -> A:
        """Have what must be written sooner or later, and from here on stands; shown where that takes long."""
        shown, policy = self._board.trying, self._policy
        with self._board.restoring():
            return await transact(step, ask, policy, summary=summary, for_ever=True, on_record=on_record, shown=shown)

    def _undoing(self, step: ActivityMethod[TransferRef, A], summary: str) -> Callable[[], Awaitable[None]]:
        async def undo() -> None:
            shown = self._board.trying
            await self._runner.run(lambda: transact(step, self._ref, self._policy, summary=summary, shown=shown))

        return undo

    async def _note_resolution(self, order: ResolveOrder, step: StepName | None) -> OrderId | None:
        """Write what an operator has had done, and say whose order it was."""
        note = Note(
            transfer_id=self._ref.transfer_id,
            attention=self._board.attention,
            waiting_until=self._board.waiting_until,
            resolution=order.action,
            order_id=order.order_id,
            detail={"step": step.value if step else "", "update": _update_id()},
        )
        summary = f"operator: {order.action.value}"
        return (await transact(Records.note, note, self._policy, summary=summary, for_ever=True)).order_id

    async def _decide(self, decision: Decision, order: OrderRef) -> TransferStatus:
        with _refusals_raised():
            return await self._approvals.take(decision, order.order_id)

    def _check(self, decision: Decision, order: OrderRef) -> None:
        with _refusals_raised():
            self._approvals.check(decision, order.order_id)

    def _required_charger(self) -> ChargerCommands:
        if self._charger is None:
            raise AssertionError("no plan yet")
        return self._charger


@contextmanager
def _refusals_raised() -> Iterator[None]:
    """Let a caller have a refusal by its code."""
    try:
        yield
    except Refusal as refusal:
        raise failure(refusal) from None


def _update_id() -> str:
    info = workflow.current_update_info()
    return info.id if info else ""
