"""What a transfer has to know of its charger at one moment, by one query."""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import TransferId
from domain.transfer import TransferState
from persistence.chargers import charging, credentials, present_connections
from persistence.chargers.present_connections import Place
from persistence.tables import PresentConnection, Transfer


class AtCharger(NamedTuple):
    """Where a transfer's charger is, and what goes on there."""

    state: TransferState
    """The transfer's."""
    place: Place
    address: str | None
    """Where the charger's connection that is open comes from."""
    session_running: bool
    enrolment_sent_at: datetime | None
    """When a key was sent that is still to be answered, in place of its owner's own."""


@cache
def _query() -> Select[*tuple[Any, ...]]:
    point = Transfer.charge_point_id
    return (
        select(
            Transfer.state,
            PresentConnection.address,
            charging.runs_at(point),
            credentials.enrolment_sent_to(point).scalar_subquery(),
            *present_connections.PLACE,
            present_connections.is_open(),
        )
        .select_from(Transfer)
        .outerjoin(PresentConnection, PresentConnection.charge_point_id == point)
        .where(Transfer.id == bindparam("transfer_id"))
    )


async def of_transfer(rows: AsyncSession, transfer_id: TransferId) -> AtCharger:
    """Say how it is at a transfer's charger. Only reads; raises NotFound."""
    row = (await rows.execute(_query(), {"transfer_id": transfer_id})).one_or_none()
    if row is None:
        raise NotFound("There is no such transfer.")
    state, address, running, sent_at, node, generation, quarantined, is_open = row
    place = present_connections.place_of(node, generation, quarantined, is_open)
    return AtCharger(TransferState(state), place, address if is_open else None, bool(running), sent_at)
