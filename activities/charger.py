"""The charger's steps: orders of a transfer, or of who keeps it, carried out over the sockets of this gateway node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contracts.charge_points import ChargerOnDemand, KeyTold, PointOrder, RestartTold
from activities.contracts.charger import NOT_CONNECTED, Charger, DeviceAnswer, DeviceOrder, Rotated
from activities.contracts.messages import Done
from domain.charger import CommandOutcome, RestartAnswer
from domain.errors import NotPossible
from gateway.ocpp.line import NotConnected
from gateway.server import Gateway

#: Seconds between two heartbeats: a dead node is noticed, and a cancel arrives, within a few of them.
_BEAT_EVERY: Final = 3
#: What a charger that was heard answered to a restart.
_RESTARTS: Final = {
    CommandOutcome.DONE: RestartAnswer.ACCEPTED,
    CommandOutcome.SCHEDULED: RestartAnswer.SCHEDULED,
    CommandOutcome.NOT_SUPPORTED: RestartAnswer.NOT_SUPPORTED,
}


class GatewayCharger(Charger, ChargerOnDemand):
    """The steps on one gateway node.

    A charger whose socket is not here, or was lost before it answered, is NOT_CONNECTED (non-retryable: look it up
    again). No answer in time, or an error for one, is retried. No error says more than the name of an OCPP call.
    """

    def __init__(self, gateway: Gateway) -> None:
        """Work on the chargers whose sockets `gateway` holds."""
        self._orders = gateway.orders

    async def quiet(self, order: DeviceOrder) -> DeviceAnswer:
        """Make it inoperative. Idempotent by its nature: a repeat asks for the state that it is in."""
        async with _at_work():
            return DeviceAnswer(
                outcome=await self._orders.quiet(order.charge_point_id, stop_session=order.stop_session)
            )

    async def release(self, order: DeviceOrder) -> DeviceAnswer:
        """Make it operative. Idempotent by its nature: a repeat asks for the state that it is in."""
        async with _at_work():
            return DeviceAnswer(outcome=await self._orders.release(order.charge_point_id))

    async def replace_lists(self, order: DeviceOrder) -> DeviceAnswer:
        """Replace the local list, and what else lets the former group's tags charge.

        A repeat sends the whole list again, as a newer version of it. What the transfer replaced is kept on record by
        (transfer id, first try), so `restore` finds it whatever happened in between; a transfer that replaced nothing
        has nothing to restore.
        """
        async with _at_work():
            replaced = await self._orders.replace_lists(order.charge_point_id, order.transfer_id, restore=order.restore)
        return DeviceAnswer(outcome=replaced.outcome, left=replaced.left)

    async def rotate(self, order: DeviceOrder) -> Rotated:
        """Send the key that the ownership transaction made for this transfer, on every try the same one.

        Proven: `accepted`, nothing is sent. Refused before: that answer, nothing is sent. Otherwise it is sent; no
        answer, or a socket lost before one, is `unknown`, never an error. Nor is anything sent over a connection that
        somebody else than the charger may have opened: that, too, is `unknown`.
        """
        async with _at_work():
            answer = await self._orders.rotate(order.charge_point_id, order.transfer_id)
        return Rotated(answer=answer.said, counts=answer.counts)

    async def reset(self, order: DeviceOrder) -> DeviceAnswer:
        """Restart it for its key. A repeat after a lost answer restarts it again, which changes nothing more."""
        async with _at_work():
            return DeviceAnswer(outcome=await self._orders.reset(order.charge_point_id))

    async def disconnect(self, order: DeviceOrder) -> Done:
        """Close its socket. A repeat finds it gone (NOT_CONNECTED), or closes the one that it came back with."""
        async with _at_work():
            await self._orders.disconnect(order.charge_point_id)
        return Done()

    async def take_own_key(self, order: PointOrder) -> KeyTold:
        """Send the pending key that replaces its owner's own, made here where there is none; a repeat the same one."""
        async with _at_work():
            answer = await self._orders.take_own_key(order.charge_point_id)
        if answer is None:
            raise NotPossible(
                "The charger's key, or its connection, changed at this moment: look at it, and ask again."
            )
        return KeyTold(answer=answer.said)

    async def identify(self, order: PointOrder) -> RestartTold:
        """Restart it. A repeat restarts it again, so none is made once it may have been told."""
        async with _at_work():
            outcome = await self._orders.identify(order.charge_point_id)
        if outcome is None:
            return RestartTold(answer=RestartAnswer.UNKNOWN)
        return RestartTold(answer=_RESTARTS.get(outcome, RestartAnswer.REJECTED))


@asynccontextmanager
async def _at_work() -> AsyncIterator[None]:
    """Beat while the block runs, and say NOT_CONNECTED in Temporal's words."""
    beats = asyncio.create_task(_beat())
    try:
        yield
    except NotConnected as gone:
        raise ApplicationError(gone.message, type=NOT_CONNECTED, non_retryable=True) from None
    finally:
        beats.cancel()
        await asyncio.gather(beats, return_exceptions=True)


async def _beat() -> None:
    while True:  # most are over before the first one: each is a write of Temporal's
        await asyncio.sleep(_BEAT_EVERY)
        activity.heartbeat()
