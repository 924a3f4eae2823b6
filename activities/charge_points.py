"""What is asked of a charge point outside any transfer, on SQLite or PostgreSQL."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.charge_points import ChargePoints, PointAsk, PointPlace
from activities.contracts.messages import Done
from domain.actors import Actor
from domain.charger_orders import PROVES_FOR, ChargerOrder, check_asker, check_order
from domain.errors import NotPossible, Unavailable
from domain.ids import ID_PATTERN, UserId, charger_order_workflow_id
from domain.orders import OrderAct, unproven
from domain.trail import of_charge_point, of_order, ordered
from persistence.chargers import charge_points, charger_orders
from persistence.intake import orders
from persistence.session import Database
from persistence.tables import Order
from persistence.transfers import audit


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
        own = charger_order_workflow_id(ask.charge_point_id, ask.order.value, ask.order_id)
        async with self._db.writing() as rows:
            order = await orders.find(rows, subject, act, ask.order_id)
            # a restart is on record once it is certain: then it is not done again
            done = order is not None and order.carried_out_as is not None and ask.order is ChargerOrder.IDENTIFY
            if order is not None and ask.workflow_id == own and not done:
                return await _find_charger(rows, ask, order)
            if ID_PATTERN.fullmatch(ask.charge_point_id):
                await charge_points.get(rows, ask.charge_point_id)
                await orders.note_unproven(rows, subject, act)
        raise unproven()

    async def note_order(self, ask: PointAsk) -> Done:
        """Write one entry, once for each order."""
        subject, once = of_charge_point(ask.charge_point_id), ordered(ask.order, ask.order_id)
        async with self._db.writing() as rows:
            order = await orders.find(rows, subject, OrderAct(ask.order.value), ask.order_id)
            if order is None:
                raise unproven()
            orders.prove(order, once)
            await audit.append(
                rows, subject, actor=Actor(order.actor), action=of_order(ask.order), order_id=ask.order_id, once=once
            )
        return Done()


async def _find_charger(rows: AsyncSession, ask: PointAsk, order: Order) -> PointPlace:
    if datetime.now(UTC) - order.at > PROVES_FOR:
        raise NotPossible("That was asked for too long ago; ask again.")
    seen = await charger_orders.look(rows, ask.charge_point_id)
    if order.user_id is not None:
        check_asker(ask.order, seen.facts.owner_id, UserId(order.user_id), operator=False)
    check_order(ask.order, seen.facts)
    if seen.node is None:
        raise Unavailable("The charger's connection ended at this moment.")
    return PointPlace(node=seen.node)
