"""What is asked of a charge point and told its charger outside any transfer."""

from abc import ABC, abstractmethod

from activities.contracts.declaring import step
from activities.contracts.messages import Done, Message
from domain.charger import KeyAnswer, RestartAnswer
from domain.charger_orders import ChargerOrder
from domain.ids import ChargePointId, NodeId, OrderId


class PointOrder(Message):
    """What a charge point's charger is told outside any transfer."""

    charge_point_id: ChargePointId


class PointAsk(PointOrder):
    """What a charger is to be told; who wants that is read from their order."""

    order: ChargerOrder
    order_id: OrderId
    workflow_id: str = ""
    """The workflow that does it: of the order's own id, so that it is done by one at a time."""


class PointPlace(Message):
    """The gateway node that holds a charger's socket."""

    node: NodeId


class ChargePoints(ABC):
    """What the register knows of a charge point outside any transfer (`charge_points.*`)."""

    @step("charge_points.locate", may_run_again=True)
    @abstractmethod
    async def find_charger(self, ask: PointAsk) -> PointPlace:
        """Say where its charger is, which may be told that; refuses NotAllowed, TransferInProgress, NotPossible."""

    @step("charge_points.note_order")
    @abstractmethod
    async def note_order(self, ask: PointAsk) -> Done:
        """Write into its trail what was asked for, or done."""


class KeyTold(Message):
    """What a charger answered to a fresh key."""

    answer: KeyAnswer


class RestartTold(Message):
    """What a charger answered to a restart."""

    answer: RestartAnswer


class ChargerOnDemand(ABC):
    """Commands to one charger that no transfer gives, on the task queue of its gateway node (`charger.*`).

    Over a released connection only; all heartbeat. NOT_CONNECTED: it was told nothing, look it up again.
    """

    @step("charger.take_own_key")
    @abstractmethod
    async def take_own_key(self, order: PointOrder) -> KeyTold:
        """Send a fresh key in place of its owner's own; refuses NotPossible where none may be made any more."""

    @step("charger.identify")
    @abstractmethod
    async def identify(self, order: PointOrder) -> RestartTold:
        """Restart it, so that whoever stands before it sees which one it is."""
