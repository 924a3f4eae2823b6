"""Does at a charger that is back what an ended transfer had left to do there, and tells the parties."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.contracts import (
    Charger,
    DeviceAnswer,
    DeviceOrder,
    DeviceOutcome,
    Done,
    Notices,
    Registry,
    Rescue,
    Rescues,
    Subject,
    Tell,
    TransferRef,
)
from domain.ids import gateway_queue
from workflows.calls import Step, call, transact
from workflows.messages import TransferOrder
from workflows.options import device_once, letter


@workflow.defn(name="rescue")
class RescueWorkflow:
    """One short try, of the id `rescue-<transfer id>`; where it fails, another follows when the charger connects."""

    @workflow.run
    async def run(self, order: TransferOrder) -> Done:
        """Replace the lists, put the charger back into service, clear the warnings, tell the parties."""
        self._ref, self._policy = TransferRef(transfer_id=order.transfer_id), order.policy
        rescue = await self._begin()
        if not rescue.ready or not await self._work(rescue):
            return Done()
        await transact(
            Rescues.settle, self._ref, self._policy, summary="nothing is left to do", for_ever=True, on_record=True
        )
        news = Tell(transfer_id=order.transfer_id, subject=Subject.SETTLED)
        await call(Notices.tell, news, letter(self._policy), summary="tell the parties", for_ever=True)
        return Done()

    async def _work(self, rescue: Rescue) -> bool:
        """Do what is left to do; False where the charger did not take it."""
        if rescue.lists and not await self._command(Charger.replace_lists, rescue, "replace the local list"):
            return False
        if not rescue.release:
            return True
        if not (await self._begin()).ready:  # another transfer may have begun, which makes it inoperative
            return False
        return await self._command(Charger.release, rescue, "make the charger operative")

    async def _begin(self) -> Rescue:
        return await transact(
            Rescues.begin, self._ref, self._policy, summary="what is left to do", for_ever=True, on_record=True
        )

    async def _command(self, step: Step[DeviceOrder, DeviceAnswer], rescue: Rescue, summary: str) -> bool:
        where = await transact(Registry.locate, self._ref, self._policy, summary="where the charger is")
        if where.node is None:
            return False
        order = DeviceOrder(transfer_id=self._ref.transfer_id, charge_point_id=rescue.charge_point_id)
        try:
            answer = await call(
                step, order, device_once(self._policy), summary=summary, task_queue=gateway_queue(where.node)
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return False
        lists_gone = step is Charger.replace_lists and answer.outcome is DeviceOutcome.NOT_SUPPORTED
        return lists_gone or answer.outcome in {DeviceOutcome.DONE, DeviceOutcome.SCHEDULED}
