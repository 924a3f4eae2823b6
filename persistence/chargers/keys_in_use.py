"""What people may be told of the key that a charger uses now; it is read-only."""

from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ChargePointId
from domain.keys import KeyInUse, KnownTo
from persistence.chargers.charger_keys import KeyState
from persistence.tables import ChargePoint, Credential

#: Joins a charge point's row with that of its key, of which there is one at most.
OF_POINT: Final[ColumnElement[bool]] = (Credential.charge_point_id == ChargePoint.id) & (
    Credential.state == KeyState.CURRENT.value
)


def in_use(row: Credential | None) -> KeyInUse | None:
    """Say of a key's row what may be told; None where there is none."""
    if row is None:
        return None
    return KeyInUse(
        known_to=KnownTo(row.known_to),
        since=row.proved_at or row.created_at,
        open_line=row.open_line,
        serials=tuple(str(serial) for serial in row.serials),
    )


async def read(rows: AsyncSession, charge_point_id: ChargePointId) -> KeyInUse | None:
    """Say what may be told of one charger's key; None where it has none."""
    query = select(Credential).where(
        Credential.charge_point_id == charge_point_id, Credential.state == KeyState.CURRENT.value
    )
    return in_use((await rows.scalars(query)).one_or_none())
