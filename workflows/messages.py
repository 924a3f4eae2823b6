"""What callers send to a transfer's workflow, and what it answers. Ids only, as in every history."""

from datetime import datetime
from typing import Final

from activities.contracts import Message
from domain.ids import ChargePointId, LinkId, TransferId, UserId
from domain.policy import Policy
from domain.transfer import OperatorAction, TransferState, UntilNewKey


class TransferOrder(Message):
    """What starts a transfer: the request row has the rest."""

    transfer_id: TransferId
    policy: Policy = Policy()
    again: bool = False
    """An earlier run of it was terminated: this one goes on where that was."""


class Opened(Message):
    """The transfer is validated and its charge point reserved."""

    state: TransferState


class DecisionOrder(Message):
    """Who decides: a user, or whoever holds the link and its code."""

    actor: str
    actor_id: UserId | None = None
    link_id: LinkId | None = None
    until_new_key: UntilNewKey | None = None
    """With an accept: what the recipient chose; None: the default."""


class ResendOrder(Message):
    """Who wants the recipient asked anew; without `actor_id` an operator, whose right was checked."""

    request_id: str
    actor: str
    actor_id: UserId | None = None


class ResolveOrder(Message):
    """What an operator wants done, and why. Without `actor` it came from the Temporal UI, unverified."""

    action: OperatorAction
    reason: str = ""
    actor: str = "temporal-ui"


class Standing(Message):
    """How the transfer stands, as the answer to a decision."""

    state: TransferState


#: The fact that the new owner was given a key to type: from then on there is no way back.
NEW_KEY: Final = "new_key"


class ChargerNews(Message):
    """Something happened at the charger: a wake-up only, the facts are in the database."""

    charge_point_id: ChargePointId
    fact: str
    at: datetime | None = None


class Outcome(Message):
    """How the transfer ended."""

    state: TransferState
