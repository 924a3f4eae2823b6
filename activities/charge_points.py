"""What is asked of a charge point outside any transfer, on SQLite or PostgreSQL."""

from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts import ChargePoints, Done, PointAsk, PointPlace
from domain.charger_orders import check_asker, check_order
from domain.errors import Unavailable
from domain.ids import UserId
from domain.orders import OrderAct, unproven
from domain.trail import of_charge_point, of_order, ordered
from persistence import audit, charge_points, charger_orders, orders
from persistence.session import Database
from persistence.tables import Order


class DatabaseChargePoints(ChargePoints):
    """Each step one transaction."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._db = database

    async def find_charger(self, ask: PointAsk) -> PointPlace:
        """Check, and read where it is. The owner may be another one since the call: they are looked at here, too.

        What has no order is on record, once for each act.
        """
        subject, act = of_charge_point(ask.charge_point_id), OrderAct(ask.order.value)
        async with self._db.writing() as session:
            if order := await orders.find(session, subject, act, ask.order_id):
                return await _find_charger(session, ask, order)
            await charge_points.get(session, ask.charge_point_id)
            await orders.note_unproven(session, subject, act)
        raise unproven()

    async def note_order(self, ask: PointAsk) -> Done:
        """Write one entry, once for each order."""
        subject, once = of_charge_point(ask.charge_point_id), ordered(ask.order, ask.order_id)
        async with self._db.writing() as session:
            order = await orders.find(session, subject, OrderAct(ask.order.value), ask.order_id)
            if order is None:
                raise unproven()
            orders.prove(order, once)
            await audit.append(
                session, subject, actor=order.actor, action=of_order(ask.order), order_id=ask.order_id, once=once
            )
        return Done()


async def _find_charger(session: AsyncSession, ask: PointAsk, order: Order) -> PointPlace:
    seen = await charger_orders.look(session, ask.charge_point_id)
    if order.user_id is not None:
        check_asker(ask.order, seen.facts.owner_id, UserId(order.user_id), operator=False)
    check_order(ask.order, seen.facts)
    if seen.node is None:
        raise Unavailable("The charger's connection ended at this moment.")
    return PointPlace(node=seen.node)
