"""What a charge point's charger is told outside any transfer, and its owner."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from typing_extensions import override

from activities.contracts.charge_points import KeyTold, PointAsk, RestartTold
from activities.contracts.notices import TellOwner
from domain.charger import KeyAnswer, RestartAnswer
from domain.charger_orders import ChargerOrder
from domain.errors import Unavailable
from domain.ids import TASK_QUEUE, ChargePointId, OrderId, charger_order_workflow_id, owner_news_workflow_id
from domain.news import OwnerNews
from engine.errors import as_refusals
from workflows.charger_orders import IdentifyWorkflow, RotateKeyWorkflow
from workflows.options import AWAITED, LATER, TASK_TIMEOUT
from workflows.owner_news import OwnerNewsWorkflow
from workflows.refusals import refusal_of

Told = TypeVar("Told", KeyTold, RestartTold)

_NOT_HEARD: Final = (
    "Nothing was heard in time, and it may still be done. Send the same request again, with its Idempotency-Key."
)
_NOT_TOLD: Final = "The charger could not be told; try again in a moment."


class Chargers(ABC):
    """Chargers and their owners, outside any transfer. Raises the domain's refusals, and Unavailable."""

    @abstractmethod
    async def tell_owner(self, charge_point_id: ChargePointId, news: OwnerNews, *, occasion: str = "") -> None:
        """Have the owner of a charge point told; a day has one letter, or one for each `occasion`."""

    @abstractmethod
    async def rotate_key(self, charge_point_id: ChargePointId, order_id: OrderId) -> KeyAnswer:
        """Have a fresh key sent to a charger in place of its owner's own, as was ordered, and say what it answered.

        The same order has the same answer; one that was refused, or came to nothing, is tried anew. Raises NotAllowed,
        NotFound, TransferInProgress, NotPossible, and Unavailable where nothing is heard in time: it may still be done.
        """

    @abstractmethod
    async def identify(self, charge_point_id: ChargePointId, order_id: OrderId) -> RestartAnswer:
        """Have a charger restarted, and say what it answered; for the rest as `rotate_key`."""


class TemporalChargers(Chargers):
    """Chargers and their owners, told by the workflows of one Temporal namespace."""

    def __init__(self, client: Client, answer_within: timedelta) -> None:
        """Take a client, and how long a caller waits."""
        self._client = client
        self._within = answer_within

    @override
    async def tell_owner(self, charge_point_id: ChargePointId, news: OwnerNews, *, occasion: str = "") -> None:
        """Have the owner of a charge point told; a day has one letter, or one for each `occasion`."""
        order = TellOwner(charge_point_id=charge_point_id, news=news, day=datetime.now(UTC).date(), occasion=occasion)
        async with as_refusals():
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    OwnerNewsWorkflow.run,
                    order,
                    id=owner_news_workflow_id(charge_point_id, news.value, order.day, occasion),
                    task_queue=TASK_QUEUE,
                    task_timeout=TASK_TIMEOUT,
                    static_summary=f"News to the owner of {charge_point_id}",
                    priority=LATER,
                    rpc_timeout=self._within,
                )

    @override
    async def rotate_key(self, charge_point_id: ChargePointId, order_id: OrderId) -> KeyAnswer:
        ask = PointAsk(charge_point_id=charge_point_id, order=ChargerOrder.ROTATE_KEY, order_id=order_id)
        return (await self._order(RotateKeyWorkflow.run, ask)).answer

    @override
    async def identify(self, charge_point_id: ChargePointId, order_id: OrderId) -> RestartAnswer:
        ask = PointAsk(charge_point_id=charge_point_id, order=ChargerOrder.IDENTIFY, order_id=order_id)
        return (await self._order(IdentifyWorkflow.run, ask)).answer

    async def _order(self, run: Callable[[Any, PointAsk], Awaitable[Told]], ask: PointAsk) -> Told:
        name = charger_order_workflow_id(ask.charge_point_id, ask.order.value, ask.order_id)
        async with as_refusals():
            try:
                handle = await self._client.start_workflow(
                    run,
                    ask,
                    id=name,
                    task_queue=TASK_QUEUE,
                    task_timeout=TASK_TIMEOUT,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    static_summary=f"{ask.order.value} at {ask.charge_point_id}",
                    priority=AWAITED,
                    rpc_timeout=self._within,
                )
            except WorkflowAlreadyStartedError:
                handle = self._client.get_workflow_handle_for(run, name)
            try:
                return await asyncio.wait_for(handle.result(), (self._within * 3).total_seconds())
            except TimeoutError:
                raise Unavailable(_NOT_HEARD) from None
            except WorkflowFailureError as error:
                raise refusal_of(error) or Unavailable(_NOT_TOLD) from None
