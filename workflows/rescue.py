"""Does at a charger that is back what an ended transfer had left to do there."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.contracts.charger import Charger, DeviceAnswer, DeviceOrder
from activities.contracts.messages import Done, TransferRef
from activities.contracts.registry import Registry
from activities.contracts.rescues import Rescue, Rescued, Rescues
from domain.charger import NO_LIST, CommandOutcome, Shortfall
from domain.errors import Refusal
from domain.ids import gateway_queue
from domain.policy import Policy
from workflows.activity_calls import ActivityMethod, call, transact
from workflows.messages import TransferOrder
from workflows.options import device

#: How often one rescue is tried again by itself.
TRIES: Final = 3
#: The signal that comes with each start, by its name: the client can't take a signal with a start otherwise.
CHARGER_IS_BACK: Final = "charger_is_back"
_TAKEN: Final = frozenset({CommandOutcome.DONE, CommandOutcome.SCHEDULED})


@workflow.defn(name="rescue")
class RescueWorkflow:
    """A short affair, of the id `rescue-<transfer id>`; where it fails, another follows when the charger connects."""

    @workflow.init
    def __init__(self, order: TransferOrder) -> None:
        """Start with nobody having said anything."""
        self._ref, self._policy = TransferRef(transfer_id=order.transfer_id), Policy()
        self._news = 0

    @workflow.signal(name=CHARGER_IS_BACK)
    def charger_is_back(self) -> None:
        """Look once more: what was found before may not hold any more."""
        self._news += 1

    @workflow.run
    async def run(self, _order: TransferOrder) -> Done:
        """Replace the lists, put the charger back into service, clear the warnings; the parties are told by letter."""
        tries = 0
        while True:
            seen = self._news
            rescue = await self._begin()
            if rescue.ready and await self._work(rescue):
                return Done()
            tries += rescue.ready
            if rescue.ready and tries < TRIES:
                with suppress(asyncio.TimeoutError):
                    await workflow.wait_condition(partial(self._heard_since, seen), timeout=self._policy.look_again)
            elif self._news == seen:
                return Done()

    def _heard_since(self, seen: int) -> bool:
        return self._news > seen

    async def _work(self, rescue: Rescue) -> bool:
        """Do what is left to do, each thing whether or not the others are taken; whether nothing is left."""
        lists = release = None
        left: tuple[Shortfall, ...] = ()
        if rescue.lists:
            answer = await self._command(Charger.replace_lists, rescue, "replace the local list")
            lists, left = (answer.outcome, answer.left) if answer else (None, ())
        # another transfer may have begun meanwhile, which makes it inoperative
        if rescue.release and (await self._begin()).ready:
            answer = await self._command(Charger.release, rescue, "make the charger operative")
            release = answer.outcome if answer else None
        unsupported = lists in NO_LIST
        done = Rescued(
            transfer_id=self._ref.transfer_id,
            lists=unsupported or lists in _TAKEN,
            release=release in _TAKEN,
            lists_not_supported=unsupported,
            left=left,
        )
        settled = await transact(Rescues.settle, done, self._policy, summary="what is left to do", for_ever=True)
        return settled.done

    async def _begin(self) -> Rescue:
        rescue = await transact(Rescues.begin, self._ref, self._policy, summary="what is left to do", for_ever=True)
        self._policy = rescue.policy
        return rescue

    async def _command(
        self, step: ActivityMethod[DeviceOrder, DeviceAnswer], rescue: Rescue, summary: str
    ) -> DeviceAnswer | None:
        """Try one thing once; None where it did not come to the charger, or no answer did."""
        where = await transact(Registry.locate, self._ref, self._policy, summary="where the charger is")
        if where.node is None:
            return None
        options = replace(device(self._policy), retries=RetryPolicy(maximum_attempts=1))
        order = DeviceOrder(transfer_id=self._ref.transfer_id, charge_point_id=rescue.charge_point_id)
        try:
            return await call(step, order, options, summary=summary, task_queue=gateway_queue(where.node))
        except Refusal:  # another transfer has begun meanwhile, and does it for itself
            return None
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return None
