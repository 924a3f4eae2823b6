"""How a transfer stands, shown wherever somebody looks: search attributes, the UI's current details, the read model."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from activities.contracts.records import Note, Records, StepNote
from domain.ids import ChargePointId, TransferId
from domain.kinds import TransferKind
from domain.policy import Policy
from domain.transfer import Attention, StepName, StepState, TransferState
from domain.transitions import Progress
from domain.waits import Wait, wait_of
from workflows.activity_calls import transact
from workflows.alarm import Alarm
from workflows.options import NOTED_AFTER, SHOWN_AS_RETRYING_AFTER
from workflows.refusals import TransferEnded
from workflows.search_attributes import ATTENTION, CHARGE_POINT, KIND, STATE, STEP, WAITING_UNTIL

_TIME = "%Y-%m-%d %H:%M:%S UTC"
#: The UI cuts the last lines off: these may go.
_RUNBOOK = "Each wait is described in docs/operations.md.\n\n\u00a0"


class StatusBoard:
    """The one place that says how the transfer stands. Showing is synchronous; writing follows in the background."""

    def __init__(self, transfer_id: TransferId) -> None:
        """Start as `requested`."""
        self._transfer_id = transfer_id
        self.policy = Policy()
        """The request's, once that is read."""
        self.progress = Progress(TransferState.REQUESTED)
        self.waiting_until: datetime | None = None
        self._since: datetime | None = None
        self._problem = ""
        self._unwritten: list[StepNote] = []
        self._failed: set[StepName] = set()
        self._alarm = Alarm(self._look)
        self._note_by: datetime | None = None
        """By when what is unwritten is to be written; None: nothing is."""
        self._is_due = False
        """It is time for that. Said by what is in the history, as a timer is: a condition that looks at the time itself
        would hold in a workflow task that was begun for a refused update, too, of which a replay knows nothing."""
        self._trying_since: datetime | None = None
        """Since when an ordinary step is being tried; None: none is."""
        self._closed = False
        self._writer: asyncio.Task[None] | None = None
        self._about: tuple[SearchAttributeUpdate[str], ...] = ()
        self._shown: dict[str, object] = {}
        """The search attributes as they were last upserted."""
        self._flusher: asyncio.Task[None] | None = None
        """Upserts them, once the workflow task has run as far as it can."""
        self.over: TransferEnded | None = None
        """What this run was refused with, as the transfer has ended under another one."""

    @property
    def state(self) -> TransferState:
        """Where the transfer is."""
        return self.progress.state

    @property
    def step(self) -> StepName | None:
        """The one that began last."""
        return self.progress.step

    @property
    def attention(self) -> Attention:
        """What the transfer waits for."""
        return self.progress.attention

    def enter(self, state: TransferState) -> None:
        """Show a state that a register step has written."""
        self.progress = replace(self.progress, state=state)
        self._show_details()
        self._flush_in_time()

    def begin(self, step: StepName, *, note: bool) -> None:
        """Show the step that runs; with `note`, write it too (the register's own steps write themselves)."""
        self.progress = replace(self.progress, step=step)
        if note:
            self._keep(StepNote(name=step, state=StepState.RUNNING))
        self._show_details()
        self._flush_in_time()

    def done(self, step: StepName, remark: str | None = None) -> None:
        """Write that a step is done."""
        self._end(step, StepState.DONE, remark)

    def skipped(self, step: StepName, remark: str | None = None) -> None:
        """Write that a step is left out, and why."""
        self._end(step, StepState.SKIPPED, remark)

    def failed(self, step: StepName, error: str) -> None:
        """Write that a step failed."""
        self._failed.add(step)
        self._end(step, StepState.FAILED, error)

    def undoing(self, step: StepName) -> None:
        """Show the step whose compensation runs."""
        self.progress = replace(self.progress, step=step)
        self._show_details()

    def given_up(self, step: StepName, error: str, attempts: int) -> None:
        """Write what a step failed with that waits for an operator, and how often it was tried."""
        if self._writer is not None:
            self._keep(StepNote(name=step, last_error=error, attempts=attempts))

    def compensated(self, step: StepName) -> None:
        """Write that a step is undone; of one that failed the error says more."""
        if step not in self._failed:
            self._end(step, StepState.COMPENSATED, None)

    def _end(self, step: StepName, state: StepState, remark: str | None) -> None:
        self._keep(StepNote(name=step, state=state, last_error=remark))

    def _keep(self, note: StepNote) -> None:
        """Write how a step stands soon: many are over before anybody could read it."""
        self._unwritten.append(note)
        if self._note_by is None:
            self._note_by = workflow.now() + NOTED_AFTER
            self._alarm.set(self._note_by)

    @property
    def unwritten(self) -> tuple[StepNote, ...]:
        """How steps stand that is not written yet: whoever writes to the transfer now takes it along."""
        return tuple(self._unwritten)

    def written(self) -> None:
        """Know that all of it is written."""
        self._unwritten, self._note_by, self._is_due = [], None, False

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Show the transfer as `retrying` where what is tried inside the block takes long."""
        self._trying_since = workflow.now()
        self._alarm.set(self._trying_since + NOTED_AFTER)
        try:
            yield
        finally:
            self._trying_since = None

    def _look(self) -> None:
        """See what is due: the writer's waits look at the time by themselves."""
        self.flush()
        now = workflow.now()
        if self._note_by is not None and self._note_by > now:
            self._alarm.set(self._note_by)
        self._is_due = self._note_by is not None and self._note_by <= now
        if self._trying_since is not None:
            shown_at = self._trying_since + SHOWN_AS_RETRYING_AFTER
            if shown_at > now:
                self._alarm.set(shown_at)
            elif self.attention is Attention.NONE:
                self.wait_for(Attention.RETRYING)

    def wait_for(
        self, attention: Attention, until: datetime | None = None, problem: str = "", *, note: bool = True
    ) -> None:
        """Show what the transfer waits for, and what else there is to say; `Attention.NONE` once it runs again.

        With `note` it is written, too: the register's own steps write themselves.
        """
        if (attention, until, problem) == (self.attention, self.waiting_until, self._problem):
            return
        if attention is not self.attention:
            self._since = workflow.now()
        self.progress = replace(self.progress, attention=attention)
        self.waiting_until, self._problem = until, problem
        if note:
            self._note_by, self._is_due = workflow.now(), True
        self._show_details()
        if attention and self._flusher is None:  # what runs on shows itself with what it does next
            self._flusher = asyncio.create_task(self._flush_soon())

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Show after the block what the transfer waited for before it."""
        with _afterwards(partial(self.wait_for, self.attention, self.waiting_until, self._problem)):
            yield

    @contextmanager
    def waiting(self, attention: Attention, until: datetime | None) -> Iterator[None]:
        """Show inside the block what the transfer waits for, and afterwards what it waited for before."""
        with self.restoring():
            self.wait_for(attention, until)
            yield

    @contextmanager
    def expecting(self, what: str, by: datetime) -> Iterator[None]:
        """Show inside the block what is expected soon, which needs nobody's attention before `by`."""
        with _afterwards(self._show_details):
            self._show_details(f"{what} by {by:{_TIME}}; an operator is asked otherwise.")
            yield

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Let the story hear of what is refused beside it, inside the block, as the transfer has ended."""
        try:
            yield
        except TransferEnded as ended:
            self.over = ended
            raise

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something; raises TransferEnded where this run is over first."""
        await workflow.wait_condition(lambda: condition() or self.over is not None)
        if self.over is not None:
            raise self.over

    def open(self) -> None:
        """Start writing: the transfer has a row from now on."""
        self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Write what is left, and stop."""
        self._closed = True
        if self._writer is not None:
            await self._writer

    def about(self, kind: TransferKind, charge_point_id: ChargePointId) -> None:
        """Show what the transfer is, once that is known."""
        self._about = (KIND.value_set(kind.value), CHARGE_POINT.value_set(charge_point_id))

    def flush(self) -> None:
        """Upsert the search attributes that have changed; a transfer that is only asked for, and runs, has none yet.

        A little after something has changed, where a wait begins, and at the end: each upsert is an event, and a write.
        """
        self._flusher = None
        if self.state is TransferState.REQUESTED and not self.attention:
            return
        shown: dict[str, SearchAttributeUpdate[Any]] = {
            STATE.name: STATE.value_set(self.state.value),
            ATTENTION.name: ATTENTION.value_set(self.attention.value) if self.attention else ATTENTION.value_unset(),
            STEP.name: STEP.value_set(self.step.value) if self.step else STEP.value_unset(),
            WAITING_UNTIL.name: WAITING_UNTIL.value_set(self.waiting_until)
            if self.waiting_until
            else WAITING_UNTIL.value_unset(),
            **{update.key.name: update for update in self._about},
        }
        changed = [update for name, update in shown.items() if update.value != self._shown.get(name)]
        if changed:
            workflow.upsert_search_attributes(changed)
            self._shown |= {update.key.name: update.value for update in changed}

    def _flush_in_time(self) -> None:
        """Upsert in a little while, whatever the transfer waits for then: most are over before."""
        self._alarm.set(workflow.now() + NOTED_AFTER)

    async def _flush_soon(self) -> None:
        """Upsert once everything that runs now has run."""
        self.flush()

    def _show_details(self, expected: str = "") -> None:
        lines = [f"**{self.state.value}**" + (f", step `{self.step.value}`" if self.step else "")]
        if self.attention:
            wait = wait_of(self.attention, self.state)
            lines += [_headline(self.attention, wait), self._how_long(wait), wait.to_do]
        lines += [expected, self._problem, _RUNBOOK]
        workflow.set_current_details("\n\n".join(line for line in lines if line))

    def _how_long(self, wait: Wait) -> str:
        since = f"Since {self._since:{_TIME}}" if self._since else ""
        if self.waiting_until is None:
            return f"{since}."
        return f"{since}; until {self.waiting_until:{_TIME}}, then {wait.then}."

    async def _write(self) -> None:
        """Write the newest standing once that is due; a database that is away delays it, nothing else."""
        while True:
            await workflow.wait_condition(lambda: self._is_due or self._closed)
            if self._note_by is None:
                return
            note = Note(
                transfer_id=self._transfer_id,
                attention=self.attention,
                waiting_until=self.waiting_until,
                steps=self.unwritten,
            )
            self.written()
            with self.hearing():
                await transact(Records.note, note, self.policy, summary="how the transfer stands", for_ever=True)


@contextmanager
def _afterwards(show: Callable[[], None]) -> Iterator[None]:
    """Show something after the block, however it ends, unless the workflow is put away in it.

    Its coroutines are closed then whenever memory is tidied up: that may be in the middle of another workflow, which
    would take what is shown for its own.
    """
    put_away = False
    try:
        yield
    except GeneratorExit:
        put_away = True
        raise
    finally:
        if not put_away:
            show()


def _headline(attention: Attention, wait: Wait) -> str:
    match attention:
        case Attention.OPERATOR:
            return "**Needs an operator.** Meanwhile it tries again by itself."
        case Attention.RETRYING:
            return f"Waits for {wait.awaits}; *Pending Activities* has the last error."
        case _:
            return f"Waits for {wait.awaits}."
