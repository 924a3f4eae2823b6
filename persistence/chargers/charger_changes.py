"""What orders changed at chargers beside their lists: on record before it is set, so that it can be put back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger import SettingChanged
from domain.ids import ChargePointId
from persistence.chargers import charge_points
from persistence.tables import ChargerChange


@dataclass(frozen=True)
class Changes:
    """What one order changed, and what it left."""

    settings_changed: tuple[SettingChanged, ...] = ()
    former_tags: int = 0
    """How many tags of the last group may go on charging while the charger is offline."""
    charging_limits: tuple[Mapping[str, Any], ...] = ()
    """The charging profiles that stay: `id`, `purpose`, `source`, `evse`."""


async def of(rows: AsyncSession, order_ids: Collection[str]) -> dict[str, Changes]:
    """Give what each order changed that changed or left anything."""
    query = select(ChargerChange).where(ChargerChange.order_id.in_(order_ids))
    return {
        row.order_id: Changes(
            tuple(SettingChanged(**one) for one in row.settings), row.former_tags, tuple(row.charging_limits)
        )
        for row in (await rows.execute(query)).scalars()
    }


async def of_one(rows: AsyncSession, order_id: str) -> Changes:
    """Give what one order changed."""
    return (await of(rows, [order_id])).get(order_id, Changes())


async def note_settings(
    rows: AsyncSession, charge_point_id: ChargePointId, order_id: str, changes: Iterable[SettingChanged]
) -> None:
    """Record what is about to be set; of a repeat the first `was` stays. Commit before it is sent."""
    row = await _row(rows, charge_point_id, order_id)
    known = {one["name"] for one in row.settings}
    row.settings = [*row.settings, *(asdict(change) for change in changes if change.name not in known)]


async def drop_setting(rows: AsyncSession, charge_point_id: ChargePointId, order_id: str, name: str) -> None:
    """Record that a setting is as it was."""
    row = await _row(rows, charge_point_id, order_id)
    row.settings = [one for one in row.settings if one["name"] != name]


async def note_left(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    order_id: str,
    *,
    former_tags: int,
    charging_limits: Sequence[Mapping[str, Any]],
) -> None:
    """Record what had to be left there."""
    row = await _row(rows, charge_point_id, order_id)
    row.former_tags, row.charging_limits = former_tags, [dict(limit) for limit in charging_limits]


async def _row(rows: AsyncSession, charge_point_id: ChargePointId, order_id: str) -> ChargerChange:
    await charge_points.lock(rows, charge_point_id)
    row = await rows.get(ChargerChange, order_id, populate_existing=True)
    if row is None:
        row = ChargerChange(
            order_id=order_id, charge_point_id=charge_point_id, settings=[], former_tags=0, charging_limits=[]
        )
        rows.add(row)
    return row
