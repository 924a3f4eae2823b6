"""The local lists of chargers: what a charger is to be sent, what it was sent, and what that replaced."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import TransferInProgress
from domain.ids import ChargePointId
from persistence.chargers import charge_points
from persistence.tables import ChargePoint, LocalList, OwnershipPeriod, Tag
from persistence.transfers import transfers

ACCEPTED = "Accepted"
BLOCKED = "Blocked"


@dataclass(frozen=True)
class ListLimits:
    """What a charger can take: entries a message, entries in all (None: not said), and the version that it has."""

    part: int
    length: int | None = None
    version: int = 0
    tag: int = 36
    """How long a tag may be; longer ones are left out."""


@dataclass(frozen=True)
class ListOrder:
    """A list to send: part `n` carries the version `first_version + n`; there is one part at least."""

    first_version: int
    parts: tuple[tuple[dict[str, str], ...], ...]
    former: tuple[str, ...] = ()
    """The tags that are not to charge any more, whether or not they stand on it."""


async def plan_list(
    rows: AsyncSession, charge_point_id: ChargePointId, order_id: str, limits: ListLimits, *, restore: bool = False
) -> ListOrder | None:
    """Work out and keep the list that an order sends, before it is sent; None: with `restore`, nothing was replaced.

    The present group's tags are accepted; tags of the list that it replaces, and of the group before, stay on it
    blocked: a charger that lets unknown tags charge offline would let missing ones. Where it has no room for all, the
    accepted come first. While people know the charger's key it is sent an empty list: only the present group is to
    read its tags. A repeat keeps `replaced` as it was before the order, and takes higher versions: a version is
    never sent twice. Call it in a writing transaction; commit before sending.

    Raises TransferInProgress where another order's transfer is at work there: what it is to replace, and may have to
    restore, stays as it found it.
    """
    await charge_points.lock(rows, charge_point_id)
    if await transfers.at_charger(rows, charge_point_id) not in {None, order_id}:
        raise TransferInProgress("Another transfer is at work on the charge point, and sends it its own list.")
    query = select(LocalList).where(LocalList.charge_point_id == charge_point_id)
    saved = (await rows.execute(query)).scalar_one_or_none()
    if restore and (saved is None or saved.order_id != order_id):
        return None
    if saved is None:
        saved = LocalList(charge_point_id=charge_point_id, version=0, entries=[], order_id=None, replaced=None)
        rows.add(saved)
    if saved.order_id != order_id:
        saved.order_id, saved.replaced = order_id, saved.entries
    entries = list(saved.replaced or []) if restore else await _entries(rows, charge_point_id, saved)
    former = [entry["id_tag"] for entry in entries if entry["status"] == BLOCKED]
    if not restore and (await charge_points.get(rows, charge_point_id)).until_new_key is not None:
        entries = []
    entries = [entry for entry in entries if len(entry["id_tag"]) <= limits.tag][: limits.length]
    parts = _split(entries, limits.part)
    first = max(saved.version, limits.version) + 1
    saved.entries, saved.version = entries, first + len(parts) - 1
    await rows.flush()
    return ListOrder(first, tuple(parts), tuple(former))


async def _entries(rows: AsyncSession, charge_point_id: ChargePointId, saved: LocalList) -> list[dict[str, str]]:
    group_id = (await rows.execute(select(ChargePoint.group_id).filter_by(id=charge_point_id))).scalar_one()
    accepted = await _tags(rows, group_id)
    former = await _former_tags(rows, charge_point_id, group_id)
    listed = [entry["id_tag"] for entry in [*(saved.replaced or []), *saved.entries]]
    blocked = [tag for tag in dict.fromkeys([*former, *listed]) if tag not in set(accepted)]
    return _of(accepted, ACCEPTED) + _of(blocked, BLOCKED)


async def _former_tags(rows: AsyncSession, charge_point_id: ChargePointId, group_id: str) -> list[str]:
    """Give the tags of the group that had the charge point before the present one."""
    query = (
        select(OwnershipPeriod.group_id)
        .where(OwnershipPeriod.charge_point_id == charge_point_id, OwnershipPeriod.group_id != group_id)
        .order_by(OwnershipPeriod.version.desc())
        .limit(1)
    )
    former = (await rows.execute(query)).scalar_one_or_none()
    return await _tags(rows, former) if former else []


async def _tags(rows: AsyncSession, group_id: str) -> list[str]:
    query = select(Tag.id_tag).where(Tag.group_id == group_id).order_by(Tag.id_tag)
    return list((await rows.execute(query)).scalars())


def _of(tags: Iterable[str], status: str) -> list[dict[str, str]]:
    return [{"id_tag": tag, "status": status} for tag in tags]


def _split(entries: list[Any], size: int) -> list[tuple[dict[str, str], ...]]:
    """Cut into parts of at most `size`; an empty list is one empty part."""
    return [tuple(entries[at : at + size]) for at in range(0, max(len(entries), 1), size)]
