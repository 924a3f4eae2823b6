"""The part of the story that happens at the charger: reach it, quiet it, replace its lists, rotate, prove, release."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType, is_cancelled_exception

from activities.contracts.charger import NOT_CONNECTED, Charger, DeviceAnswer, DeviceOrder
from activities.contracts.messages import Message, TransferRef
from activities.contracts.registry import CredentialsStatus, Plan, Proof, Registry, Whereabouts
from domain.charger import REFUSALS, CommandOutcome, KeyAnswer
from domain.errors import ErrorCode, HandoverError
from domain.ids import TransferId, gateway_queue
from domain.transfer import Attention, Connection, Reason, RunningSession
from workflows.activity_calls import ActivityMethod, call, transact
from workflows.options import LONGEST_PAUSE, LOOK_UPS, OLD_KEY_RETURNS, WAKE_UPS, device, device_once
from workflows.refusals import causes
from workflows.step_runner import RollBack, StepRunner

A = TypeVar("A", bound=Message)
#: Gives whom to tell, in the block, where the charger was seen.
Looking = Callable[[], AbstractContextManager[Callable[[Whereabouts | None], None]]]

_OFFLINE: Final = "The charger is offline."


#: What a charger says that is going to restart.
_RESTARTS: Final = frozenset({CommandOutcome.DONE, CommandOutcome.SCHEDULED})


class ChargerOffline(HandoverError):
    """The charger did not connect before the deadline."""


class CannotRotate(HandoverError):
    """The charger can't change its credentials at all."""


class KeyAwaited(HandoverError):
    """Nothing but a key that the new owner types can replace the one in use."""


class ChargerCommands:
    """One transfer's charger, wherever its socket is."""

    def __init__(self, transfer_id: TransferId, plan: Plan, runner: StepRunner) -> None:
        """Know the charger by its transfer's plan."""
        self._ref = TransferRef(transfer_id=transfer_id)
        self._plan = plan
        self._runner = runner
        self._news = 0
        self._sent: set[object] = set()
        """The steps that some gateway was asked to take: the charger may know of them."""
        self._is_unsure = False
        """What is connected may be somebody else."""
        self._seen: tuple[datetime, Whereabouts] | None = None
        """Where it was at the beginning of which workflow task: until that ends nothing else can be heard of."""
        self.missed = _OFFLINE
        """Why the last command was not taken, where it was not."""

    @contextmanager
    def unsure(self, *, if_so: bool = True) -> Iterator[None]:
        """Tell it once, inside the block, and raise NotTaken where that fails: it may be somebody else.

        What is connected with a key that people know is not to hold anything up, nor to have an operator called.
        """
        self._is_unsure = if_so
        try:
            yield
        finally:
            self._is_unsure = False

    @property
    def seen_now(self) -> Whereabouts | None:
        """Where it was seen to be in this very workflow task; None: it was not, or there was news since."""
        return self._seen[1] if self._seen is not None and self._seen[0] == workflow.now() else None

    def was_told(self) -> None:
        """Know that an earlier run may have sent it anything."""
        self._sent |= {Charger.quiet, Charger.replace_lists}

    def hear(self) -> None:
        """Take a signal: something happened at the charger, look at the database."""
        self._seen = None
        if self._news < WAKE_UPS:
            self._news += 1

    def _heard_since(self, seen: int) -> Callable[[], bool]:
        """Give the condition that there is news after the count `seen`, taken *before* the facts were looked at."""
        return lambda: self._news > seen

    # --- the steps ------------------------------------------------------------------------------------------------

    async def quiet(self) -> CommandOutcome | None:
        """Let no new session start and wait for the running one; None where it is offline (the platform refuses)."""
        if self._runner.plan is None or not self._runner.plan.sessions_blocked:
            await self._sessions(Registry.block_sessions, "no new charging session")
        order = self._order(stop_session=self._plan.running_session is RunningSession.STOP)
        now, flapping = workflow.now(), self._runner.policy.look_again
        outcome = await self._command(Charger.quiet, order, "make the charger inoperative", now, once_lost=flapping)
        await self._wait_for_session()
        return outcome

    async def replace_lists(self, until: datetime, *, restore: bool = False) -> DeviceAnswer | None:
        """Let it know the present group's tags, or with `restore` the former one's; None: offline until `until`.

        There is nothing to restore where nothing was sent.
        """
        if restore and Charger.replace_lists not in self._sent:
            return DeviceAnswer(outcome=CommandOutcome.DONE)
        summary = "put the former local list back" if restore else "replace the local list"
        return await self._reach(Charger.replace_lists, self._order(restore=restore), summary, until)

    async def release(self, until: datetime) -> CommandOutcome | None:
        """Let sessions start again, at the platform and at the charger; None: offline until `until`.

        A charger that was not asked to be inoperative is not told.
        """
        await self._sessions(Registry.allow_sessions, "charging sessions allowed again")
        if Charger.quiet not in self._sent:
            return CommandOutcome.DONE
        return await self._command(Charger.release, self._order(), "make the charger operative", until)

    async def disconnect(self) -> None:
        """Close its socket, where it has one."""
        await self._reach(Charger.disconnect, self._order(), "close the charger's socket", workflow.now())

    async def rotate(self, until: datetime) -> None:
        """Give it its new credentials and wait for the proof.

        Raises RollBack where it rejects them, CannotRotate, and ChargerOffline at `until`; KeyAwaited where it refuses
        them over a connection that proves nothing, or its new owner was given others to type. One that is there but
        does not come back with them is given to an operator.
        """
        began = workflow.now()
        while True:
            seen = self._news
            status = await self._status()
            if status.proven:
                return None
            if status.handed_out:
                raise KeyAwaited("The new owner was given a key to type.")
            waited = workflow.now()
            where = await self._wait_until_online(until)
            began += workflow.now() - waited  # the time it was offline is not held against it
            stubborn = status.old_key_returns >= OLD_KEY_RETURNS
            if stubborn or workflow.now() - began > self._runner.policy.proof_deadline:
                problem = "The charger does not come back with its new credentials."
                await self._runner.park(problem, self._heard_since(seen))
                began, seen = workflow.now(), self._news
            # in quarantine the gateway itself sends the key, up to a limit; a refusal that it heard is on record
            refused = status.answer in REFUSALS
            if refused and not status.answer_counts:
                return await self._leave_it_to_the_owner()
            patience = self._runner.policy.reconnect_after
            if stubborn or refused or not where.quarantined:
                patience = await self._send_key(until)
            await self._wait_for_proof(where, seen, patience, began + self._runner.policy.proof_deadline)

    async def let_enrolment_end(self) -> None:
        """Wait, before the change, while a key that was sent may still be answered: after it, that one counts as known.

        A charger that needs a restart for it, or did not take it, is not waited for.
        """
        while True:
            seen, where = self._news, await self._locate()
            if where.enrolment_sent_at is None:
                return
            by = where.enrolment_sent_at + self._runner.policy.enrolment_patience
            if by <= workflow.now():
                return
            with self._runner.board.expecting("The charger was sent a key that only it knows, and is to come back", by):
                await self._wait_for_news(by, seen, self._runner.policy.enrolment_patience)

    async def await_new_key(self, until: datetime) -> bool:
        """Wait for the proof of the key that the new owner types; False where it did not come by `until`.

        From the moment that one was handed out there is no way back.
        """
        pauses = self._pauses()
        with self._runner.board.waiting(Attention.NEW_KEY, until):
            while True:
                seen, status = self._news, await self._status()
                if status.handed_out or status.proven:
                    self._runner.settle()
                if status.proven or workflow.now() >= until:
                    return status.proven
                await self._wait_for_news(until, seen, next(pauses))

    async def keep_old_key(self) -> bool:
        """Withdraw the new credentials; True where the charger has proven them after all, so that they stay."""
        return await self._call_off(Registry.withdraw_credentials, "new credentials withdrawn")

    async def leave_credentials_due(self) -> bool:
        """Leave the rotation to the gateway: the old key opens quarantine only, an open connection is closed.

        True where the charger has proven its new credentials after all: nothing is due.
        """
        if await self._call_off(Registry.leave_credentials_due, "new credentials stay due"):
            return True
        await self.disconnect()
        return False

    async def must_prove_first(self) -> bool:
        """Whether the charger is told nothing before its proof: offline at the change, or in quarantine already."""
        where = await self._locate()
        return where.node is None or where.quarantined

    # --- the credentials ------------------------------------------------------------------------------------------

    async def _send_key(self, until: datetime) -> timedelta:
        """Send the key, and restart the charger for it where it says so; gives how long it may take to come back."""
        rotated = await self._reach(Charger.rotate, self._order(), "new credentials to the charger", until)
        if rotated is None:
            raise ChargerOffline("No gateway reaches the charger.")
        if rotated.answer in REFUSALS and not rotated.counts:
            await self._leave_it_to_the_owner()
            return self._runner.policy.reconnect_after
        if rotated.answer is KeyAnswer.REJECTED:
            raise RollBack(Reason.CHARGER_REJECTED)
        if rotated.answer is KeyAnswer.NOT_SUPPORTED:
            raise CannotRotate("The charger can't change its credentials.")
        if rotated.answer is KeyAnswer.REBOOT_REQUIRED:
            await self._sessions(Registry.block_sessions, "no new charging session before the restart")
            await self._wait_for_session()
            reset = await self._reach(
                Charger.reset, self._order(), "restart the charger for its new credentials", until
            )
            if reset is not None and reset.outcome in _RESTARTS:
                return self._runner.policy.restart_patience
        return self._runner.policy.reconnect_after

    async def _leave_it_to_the_owner(self) -> None:
        """Wait for the new owner's key instead: what refused was not certain to be the charger; raises KeyAwaited.

        Returns where it has proven the key after all.
        """
        if not await self._call_off(Registry.await_new_key, "the new owner is to type a key"):
            raise KeyAwaited("The charger refused its new credentials over a connection that proves nothing.")

    async def _wait_for_proof(self, where: Whereabouts, seen: int, patience: timedelta, by: datetime) -> None:
        """Wait for the charger to come back; one that keeps its socket open for longer than `patience` is made to.

        One in quarantine is left to the gateway, which sends it the key there. `seen`: news before the key.
        """
        with self._runner.board.expecting("The charger has its new credentials, and is to come back with them", by):
            await self._see_it_return(where, seen, patience)

    async def _see_it_return(self, where: Whereabouts, seen: int, patience: timedelta) -> None:
        policy = self._runner.policy
        if await self._runner.wait(self._heard_since(seen), patience, "comes back by itself"):
            return
        seen = self._news
        now = await self._locate()
        if (await self._status()).proven:
            return
        if now.node is not None and now.generation == where.generation and not now.quarantined:
            await self.disconnect()
        await self._runner.wait(self._heard_since(seen), policy.look_again, "look for the proof again")

    # --- reaching it ----------------------------------------------------------------------------------------------

    async def _command(
        self,
        step: ActivityMethod[DeviceOrder, DeviceAnswer],
        order: DeviceOrder,
        summary: str,
        until: datetime,
        once_lost: timedelta = timedelta(),
    ) -> CommandOutcome | None:
        answer = await self._reach(step, order, summary, until, once_lost)
        return answer.outcome if answer else None

    async def _reach(
        self,
        step: ActivityMethod[DeviceOrder, A],
        order: DeviceOrder,
        summary: str,
        until: datetime,
        once_lost: timedelta = timedelta(),
    ) -> A | None:
        """Send a command to the node that holds the socket, looking it up again where it has moved.

        None where the charger is offline until `until`, or does not take it with its credentials revoked: `missed` says
        which. One that was there and went is given `once_lost` to come back.
        """
        self.missed, pauses = _OFFLINE, self._pauses()
        while True:
            seen = self._news
            try:
                where = await self._wait_until_online(until)
            except ChargerOffline:
                return None
            for _ in range(LOOK_UPS):
                node = where.node
                if node is None:
                    break
                seen = self._news
                try:
                    return await self._runner.run(self._sending(step, order, gateway_queue(node), summary))
                except _Moved as moved:
                    self.missed = moved.message
                    until, once_lost = max(until, workflow.now() + once_lost), timedelta()
                    where = await self._locate()
            if workflow.now() >= until:
                return None
            with self._runner.board.waiting(Attention.CHARGER_OFFLINE, until):
                await self._wait_for_news(until, seen, next(pauses))

    def _sending(
        self, step: ActivityMethod[DeviceOrder, A], order: DeviceOrder, queue: str, summary: str
    ) -> Callable[[], Awaitable[A]]:
        # a charger whose credentials are revoked is told what it takes at once; nothing may keep its socket open
        revoked = self._plan.connection is Connection.DELETE and self._runner.progress.change_begun
        once = revoked or self._is_unsure
        options = device_once(self._runner.policy) if once else device(self._runner.policy)

        async def attempt() -> A:
            self._sent.add(step)
            try:
                shown = self._runner.board.trying
                return await call(step, order, options, summary=summary, task_queue=queue, shown=shown)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                if _has_moved(error):
                    raise _Moved(_OFFLINE) from None
                if revoked:
                    raise _Moved(_said(error)) from None
                if once:
                    raise NotTaken("Whoever is connected did not do it.") from None
                raise

        return attempt

    async def _wait_until_online(self, until: datetime) -> Whereabouts:
        """Give the place of the charger's socket, once it has one; raises ChargerOffline at `until`."""
        seen, where = self._news, await self._locate()
        if where.node is not None:
            return where
        if workflow.now() >= until:
            raise ChargerOffline("The charger is not connected.")
        pauses = self._pauses()
        with self._runner.board.waiting(Attention.CHARGER_OFFLINE, until):
            while workflow.now() < until:
                await self._wait_for_news(until, seen, next(pauses))
                seen, where = self._news, await self._locate()
                if where.node is not None:
                    return where
        raise ChargerOffline("The charger did not connect in time.")

    async def _wait_for_news(self, until: datetime, seen: int, pause: timedelta) -> None:
        left = max(min(pause, until - workflow.now()), timedelta(milliseconds=1))
        await self._runner.wait(self._heard_since(seen), left, "look for the charger again")

    def _pauses(self) -> Iterator[timedelta]:
        """Give the pauses between looks: each twice the one before, up to the longest."""
        pause, longest = self._runner.policy.look_again, max(LONGEST_PAUSE, self._runner.policy.look_again)
        while True:
            yield pause
            pause = min(2 * pause, longest)

    async def _wait_for_session(self) -> None:
        """Wait until no charging session runs; raises RollBack at the session's deadline, before the change."""
        seen, where = self._news, await self._locate()
        if not where.session_running:
            return
        until, pauses = workflow.now() + self._runner.policy.session_deadline, self._pauses()
        with self._runner.board.waiting(Attention.SESSION_RUNNING, until):
            while where.session_running:
                if workflow.now() >= until:
                    raise RollBack(Reason.SESSION_DEADLINE)
                await self._wait_for_news(until, seen, next(pauses))
                seen, where = self._news, await self._locate()

    # --- the register ---------------------------------------------------------------------------------------------

    async def _locate(self) -> Whereabouts:
        if self.seen_now is not None:
            return self.seen_now
        with self.looking() as saw:
            where = await self._runner.run(lambda: self._step(Registry.locate, "where the charger is"))
            saw(where)
        return where

    @contextmanager
    def looking(self) -> Iterator[Callable[[Whereabouts | None], None]]:
        """Give whom to tell, in the block, where the charger was seen: that counts unless there was news meanwhile."""
        news = self._news

        def saw(where: Whereabouts | None) -> None:
            self._seen = (workflow.now(), where) if where and self._news == news else None

        yield saw

    async def _status(self) -> CredentialsStatus:
        with self.looking() as saw:
            status = await self._runner.run(lambda: self._step(Registry.credentials, "how far the rotation is"))
            saw(status.where)
        return status

    async def _sessions(self, step: ActivityMethod[TransferRef, Whereabouts], summary: str) -> None:
        with self.looking() as saw:
            saw(await self._runner.run(lambda: self._step(step, summary)))

    async def _call_off(self, step: ActivityMethod[TransferRef, Proof], summary: str) -> bool:
        return (await self._runner.run(lambda: self._step(step, summary, on_record=True))).proven

    def _step(
        self, step: ActivityMethod[TransferRef, A], summary: str, *, on_record: bool = False
    ) -> Coroutine[Any, Any, A]:
        shown, policy = self._runner.board.trying, self._runner.policy
        return transact(step, self._ref, policy, summary=summary, on_record=on_record, shown=shown)

    def _order(self, *, stop_session: bool = False, restore: bool = False) -> DeviceOrder:
        return DeviceOrder(
            transfer_id=self._ref.transfer_id,
            charge_point_id=self._plan.charge_point_id,
            stop_session=stop_session,
            restore=restore,
        )


class NotTaken(HandoverError):
    """What is connected, which may be somebody else, did not do what it was told."""


class _Moved(HandoverError):
    """The node does not hold the socket, or does not answer; or a charger without credentials did not do it."""


def _has_moved(error: ActivityError) -> bool:
    """Whether a command failed because its node does not hold the charger, or is gone."""
    moved = {NOT_CONNECTED, TimeoutType.SCHEDULE_TO_START, TimeoutType.HEARTBEAT}
    return any(getattr(cause, "type", None) in moved for cause in causes(error))


def _said(error: ActivityError) -> str:
    """Say why a command failed at a node that holds the charger: the gateway's own words of what was heard there."""
    for cause in causes(error):
        if isinstance(cause, ApplicationError) and cause.type == ErrorCode.UNAVAILABLE:
            return cause.message
        if getattr(cause, "type", None) in {TimeoutType.START_TO_CLOSE, TimeoutType.SCHEDULE_TO_CLOSE}:
            return "The charger did not answer in time."
    return "The gateway failed to tell the charger."
