"""Has one charger told something outside any transfer, once: a fresh key, or a restart."""

from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOut

from activities.contracts.charge_points import (
    ChargePoints,
    ChargerOnDemand,
    KeyTold,
    PointAsk,
    PointOrder,
    PointPlace,
    RestartTold,
)
from activities.contracts.charger import NOT_CONNECTED
from activities.contracts.messages import Message
from domain.charger import KeyAnswer, RestartAnswer
from domain.charger_orders import RESTARTS
from domain.errors import ErrorCode, Refusal
from domain.ids import gateway_queue
from domain.policy import Policy
from workflows.activity_calls import ActivityMethod, call, transact
from workflows.options import LOOK_UPS, ORDER_HOLDS_FOR, ORDER_PAUSE, device_once
from workflows.refusals import failure

A = TypeVar("A", bound=Message)


@workflow.defn(name="rotate_key")
class RotateKeyWorkflow:
    """A short affair, of the id `charger-order-<charge point>-rotate_key-<order>`: a repeat is the same one."""

    @workflow.run
    async def run(self, ask: PointAsk) -> KeyTold:
        """Check, write down who asked, send the key; fails with its refusal, and `unavailable` where nobody is told.

        No answer is an answer here: the charger may have taken the key.
        """
        ask = _by_this(ask)
        try:
            await _find(ask)
            await _note(ask)
            told = await _tell(ChargerOnDemand.take_own_key, ask, "a fresh key to the charger")
        except Refusal as refusal:
            raise failure(refusal) from None
        return told or KeyTold(answer=KeyAnswer.UNKNOWN)


@workflow.defn(name="identify")
class IdentifyWorkflow:
    """A short affair, of the id `charger-order-<charge point>-identify-<order>`: a repeat is the same one."""

    @workflow.run
    async def run(self, ask: PointAsk) -> RestartTold:
        """Check, restart the charger, write down that it restarts; fails as the other.

        Where it may have been told it is not told again.
        """
        ask = _by_this(ask)
        try:
            told = await _tell(ChargerOnDemand.identify, ask, "restart the charger")
        except Refusal as refusal:
            raise failure(refusal) from None
        if told is not None and told.answer in RESTARTS:
            await _note(ask)
        return told or RestartTold(answer=RestartAnswer.UNKNOWN)


def _by_this(ask: PointAsk) -> PointAsk:
    return ask.model_copy(update={"workflow_id": workflow.info().workflow_id})


async def _find(ask: PointAsk) -> PointPlace:
    """Check, and say where the charger is; what nobody has taken in time is not done any more."""
    place = await transact(ChargePoints.find_charger, ask, Policy(), summary="where the charger is, if it may be told")
    if workflow.now() - workflow.info().workflow_start_time > ORDER_HOLDS_FOR:
        raise _nobody_told()
    return place


async def _note(ask: PointAsk) -> None:
    await transact(ChargePoints.note_order, ask, Policy(), summary="the charge point's trail", for_ever=True)


async def _tell(step: ActivityMethod[PointOrder, A], ask: PointAsk, summary: str) -> A | None:
    """Send a command to the node that holds the socket, looking it up again where it has moved.

    None: nothing was heard of it, and the charger may have been told.
    """
    order, options = PointOrder(charge_point_id=ask.charge_point_id), device_once(Policy())
    for look_up in range(LOOK_UPS):
        if look_up:
            await workflow.sleep(ORDER_PAUSE)
        place = await _find(ask)
        try:
            return await call(step, order, options, summary=summary, task_queue=gateway_queue(place.node))
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            cause = error.cause
            if isinstance(cause, TimedOut):
                if cause.type is not TimeoutType.SCHEDULE_TO_START:
                    return None
            elif not isinstance(cause, ApplicationError) or cause.type != NOT_CONNECTED:
                raise
    raise _nobody_told()


def _nobody_told() -> ApplicationError:
    text = "No gateway reaches the charger; try again in a moment."
    return ApplicationError(text, type=ErrorCode.UNAVAILABLE.value, non_retryable=True)
