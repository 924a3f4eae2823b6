"""Interceptor: what has ended stays as it ended, whatever run of its workflow comes after."""

from collections import OrderedDict
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.contracts.messages import ENDED, TransferRef, TransferRun
from activities.contracts.registry import Plan
from domain.ids import workflow_id
from domain.transfer import TransferState
from persistence.session import Database
from persistence.transfers import runs

#: What a run begins with, before it knows whether another one was there: it changes nothing that is there already.
_OPENING: Final = frozenset({"registry.reserve", "registry.refuse"})
_BENIGN: Final = ApplicationErrorCategory.BENIGN
#: How many runs a process remembers.
_REMEMBERED: Final = 10_000
_TAKES_UP: Final = "registry.take_up"


def ended_by_this_run(state: TransferState) -> ApplicationError:
    """Give the refusal of a step of a transfer that its own run has ended, in a workflow task that was lost."""
    text = f"The transfer has ended as {state.value}."
    return ApplicationError(text, state.value, type=ENDED, non_retryable=True, category=_BENIGN)


class EndedTransfers(Interceptor):
    """Refuses every step of an ended transfer to a run that is not known to it: somebody has reset its workflow.

    Such a run repeats what is on record as if it were yet to be done. The refusal, ENDED, is final.
    """

    def __init__(self, database: Database) -> None:
        """Take where the runs are known."""
        self._db = database
        self._known: OrderedDict[str, None] = OrderedDict()
        """Runs that were found to be known: they stay so."""

    def intercept_activity(self, next_: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity."""
        return _Guarded(next_, self._db, self._known)


class _Guarded(ActivityInboundInterceptor):
    def __init__(
        self, following: ActivityInboundInterceptor, database: Database, known: OrderedDict[str, None]
    ) -> None:
        super().__init__(following)
        self._db = database
        self._known = known

    async def execute_activity(self, call: ExecuteActivityInput) -> Any:
        ref, info = next(iter(call.args), None), activity.info()
        run_id = info.workflow_run_id
        if run_id and isinstance(ref, TransferRef) and info.workflow_id == workflow_id(ref.transfer_id):
            await self._check(ref, run_id, info.activity_type)
        answer = await super().execute_activity(call)
        if isinstance(answer, Plan) and isinstance(ref, TransferRun) and ref.run_id == run_id:
            self._remember(run_id, known=not answer.again)
        return answer

    async def _check(self, ref: TransferRef, run_id: str, step: str) -> None:
        if step in _OPENING or run_id in self._known:
            return
        async with self._db.reading() as rows:
            known = await runs.is_known(rows, ref.transfer_id, run_id)
        if known is not False:
            self._remember(run_id, known=known)
            return
        async with self._db.writing() as rows:
            ended = await runs.admit(rows, ref.transfer_id, run_id, takes_up=step == _TAKES_UP)
        if ended is not None:
            text = f"The transfer has ended as {ended.value} under an earlier run; this one changes nothing."
            raise ApplicationError(text, type=ENDED, non_retryable=True, category=_BENIGN)

    def _remember(self, run_id: str, *, known: bool | None) -> None:
        if known:
            self._known[run_id] = None
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
