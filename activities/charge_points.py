"""What is asked of a charge point outside any transfer, on SQLite or PostgreSQL."""

from activities.contracts import ChargePoints, Done, PointAsk, PointPlace
from domain.charger_orders import check_asker, check_order
from domain.errors import Unavailable
from domain.trail import of_charge_point, of_order, ordered
from persistence import audit, charger_orders
from persistence.session import Database


class DatabaseChargePoints(ChargePoints):
    """Each step one transaction."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._db = database

    async def find_charger(self, ask: PointAsk) -> PointPlace:
        """Check, and read where it is. The owner may be another one since the call: they are looked at here, too."""
        async with self._db.reading() as session:
            seen = await charger_orders.look(session, ask.charge_point_id)
        if ask.actor_id is not None:
            check_asker(ask.order, seen.facts.owner_id, ask.actor_id, operator=False)
        check_order(ask.order, seen.facts)
        if seen.node is None:
            raise Unavailable("The charger's connection ended at this moment.")
        return PointPlace(node=seen.node)

    async def note_order(self, ask: PointAsk) -> Done:
        """Write one entry, once for each request."""
        async with self._db.writing() as session:
            await audit.append(
                session,
                of_charge_point(ask.charge_point_id),
                actor=ask.actor,
                action=of_order(ask.order),
                once=ordered(ask.order, ask.request_id),
            )
        return Done()
