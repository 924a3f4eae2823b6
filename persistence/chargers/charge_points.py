"""Charge points and their ledger: who holds them, and since when."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charge_point import ChargePoint, Holding
from domain.errors import NotFound, Unavailable
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.transfer import UntilNewKey
from persistence import tables


async def get(rows: AsyncSession, charge_point_id: ChargePointId) -> ChargePoint:
    """Read a charge point; raises NotFound."""
    return _as_rules_need_it(await rows.get(tables.ChargePoint, charge_point_id))


def _as_rules_need_it(row: tables.ChargePoint | None) -> ChargePoint:
    if row is None:
        raise NotFound("There is no such charge point.")
    return ChargePoint(
        id=ChargePointId(row.id),
        holding=Holding(UserId(row.owner_id), GroupId(row.group_id)),
        version=row.version,
        owner_changed_at=row.owner_changed_at,
        owner_version=row.owner_version,
        until_new_key=UntilNewKey(row.until_new_key) if row.until_new_key else None,
        rotates=row.rotates,
    )


async def lock(rows: AsyncSession, charge_point_id: ChargePointId) -> ChargePoint:
    """Keep everybody else from changing a charge point, its keys or its sessions' holder until the transaction ends.

    Of all that hangs on a charge point this is locked first: who locks in one order never waits in a circle. Raises
    NotFound.
    """
    wanted = select(tables.ChargePoint).where(tables.ChargePoint.id == charge_point_id)
    wanted = wanted.with_for_update(key_share=True).execution_options(populate_existing=True)
    return _as_rules_need_it((await rows.execute(wanted)).scalar_one_or_none())


async def hold(rows: AsyncSession, charge_point_id: ChargePointId) -> None:
    """Let nobody change who has a charge point until the transaction ends; others may hold it too."""
    held = select(tables.ChargePoint.id).where(tables.ChargePoint.id == charge_point_id)
    await rows.execute(held.with_for_update(read=True))


class Change(NamedTuple):
    """A change of who has a charge point."""

    version: int
    at: datetime


async def change_of(rows: AsyncSession, transfer_id: TransferId, change: str) -> Change | None:
    """Give what a transfer's `change` (`transfer` or `roll_back`) made; None where it made none."""
    query = select(tables.OwnershipPeriod.version, tables.OwnershipPeriod.started_at).where(
        tables.OwnershipPeriod.transfer_id == transfer_id, tables.OwnershipPeriod.change == change
    )
    found = (await rows.execute(query)).one_or_none()
    return Change(*found) if found is not None else None


async def change_holding(
    rows: AsyncSession,
    seen: ChargePoint,
    after: Holding,
    *,
    transfer_id: TransferId,
    change: str,
    now: datetime,
    owner_since: datetime | None,
    owner_version: int | None = None,
) -> int:
    """Give the charge point to `after`: one new ledger period, version + 1; history is never rewritten.

    `owner_since` is what the cool-down counts from, if the owner changes; `owner_version` the version with which their
    time began: the new one unless it is said.

    Raises Unavailable where somebody else changed it since it was `seen` (to be tried again with fresh eyes).
    """
    version = seen.version + 1
    owner_changes = after.owner_id != seen.holding.owner_id
    values: dict[str, Any] = {"owner_id": after.owner_id, "group_id": after.group_id, "version": version}
    if owner_changes:
        values["owner_changed_at"] = owner_since
        values["owner_version"] = version if owner_version is None else owner_version
    changed = await rows.execute(
        update(tables.ChargePoint)
        .where(tables.ChargePoint.id == seen.id, tables.ChargePoint.version == seen.version)
        .values(values)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise Unavailable("The charge point changed meanwhile.")
    await rows.execute(
        update(tables.OwnershipPeriod)
        .where(tables.OwnershipPeriod.charge_point_id == seen.id, tables.OwnershipPeriod.ended_at.is_(None))
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )
    rows.add(
        tables.OwnershipPeriod(
            charge_point_id=seen.id,
            version=version,
            owner_id=after.owner_id,
            group_id=after.group_id,
            started_at=now,
            ended_at=None,
            transfer_id=transfer_id,
            change=change,
        )
    )
    await rows.flush()
    return version


async def block_sessions(rows: AsyncSession, charge_point_id: ChargePointId, by: TransferId) -> None:
    """Let no new charging session start."""
    await rows.execute(
        update(tables.ChargePoint).where(tables.ChargePoint.id == charge_point_id).values(sessions_blocked_by=by)
    )


async def allow_sessions(
    rows: AsyncSession, charge_point_id: ChargePointId | ScalarSelect[str], by: TransferId
) -> None:
    """Let charging sessions start again, where `by` blocked them."""
    await rows.execute(
        update(tables.ChargePoint)
        .where(tables.ChargePoint.id == charge_point_id, tables.ChargePoint.sessions_blocked_by == by)
        .values(sessions_blocked_by=None)
        .execution_options(synchronize_session=False)
    )
