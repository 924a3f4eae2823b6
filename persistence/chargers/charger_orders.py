"""What says whether a charger may be told something outside any transfer, and where it is; it is read-only."""

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger_orders import Facts
from domain.ids import ChargePointId, NodeId
from domain.transfer import Attention, known_attention
from persistence.chargers import charge_points, charging, credentials, present_connections
from persistence.chargers.charger_keys import read_keys
from persistence.tables import Transfer
from persistence.transfers import transfers


class Seen(NamedTuple):
    """The facts about a charger, and the node that holds its socket."""

    facts: Facts
    node: NodeId | None


async def look(rows: AsyncSession, charge_point_id: ChargePointId) -> Seen:
    """Gather the facts; raises NotFound. Only reads."""
    point = await charge_points.get(rows, charge_point_id)
    keys = await read_keys(rows, charge_point_id)
    place = await present_connections.whereabouts(rows, charge_point_id)
    at_work = await transfers.at_charger(rows, charge_point_id)
    row = await rows.get(Transfer, at_work) if at_work is not None else None
    facts = Facts(
        owner_id=point.holding.owner_id,
        key=credentials.facts_of(keys, transfer_at_work=at_work is not None),
        attention=known_attention(row.attention) if row is not None else Attention.NONE,
        connected=place.node is not None,
        quarantined=place.node is not None and place.quarantined,
        session_running=await charging.session_running(rows, charge_point_id),
    )
    return Seen(facts, place.node)
