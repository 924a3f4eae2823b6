"""The orders that the API takes down for its callers, and what an operator has had done at Temporal."""

from datetime import UTC, datetime

from domain.actors import Actor
from domain.ids import OrderId, TransferId
from domain.limits import NO_LIMITS, CallLimits
from domain.request import TransferRequest
from domain.trail import TrailAction
from domain.transfer import TransferState
from persistence.intake import orders
from persistence.intake.idempotency import IdempotencyKeys, Repeatable
from persistence.intake.limits import Counters
from persistence.intake.orders import NewOrder
from persistence.session import Database
from persistence.tables import Order, Request, Transfer
from persistence.transfers import audit
from persistence.vault import Vault


class OrderBook:
    """Writes orders; each method is one transaction and raises Unavailable where the database is away."""

    def __init__(self, db: Database, vault: Vault, limits: CallLimits = NO_LIMITS) -> None:
        """Take the database, the vault that unseals bodies, and how often somebody may be asked."""
        self._db = db
        self._vault = vault
        self._keys = IdempotencyKeys(vault)
        self._counters = Counters(vault, limits)

    async def give(self, call: Repeatable, order: NewOrder) -> OrderId:
        """Bind the idempotency key, if there is one, to this call, and write its order; of a repeat it is the same one.

        Raises IdempotencyConflict if the key was another's.
        """
        async with self._db.writing() as rows:
            await self._keys.claim(rows, call)
            return await orders.give(rows, order, datetime.now(UTC))

    async def give_resend(self, call: Repeatable, transfer_id: TransferId, order: NewOrder) -> OrderId:
        """Do as `give`; raises RateLimited where it is no repeat, and one question to its target too many.

        Where nobody is asked any more nothing is counted: the workflow refuses it.
        """
        async with self._db.writing() as rows:
            if await self._keys.claim(rows, call):
                request = await rows.get(Request, transfer_id)
                transfer = await rows.get(Transfer, transfer_id)
                if request and transfer and transfer.state == TransferState.AWAITING_ACCEPTANCE:
                    body = TransferRequest.model_validate_json(self._vault.unseal(request.sealed_body))
                    await self._counters.message(rows, body)
            return await orders.give(rows, order, datetime.now(UTC))

    async def is_carried_out(self, order_id: OrderId) -> bool:
        """Whether an order was carried out: it is not to be sent again."""
        async with self._db.reading() as rows:
            return (await rows.get_one(Order, order_id)).carried_out_as is not None

    async def note_act(
        self,
        transfer_id: TransferId,
        order_id: OrderId,
        *,
        actor: Actor,
        action: TrailAction,
        detail: dict[str, str],
        act: str,
    ) -> None:
        """Write what an operator did at Temporal into the audit trail; once for the same `act` (domain.trail.held)."""
        async with self._db.writing() as rows:
            await audit.append(
                rows, transfer_id, actor=actor, action=action, detail=detail, order_id=order_id, once=act
            )

    async def is_noted(self, transfer_id: TransferId, act: str) -> bool:
        """Whether `note_act` has written an act: it is not to be done again."""
        async with self._db.reading() as rows:
            return await audit.action_of(rows, transfer_id, act) is not None
