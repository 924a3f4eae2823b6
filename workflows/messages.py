"""What callers send to a transfer's workflow, and what it answers. Ids only, as in every history."""

from datetime import datetime
from typing import Final

from activities.contracts.messages import Message
from domain.ids import ChargePointId, OrderId, TransferId
from domain.transfer import OperatorAction, TransferState


class TransferOrder(Message):
    """What starts a transfer: the request row has the rest."""

    transfer_id: TransferId


class Opened(Message):
    """The transfer is validated and its charge point reserved."""

    state: TransferState


class OrderRef(Message):
    """Somebody's order: its row says who gives it, what they chose and why. None: it came from the Temporal UI."""

    order_id: OrderId | None = None


class ResolveOrder(OrderRef):
    """What an operator wants done."""

    action: OperatorAction


class TransferStatus(Message):
    """How the transfer stands, as the answer to an order."""

    state: TransferState
    order_id: OrderId | None = None
    """The order that was carried out; None where it came from the Temporal UI."""


#: The fact that the new owner was given a key to type.
NEW_KEY: Final = "new_key"
#: The fact that a charging session has ended: at its charger, or by hand.
SESSION_ENDED: Final = "session_ended"


class ChargerNews(Message):
    """Something happened at the charger: a wake-up only, the facts are in the database."""

    charge_point_id: ChargePointId
    fact: str
    at: datetime | None = None


class TransferOutcome(Message):
    """How the transfer ended."""

    state: TransferState
