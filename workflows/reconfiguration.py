"""Which device steps a transfer takes, in which order, and what follows where one can't be done."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio import workflow

from activities.contracts.registry import Changed, Plan
from domain.charger import NO_LIST, CommandOutcome, Shortfall
from domain.transfer import (
    KEY_REFUSED,
    REFUSED_BY_CHARGER,
    UNROTATABLE,
    UNSUPPORTED,
    Connection,
    IfOffline,
    Reason,
    StepName,
    TransferWarning,
    UntilNewKey,
)
from workflows.charger import CannotRotate, ChargerCommands, ChargerOffline, KeyAwaited, NotTaken
from workflows.compensation import Compensations
from workflows.step_runner import LeftUndone, RollBack, StepRunner


class Reconfiguration:
    """The device steps of one transfer, after docs/rules.md's table; notes what is left due as warnings."""

    def __init__(
        self,
        plan: Plan,
        charger: ChargerCommands,
        runner: StepRunner,
        undo: Compensations,
        warnings: list[TransferWarning],
        tell_of_key: Callable[[datetime], Awaitable[None]],
    ) -> None:
        """Take the plan and the tools of one transfer; `tell_of_key` has the new owner told, and reminded at a time."""
        self._tell_of_key = tell_of_key
        self._plan = plan
        self._charger = charger
        self._runner = runner
        self._board = runner.board
        self._undo = undo
        self._warnings = warnings
        self._began_quiet = False
        self._quieted = False
        """The charger may be inoperative."""
        self._over: set[StepName] = set()
        """What is not taken once more."""
        self._changed_at: datetime | None = None
        self._awaits_key = False
        """Only a key that the new owner types can replace the one in use."""
        self._rotates: bool | None = None
        self._given_up = False
        """Its new credentials are due: until it has them it is told nothing else."""

    async def quiet(self) -> None:
        """Before the change: no new charging session, and the end of the running one."""
        if not self._plan.quiet:
            return self._board.skipped(StepName.QUIET_CHARGER)
        self._undo.push(StepName.QUIET_CHARGER, self._release_after_roll_back)
        self._began_quiet = self._quieted = True
        outcome = await self._step(StepName.QUIET_CHARGER, self._charger.quiet)
        self._quieted = outcome not in {CommandOutcome.REJECTED, CommandOutcome.NOT_SUPPORTED}
        return None

    def was_quieted(self) -> None:
        """Know that an earlier run of the transfer has been through `quiet`."""
        if self._plan.quiet:
            self._undo.push(StepName.QUIET_CHARGER, self._release_after_roll_back)
            self._began_quiet = self._quieted = True

    def lists_were_replaced(self) -> None:
        """Know that an earlier run may have replaced the lists."""
        if self._plan.lists:
            self._undo.push(StepName.REPLACE_LISTS, self._restore_lists)

    def owner_changed(self, changed: Changed) -> None:
        """Know what the change has found."""
        self._changed_at, self._awaits_key, self._rotates = changed.at, changed.new_key, changed.rotates

    def await_new_key(self) -> None:
        """Know that the new owner was given a key to type: there is no way back."""
        self._awaits_key = True
        self._runner.settle()

    async def reconfigure(self) -> None:
        """After the change: lists, credentials, release. Raises RollBack where the transfer can't stand.

        Called again, it takes the steps that are not over yet.
        """
        # a workflow's clock may be behind the change: it knows of a local activity's last try, not of those before it
        until = max(workflow.now(), self._changed_at or workflow.now()) + self._runner.policy.offline_deadline
        if not self._awaits_key:
            if not (self._plan.rotate and await self._charger.must_prove_first()):
                await self._replace_lists(until)
            await self._rotate(until)
        if self._awaits_key and StepName.ROTATE_CREDENTIALS not in self._over:
            await self._see_new_key(until)
        with self._charger.unsure(if_so=self._awaits_key and self._given_up):
            await self._replace_lists(until)
            await self._release(until)
        if self._plan.connection is Connection.DELETE:
            await self._charger.disconnect()

    async def _see_new_key(self, until: datetime) -> None:
        """Wait for the key that the new owner types, while the old one opens what the recipient chose.

        Where it serves them meanwhile, the charger gets an empty list and is in service again first; where it takes no
        key that it is sent, there is nothing to wait for.
        """
        step, serves = StepName.ROTATE_CREDENTIALS, self._plan.until_new_key is UntilNewKey.SERVE
        noted = len(self._warnings)
        if serves:
            await self._serve_meanwhile()
        if serves and self._rotates is False:
            until = workflow.now()
        self._board.begin(step, note=True)
        await self._tell_of_key(workflow.now() + (until - workflow.now()) / 2)
        try:
            with self._runner.may_be_left():
                proven = await self._charger.await_new_key(until)
        except LeftUndone as left:
            return self._leave_known(left.message, TransferWarning.LEFT_UNDONE_BY_OPERATOR)
        except RollBack as turn:
            self._board.failed(step, f"Rolled back: {turn.reason.value}.")
            raise
        if not proven:
            return self._leave_known("People know the key in use; it ends once the new owner's is.")
        # whoever else has the old key may have said that it was done, or that it can't be
        self._warnings[noted:] = [
            one for one in self._warnings[noted:] if one is TransferWarning.LEFT_UNDONE_BY_OPERATOR
        ]
        self._over -= {StepName.REPLACE_LISTS, StepName.RELEASE_CHARGER}
        return self.proven()

    async def _serve_meanwhile(self) -> None:
        """Do what the wait for the new owner's key is not to hold up, where the charger is there for it."""
        now = workflow.now()
        with self._charger.unsure():
            await self._replace_lists(now, early=True)
            await self._release(now, early=True)

    def _leave_known(self, remark: str, *why: TransferWarning) -> None:
        self._given_up = True
        self._over.add(StepName.ROTATE_CREDENTIALS)
        self._warnings += [*why, TransferWarning.OLD_KEY_KNOWN]
        self._board.skipped(StepName.ROTATE_CREDENTIALS, remark)

    async def _replace_lists(self, until: datetime, *, early: bool = False) -> None:
        """Replace the lists, once; `early`: where the charger is away it is not due yet."""
        if StepName.REPLACE_LISTS in self._over:
            return None
        if not self._plan.lists:
            self._over.add(StepName.REPLACE_LISTS)
            return self._board.skipped(StepName.REPLACE_LISTS)
        if not self._runner.progress.no_way_back:
            self._undo.push(StepName.REPLACE_LISTS, self._restore_lists)
        if self._given_up or not self._plan.rotate:
            until = workflow.now()
        noted = len(self._warnings)
        left: list[Shortfall] = []

        async def replace() -> CommandOutcome | None:
            answer = await self._charger.replace_lists(until)
            left.extend(answer.left if answer else ())
            return answer.outcome if answer else None

        outcome = await self._step(StepName.REPLACE_LISTS, replace)
        if outcome is None and early and len(self._warnings) == noted:
            return None
        self._over.add(StepName.REPLACE_LISTS)
        if outcome in NO_LIST:
            self._warnings.append(TransferWarning.LISTS_NOT_SUPPORTED)
        self._warnings += [TransferWarning(shortfall.value) for shortfall in left]
        if outcome is None and len(self._warnings) == noted:
            self._warnings.append(TransferWarning.LISTS_DUE)
        return None

    async def _rotate(self, until: datetime) -> None:
        if StepName.ROTATE_CREDENTIALS in self._over:
            return None
        if not self._plan.rotate:
            return self._board.skipped(StepName.ROTATE_CREDENTIALS)
        step = StepName.ROTATE_CREDENTIALS
        self._board.begin(step, note=True)
        try:
            with self._runner.may_be_left():
                await self._charger.rotate(until)
        except KeyAwaited:
            self._awaits_key = True
        except CannotRotate:
            await self._leave_unrotated()
        except ChargerOffline:
            if self._plan.if_offline is IfOffline.ROLL_BACK:
                self._board.failed(step, "The charger stayed offline.")
                raise RollBack(Reason.CHARGER_OFFLINE) from None
            remark = "The charger stayed offline; its new credentials are due when it returns."
            await self._leave_credentials_due(TransferWarning.CHARGER_OFFLINE, remark)
        except LeftUndone as left:
            await self._leave_credentials_due(TransferWarning.LEFT_UNDONE_BY_OPERATOR, left.message)
        except RollBack as turn:
            rejected = turn.reason is Reason.CHARGER_REJECTED
            self._board.failed(step, KEY_REFUSED if rejected else f"Rolled back: {turn.reason.value}.")
            raise
        else:
            self.proven()
        return None

    async def _leave_unrotated(self) -> None:
        if await self._charger.keep_old_key():
            return self.proven()
        self._warnings.append(TransferWarning.CREDENTIALS_CANNOT_BE_ROTATED)
        return self._board.skipped(StepName.ROTATE_CREDENTIALS, UNROTATABLE)

    async def _leave_credentials_due(self, why: TransferWarning, remark: str) -> None:
        if await self._charger.leave_credentials_due():
            return self.proven()
        self._given_up = True
        self._warnings += [why, TransferWarning.CREDENTIALS_DUE]
        self._board.skipped(StepName.ROTATE_CREDENTIALS, remark)
        return None

    def proven(self) -> None:
        """Pass the point of no return: the charger uses its new credentials."""
        self._over.add(StepName.ROTATE_CREDENTIALS)
        self._runner.proven = True
        self._runner.settle()
        self._undo.forget()
        self._board.done(StepName.ROTATE_CREDENTIALS)

    async def _release(self, until: datetime, *, early: bool = False) -> None:
        """Put it back into service, once; `early`: where the charger is away it is not due yet."""
        if StepName.RELEASE_CHARGER in self._over:
            return None
        if not self._began_quiet:
            self._over.add(StepName.RELEASE_CHARGER)
            return self._board.skipped(StepName.RELEASE_CHARGER)
        if self._given_up or self._plan.connection is Connection.DELETE:
            until = workflow.now()
        noted = len(self._warnings)
        outcome = await self._step(StepName.RELEASE_CHARGER, lambda: self._charger.release(until))
        if outcome is None and early and len(self._warnings) == noted:
            return None
        self._over.add(StepName.RELEASE_CHARGER)
        self._look_at_release(outcome)
        return None

    def _look_at_release(self, outcome: CommandOutcome | None) -> None:
        """Note that a charger that was made inoperative may still be."""
        taken = outcome in {CommandOutcome.DONE, CommandOutcome.SCHEDULED}
        if self._quieted and not taken:
            self._warnings.append(TransferWarning.RELEASE_DUE)

    # --- compensations --------------------------------------------------------------------------------------------

    async def _release_after_roll_back(self) -> None:
        self._look_at_release(await self._charger.release(self._soon()))

    async def _restore_lists(self) -> None:
        if await self._charger.replace_lists(self._soon(), restore=True) is None:
            self._warnings.append(TransferWarning.LISTS_DUE)

    def _soon(self) -> datetime:
        """How long an offline charger holds a roll-back up: the former owner is not to wait for it."""
        return workflow.now() + self._runner.policy.look_again

    # --- shorthand ------------------------------------------------------------------------------------------------

    async def _step(self, step: StepName, do: Callable[[], Awaitable[CommandOutcome | None]]) -> CommandOutcome | None:
        """Run a device step, and write how it went; None where the charger did not take it or an operator left it."""
        self._board.begin(step, note=True)
        remark = None
        try:
            with self._runner.may_be_left():
                outcome = await do()
        except NotTaken as failed:
            outcome, remark = None, failed.message
        except LeftUndone as left:
            self._warnings.append(TransferWarning.LEFT_UNDONE_BY_OPERATOR)
            self._board.skipped(step, left.message)
            return None
        except RollBack as turn:
            self._board.failed(step, f"Rolled back: {turn.reason.value}.")
            raise
        if outcome is None:
            self._board.skipped(step, remark or self._charger.missed)
        elif outcome is CommandOutcome.NOT_SUPPORTED:
            self._board.skipped(step, UNSUPPORTED)
        elif outcome is CommandOutcome.REJECTED:
            self._board.done(step, REFUSED_BY_CHARGER)
        else:
            self._board.done(step)
        return outcome
