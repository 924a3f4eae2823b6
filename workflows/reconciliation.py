"""Finds what disagrees, again and again by a schedule: mends what is certain, parks the rest, reports both."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

from activities.contracts.reconciler import Look, Reconciled, Reconciler, Suspicions
from domain.reconciliation import ROUTINE
from workflows.activity_calls import call
from workflows.options import housekeeping

#: How long something may take to settle by itself: a change that is on its way looks like a disagreement.
SETTLES_WITHIN: Final = timedelta(seconds=5)


@workflow.defn(name="reconcile")
class ReconciliationWorkflow:
    """One look at everything; what is no routine is looked at a second time before anything is done about it."""

    @workflow.run
    async def run(self, look: Look) -> Reconciled:
        """Settle what is found; gives what was done about each.

        It goes on where the run before it has come to; each of its two looks is at the same.
        """
        if (last := workflow.get_last_completion_result(Reconciled)) is not None:
            look = Look(place=last.next)
        found = await call(Reconciler.look, look, housekeeping(), summary="first look")
        routine = tuple(one for one in found.items if one.kind in ROUTINE)
        done = await self._settle(Suspicions(items=routine), "start what was left") if routine else Reconciled()
        suspected = {one for one in found.items if one.kind not in ROUTINE}
        if not suspected and not found.parked:
            return Reconciled(items=done.items, next=found.next)
        await workflow.sleep(SETTLES_WITHIN, summary="what is on its way settles")
        again = await call(Reconciler.look, look, housekeeping(), summary="second look")
        confirmed = tuple(one for one in again.items if one in suspected)
        settled = await self._settle(Suspicions(items=confirmed, whole=again.whole), "mend or park")
        return Reconciled(items=(*done.items, *settled.items), next=found.next)

    async def _settle(self, confirmed: Suspicions, summary: str) -> Reconciled:
        return await call(Reconciler.settle, confirmed, housekeeping(), summary=summary)
