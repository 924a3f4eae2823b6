"""Commands that a transfer gives its charger."""

from abc import ABC, abstractmethod

from activities.contracts.declaring import step
from activities.contracts.messages import Done, Message, TransferRef
from domain.charger import CommandOutcome, KeyAnswer, Shortfall
from domain.ids import ChargePointId
from domain.transfer import StepName


class DeviceOrder(TransferRef):
    """A command to the transfer's charger, sent to the node that holds its socket."""

    charge_point_id: ChargePointId
    stop_session: bool = False
    """With `quiet`: stop a running session instead of letting it end."""
    restore: bool = False
    """With `replace_lists`: put the former list back."""


class DeviceAnswer(Message):
    """What the charger answered."""

    outcome: CommandOutcome
    left: tuple[Shortfall, ...] = ()
    """Of `replace_lists`: what could not be done."""


class Rotated(Message):
    """What the charger answered to its new credentials."""

    answer: KeyAnswer
    counts: bool = True
    """It came over a released connection that only the charger can have opened."""


#: `type` of the ApplicationError of a command whose charger has no socket on that node: look it up again.
NOT_CONNECTED = "not_connected"


class Charger(ABC):
    """Commands to one charger, on the task queue of its gateway node (`charger.*`); all heartbeat.

    Errors: NOT_CONNECTED (non-retryable: look it up again); anything else is retried.
    A call without an answer within 30 s closes nothing and is retried; `rotate` alone answers `unknown`.
    """

    @step("charger.quiet", StepName.QUIET_CHARGER)
    @abstractmethod
    async def quiet(self, order: DeviceOrder) -> DeviceAnswer:
        """Make it inoperative: no new charging session; stop the running one where asked."""

    @step("charger.release", StepName.RELEASE_CHARGER)
    @abstractmethod
    async def release(self, order: DeviceOrder) -> DeviceAnswer:
        """Make it operative again; undoes `quiet`."""

    @step("charger.replace_lists", StepName.REPLACE_LISTS)
    @abstractmethod
    async def replace_lists(self, order: DeviceOrder) -> DeviceAnswer:
        """Let it know the present group's tags, and forget the former one's; or restore what this replaced."""

    @step("charger.rotate", StepName.ROTATE_CREDENTIALS)
    @abstractmethod
    async def rotate(self, order: DeviceOrder) -> Rotated:
        """Send the pending key, always the same one."""

    @step("charger.reset", StepName.ROTATE_CREDENTIALS)
    @abstractmethod
    async def reset(self, order: DeviceOrder) -> DeviceAnswer:
        """Restart it, so that what needs a restart takes effect."""

    @step("charger.disconnect")
    @abstractmethod
    async def disconnect(self, order: DeviceOrder) -> Done:
        """Close its socket: with revoked credentials for good (1008), else so that it comes back (1012)."""
