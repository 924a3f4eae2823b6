"""What ended transfers have left to do at their chargers."""

from abc import ABC, abstractmethod

from activities.contracts.declaring import step
from activities.contracts.messages import Message, TransferRef
from domain.charger import Shortfall
from domain.ids import ChargePointId
from domain.policy import Policy


class Rescue(Message):
    """What an ended transfer has left to do at its charger, which is there to take it."""

    ready: bool
    """False where it can't be done now: not connected, in quarantine, another transfer under way, nothing left."""
    charge_point_id: ChargePointId
    lists: bool = False
    release: bool = False
    policy: Policy = Policy()


class Rescued(TransferRef):
    """What was done of it."""

    lists: bool
    release: bool
    lists_not_supported: bool = False
    """There is nothing to replace: the charger takes no list."""
    left: tuple[Shortfall, ...] = ()
    """With `lists`: what could not be done about former tags."""


class Settled(Message):
    """What is left."""

    done: bool
    """Nothing is."""


class Rescues(ABC):
    """What ended transfers have left to do at chargers that come back (`rescue.*`)."""

    @step("rescue.begin")
    @abstractmethod
    async def begin(self, ref: TransferRef) -> Rescue:
        """Say what is left to do, and whether it can be done now."""

    @step("rescue.settle")
    @abstractmethod
    async def settle(self, rescued: Rescued) -> Settled:
        """Write what was done: the warnings that said so are cleared."""
