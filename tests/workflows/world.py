"""A world of fakes for the workflow: each subclasses its contract, remembers what it was asked, and can be told off."""

import asyncio
import inspect
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.contracts.charger import NOT_CONNECTED, Charger, DeviceAnswer, DeviceOrder, Rotated
from activities.contracts.messages import Done, TransferRef, TransferRun
from activities.contracts.outbox import Deliver, Outbox, Queue
from activities.contracts.records import Note, Noted, Records, StepNote
from activities.contracts.registry import (
    Changed,
    CredentialsStatus,
    Decided,
    DecisionRecord,
    Finish,
    Finished,
    Plan,
    Proof,
    RefusedRecord,
    Registry,
    ResendRecord,
    Taken,
    TakenUp,
    TurnBack,
    Turned,
    Whereabouts,
    WhileAbsent,
)
from domain.approval import Decision
from domain.charger import CommandOutcome, KeyAnswer, Shortfall
from domain.ids import ChargePointId, NodeId, OrderId
from domain.kinds import TransferKind
from domain.orders import unproven
from domain.policy import DEFAULT_POLICY, Policy
from domain.transfer import (
    Attention,
    Connection,
    IfOffline,
    Reason,
    RunningSession,
    StepName,
    StepState,
    TransferState,
    TransferWarning,
)

CHARGE_POINT = ChargePointId("cp_1")
ENDS = {
    Decision.ACCEPT: TransferState.TRANSFERRING,
    Decision.DECLINE: TransferState.DECLINED,
    Decision.CANCEL: TransferState.CANCELLED,
    Decision.EXPIRE: TransferState.EXPIRED,
}


#: How long a test waits for what is to happen, in seconds.
_PATIENCE = 15
#: Who decides where there is no order.
BY_ITSELF = {Decision.EXPIRE: "system", Decision.CANCEL: "temporal-ui"}


def plan(**given: Any) -> Plan:
    """A transfer to a user, kept connected, nobody asked: every device step."""
    defaults: dict[str, Any] = {
        "kind": TransferKind.TRANSFER_TO_USER,
        "charge_point_id": CHARGE_POINT,
        "state": TransferState.TRANSFERRING,
        "expires_at": None,
        "running_session": RunningSession.WAIT,
        "if_offline": IfOffline.COMPLETE,
        "connection": Connection.KEEP,
        "quiet": True,
        "lists": True,
        "rotate": True,
    }
    return Plan(**(defaults | given))


def asked(seconds: float = 3600, **given: Any) -> Plan:
    """A plan that waits for its recipient."""
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    return plan(state=TransferState.AWAITING_ACCEPTANCE, expires_at=expires, **given)


@dataclass
class World(Registry, Charger, Outbox, Records):
    """Everything a transfer touches. `fail[name]` holds the errors that its next calls raise, in order."""

    plan: Plan = field(default_factory=plan)
    node: str | None = "node"
    calls: list[str] = field(default_factory=list)
    policy: Policy = DEFAULT_POLICY
    unproven: set[OrderId] = field(default_factory=set)
    """Orders that nobody gave."""
    run_id: str = ""
    again: bool = False
    """Whoever turns back is another run than the one that reserved."""
    fail: dict[str, list[BaseException]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    held: asyncio.Event | None = None
    """A gate at which a call stays even where it is cancelled."""
    reached: Counter[str] = field(default_factory=Counter)
    left: tuple[Shortfall, ...] = ()
    """What the charger could not do about the former group's tags."""
    session_running: bool = False
    proven: bool = False
    new_key: bool = False
    """People may know the key in use at the change."""
    handed_out: bool = False
    rotates: bool | None = None
    counts: bool = True
    """The charger's answer to a key came over a connection that only it can have opened."""
    enrolment_sent_at: datetime | None = None
    proves: bool = True
    """Whether the charger comes back with its new key once it has accepted it."""
    quarantined: bool = False
    old_key_returns: int = 0
    answer: KeyAnswer | None = None
    owner: str = "before"
    changed_at: datetime | None = None
    waiting_until: datetime | None = None
    generation: int = 1
    state: TransferState = TransferState.REQUESTED
    attention: Attention = Attention.NONE
    attentions: list[Attention] = field(default_factory=list)
    """All that were noted."""
    decided: dict[str, bool] | None = None
    """The steps that an acceptance leads to; None: the plan's own."""
    warnings: tuple[TransferWarning, ...] = ()
    reason: str | None = None
    decisions: tuple[Taken, ...] = ()
    resent: tuple[OrderId, ...] = ()
    ends: dict[Decision, TransferState] = field(default_factory=lambda: dict(ENDS))
    """What each decision leads to."""
    steps: dict[StepName, StepState] = field(default_factory=dict)
    errors: dict[StepName, tuple[str, int]] = field(default_factory=dict)
    letters: list[Queue] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def _call(self, name: str) -> None:
        self.reached[name] += 1
        self.changed.set()
        if gate := self.gates.get(name):
            while not gate.is_set():
                try:
                    await gate.wait()
                except asyncio.CancelledError:
                    if gate is not self.held:
                        raise
        if self.fail[name]:
            raise self.fail[name].pop(0)
        self.calls.append(name)
        self.changed.set()

    # registry

    async def reserve(self, run: TransferRun) -> Plan:
        await self._call("reserve")
        if self.state is TransferState.REQUESTED:
            self.state = self.plan.state
        self.run_id = self.run_id or run.run_id
        self.steps |= dict.fromkeys(
            (StepName.VALIDATE_RIGHTS, StepName.LOOK_UP_TARGET, StepName.RESERVE), StepState.DONE
        )
        asks = self.plan.state is TransferState.AWAITING_ACCEPTANCE
        self.steps.setdefault(StepName.ASK_RECIPIENT, StepState.RUNNING if asks else StepState.SKIPPED)
        self._wait_anew()
        return self.plan.model_copy(update={"again": run.run_id != self.run_id, "policy": self.policy})

    async def refuse(self, refusal: RefusedRecord) -> Done:
        await self._call("refuse")
        self.state, self.reason = TransferState.REFUSED, refusal.code.value
        return Done()

    async def decide(self, record: DecisionRecord) -> Decided:
        decision, order_id = record.decision, self._given(record.order_id)
        if order_id is None and decision not in BY_ITSELF:
            raise unproven()
        await self._call(f"decide:{decision.value}:{order_id or BY_ITSELF[decision]}")
        state = self.ends[decision]
        if decision is Decision.CANCEL and self.state is TransferState.TRANSFERRING:
            state = TransferState.ROLLING_BACK
        self.state = state
        self._wait_anew()
        if self.steps.get(StepName.ASK_RECIPIENT) is StepState.RUNNING:
            self.steps[StepName.ASK_RECIPIENT] = StepState.DONE
        self.reason = "cancelled" if decision is Decision.CANCEL else None
        self.decisions += (Taken(decision=decision, order_id=order_id, state=state),)
        own = {"quiet": self.plan.quiet, "lists": self.plan.lists, "rotate": self.plan.rotate}
        steps = own if self.decided is None else self.decided
        return Decided(state=state, order_id=order_id, **steps)

    async def resend(self, record: ResendRecord) -> Done:
        order_id = self._given(record.order_id)
        if order_id is None:
            raise unproven()
        await self._call(f"resend:{order_id}")
        if order_id not in self.resent:
            self.resent += (order_id,)
        return Done()

    def _given(self, order_id: OrderId | None) -> OrderId | None:
        return None if order_id in self.unproven else order_id

    def _wait_anew(self) -> None:
        """Wait for what the register itself writes: the recipient, or nobody."""
        asks = self.state is TransferState.AWAITING_ACCEPTANCE
        self.attention = Attention.RECIPIENT if asks else Attention.NONE
        self.attentions.append(self.attention)

    async def take_up(self, run: TransferRun) -> TakenUp:
        await self._call("take_up")
        self._wait_anew()
        return TakenUp(
            state=self.state,
            reason=Reason(self.reason) if self.reason else None,
            decisions=self.decisions,
            resent=self.resent,
        )

    async def block_sessions(self, ref: TransferRef) -> Whereabouts:
        await self._call("block_sessions")
        return self._whereabouts()

    async def allow_sessions(self, ref: TransferRef) -> Whereabouts:
        await self._call("allow_sessions")
        return self._whereabouts()

    async def change_ownership(self, change: WhileAbsent) -> Changed:
        await self._call("change_ownership")
        self.owner, self.state = "after", TransferState.RECONFIGURING
        self.changed_at = self.changed_at or datetime.now(UTC)
        self.steps[StepName.CHANGE_OWNERSHIP] = StepState.DONE
        where = self._whereabouts()
        return Changed(version=1, at=self.changed_at, new_key=self.new_key, rotates=self.rotates, where=where)

    async def turn_back(self, turn: TurnBack) -> Turned:
        await self._call("turn_back")
        changed = self.owner == "after"
        revoked = changed and self.plan.connection is Connection.DELETE
        back = not (self.proven or self.handed_out or revoked)
        if back:
            self.state, self.reason = TransferState.ROLLING_BACK, turn.reason.value
        return Turned(proven=self.proven, handed_out=self.handed_out, back=back, changed=changed, again=self.again)

    async def restore_ownership(self, ref: TransferRef) -> Changed:
        await self._call("restore_ownership")
        self.owner = "before"
        return Changed(version=2)

    async def withdraw_credentials(self, ref: TransferRef) -> Proof:
        await self._call("withdraw_credentials")
        return Proof(proven=self.proven, handed_out=self.handed_out)

    async def await_new_key(self, ref: TransferRef) -> Proof:
        await self._call("await_new_key")
        return Proof(proven=self.proven, handed_out=self.handed_out)

    async def leave_credentials_due(self, ref: TransferRef) -> Proof:
        await self._call("leave_credentials_due")
        return Proof(proven=self.proven)

    async def finish(self, end: Finish) -> Finished:
        await self._call("finish")
        self.state, self.warnings = end.state, end.warnings
        self.reason = end.reason.value if end.reason else None
        self.attention = Attention.NONE
        self._note_steps(end.steps)
        self.steps[StepName.TELL_PARTIES] = StepState.DONE
        return Finished(state=end.state)

    async def locate(self, ref: TransferRef) -> Whereabouts:
        self.reached["locate"] += 1
        self.changed.set()
        if self.fail["locate"]:
            raise self.fail["locate"].pop(0)
        return self._whereabouts()

    def _whereabouts(self) -> Whereabouts:
        return Whereabouts(
            node=NodeId(self.node) if self.node else None,
            generation=self.generation,
            quarantined=self.quarantined,
            session_running=self.session_running,
            enrolment_sent_at=self.enrolment_sent_at,
        )

    async def credentials(self, ref: TransferRef) -> CredentialsStatus:
        self.reached["credentials"] += 1
        self.changed.set()
        return CredentialsStatus(
            answer=self.answer,
            answer_counts=self.counts,
            proven=self.proven,
            handed_out=self.handed_out,
            old_key_returns=self.old_key_returns,
            where=self._whereabouts(),
        )

    # the charger

    async def quiet(self, order: DeviceOrder) -> DeviceAnswer:
        return await self._device("quiet")

    async def release(self, order: DeviceOrder) -> DeviceAnswer:
        return await self._device("release")

    async def replace_lists(self, order: DeviceOrder) -> DeviceAnswer:
        return await self._device("restore_lists" if order.restore else "replace_lists")

    async def rotate(self, order: DeviceOrder) -> Rotated:
        await self._device("rotate")
        self.answer = self.answers["rotate"].pop(0) if self.answers["rotate"] else KeyAnswer.ACCEPTED
        if self.answer is KeyAnswer.ACCEPTED and self.proves:
            self.proven = True
        return Rotated(answer=self.answer, counts=self.counts)

    async def reset(self, order: DeviceOrder) -> DeviceAnswer:
        self.proven = self.proves
        return await self._device("reset")

    async def disconnect(self, order: DeviceOrder) -> Done:
        await self._device("disconnect")
        self.generation += 1
        return Done()

    async def _device(self, name: str) -> DeviceAnswer:
        if self.node is None:
            raise ApplicationError("no socket here", type=NOT_CONNECTED, non_retryable=True)
        await self._call(name)
        outcome = self.answers[name].pop(0) if name != "rotate" and self.answers[name] else CommandOutcome.DONE
        return DeviceAnswer(outcome=outcome, left=self.left if name == "replace_lists" else ())

    # letters and records

    async def queue(self, letter: Queue) -> Done:
        await self._call("queue")
        self.letters.append(letter)
        return Done()

    async def deliver(self, order: Deliver) -> Done:
        raise AssertionError("letters are none of a transfer's run")

    async def note(self, note: Note) -> Noted:
        self.attention, self.waiting_until = note.attention, note.waiting_until
        self.attentions.append(note.attention)
        if note.resolution is not None:
            await self._call("note_resolution")
        if note.state is not None:
            self.state = note.state
            self.reason = note.reason.value if note.reason else self.reason
        self._note_steps(note.steps)
        self.changed.set()
        return Noted(order_id=self._given(note.order_id))

    def _note_steps(self, notes: tuple[StepNote, ...]) -> None:
        for step in notes:
            if step.state is not None:
                self.steps[step.name] = step.state
            if step.last_error is not None:
                self.errors[step.name] = (step.last_error, step.attempts)

    async def until(self, holds: Any) -> None:
        """Wait for an event after which `holds()`; raises AssertionError with how it stands where none comes."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not holds():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            stands = f"{self.state=} {self.reason=} {self.attention=} {self.steps=} {self.reached=} {self.errors=}"
            raise AssertionError(
                f"{_PATIENCE} s, and still not so: {inspect.getsource(holds).strip()}\n{stands}"
            ) from None
