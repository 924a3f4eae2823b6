"""What an operator has done about charging sessions: carried out at once, with the order and the entry it led to."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.ids import UserId
from domain.trail import TrailAction, read_charge_point
from persistence.chargers import charging_review
from persistence.chargers.charging_review import Settled
from persistence.intake import orders
from persistence.intake.idempotency import IdempotencyKeys, Repeatable
from persistence.intake.orders import NewOrder
from persistence.session import Database
from persistence.transfers import audit
from persistence.vault import Vault


class SessionOrders:
    """Ends and settles sessions; each method is one transaction and raises Unavailable where the database is away."""

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault that binds idempotency keys."""
        self._db = db
        self._keys = IdempotencyKeys(vault)

    async def end(
        self, call: Repeatable, given: NewOrder, session_id: int, *, stop_id: int | None, power_limit: float
    ) -> None:
        """End a charging session by hand, as persistence.chargers.charging_review says; a repeat does nothing."""
        point = read_charge_point(given.subject)
        async with self._db.writing() as rows:
            if await self._keys.claim(rows, call):
                now = datetime.now(UTC)
                await charging_review.end_by_hand(
                    rows, point, session_id, now, stop_id=stop_id, power_limit=power_limit
                )
                detail = {"session": session_id} | ({"stop": stop_id} if stop_id is not None else {})
                await self._note(rows, given, TrailAction.SESSION_ENDED, detail, now)

    async def settle(
        self,
        call: Repeatable,
        given: NewOrder,
        *,
        session_ids: Collection[int] | None,
        stop_ids: Collection[int] | None,
        owner_id: UserId | None,
    ) -> Settled:
        """Settle what is in doubt of charging sessions, as persistence.chargers.charging_review says.

        A repeat gives the same.
        """
        point = read_charge_point(given.subject)
        async with self._db.writing() as rows:
            if not await self._keys.claim(rows, call):
                return await self._settled_before(rows, given)
            now = datetime.now(UTC)
            settled = await charging_review.settle(
                rows, point, now, session_ids=session_ids, stop_ids=stop_ids, owner_id=owner_id
            )
            if settled.sessions or settled.stops:
                detail: dict[str, Any] = {"sessions": _spell(settled.sessions), "stops": _spell(settled.stops)}
                detail |= {"owner_id": owner_id} if owner_id is not None else {}
                await self._note(rows, given, TrailAction.SESSIONS_SETTLED, detail, now)
            return settled

    async def _note(
        self, rows: AsyncSession, given: NewOrder, action: TrailAction, detail: dict[str, Any], now: datetime
    ) -> None:
        """Write an order that is carried out at once, and the entry of the trail that it led to."""
        order_id = await orders.give(rows, given, now)
        mark = trail.carried_out(action, given.request_id or order_id)
        orders.prove(await orders.find(rows, given.subject, given.act, order_id), mark)
        await audit.append(
            rows, given.subject, actor=given.actor, action=action, detail=detail, order_id=order_id, once=mark
        )

    async def _settled_before(self, rows: AsyncSession, given: NewOrder) -> Settled:
        mark = trail.carried_out(TrailAction.SESSIONS_SETTLED, given.request_id or "")
        detail = await audit.detail_of(rows, given.subject, mark)
        return Settled(_read(detail.get("sessions", "")), _read(detail.get("stops", "")))


def _spell(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids))


def _read(ids: str) -> tuple[int, ...]:
    return tuple(int(one) for one in ids.split(",") if one)
