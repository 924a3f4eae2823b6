"""The local lists of chargers: what a charger is to be sent, what it was sent, and what that replaced."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charge_point import ChargePoint
from domain.errors import TransferInProgress
from domain.ids import ChargePointId
from domain.tags import TagType
from persistence.chargers import charge_points
from persistence.tables import LocalList, OwnershipPeriod, Tag
from persistence.transfers import transfers

ACCEPTED: Final = "Accepted"
BLOCKED: Final = "Blocked"
#: OCPP counts versions in 32 bits; after the last one the first comes again.
_LAST_VERSION: Final = 2**31 - 1


@dataclass(frozen=True)
class Entry:
    """A tag on a local list; what it is, is its value and its type together (OCPP 1.6 has no types)."""

    id_tag: str
    status: str
    type: str = TagType.ISO14443.value


@dataclass(frozen=True)
class ListLimits:
    """What a charger can take: entries a message, entries in all (None: not said), and the version that it has."""

    part: int
    length: int | None = None
    version: int = 0
    tag: int = 36
    """How long a tag may be; longer ones are left out."""
    types: bool = True
    """Whether it tells tags of one value and several types apart."""


@dataclass(frozen=True)
class ListOrder:
    """A list to send: part `n` carries the version `first_version + n`; there is one part at least."""

    first_version: int
    parts: tuple[tuple[Entry, ...], ...]
    former: tuple[Entry, ...] = ()
    """The tags of the last group, which are not to charge any more, whether or not they stand on it."""
    blocked: int = 0
    """How many of those stand on it, as blocked."""


async def claim_list(
    rows: AsyncSession, charge_point_id: ChargePointId, order_id: str, *, restore: bool = False
) -> bool:
    """Let an order replace the list, before it touches anything; whether it may: with `restore` only what is its own.

    Raises TransferInProgress where another order's transfer is at work there: what it is to replace, and may have to
    restore, stays as it found it.
    """
    return (await _claim(rows, charge_point_id, order_id, restore=restore))[1] is not None


async def plan_list(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    order_id: str,
    limits: ListLimits,
    *,
    block_former: bool = False,
    restore: bool = False,
) -> ListOrder | None:
    """Work out and keep the list that an order sends, before it is sent; None: it may not (`claim_list`).

    The present group's tags are accepted. `block_former`: those of the last group stand on it as blocked, as the
    charger would let a tag that is missing charge; where it has no room for all, the accepted come first. While people
    know the charger's key it is sent an empty list: only the present group is to read its tags. A repeat keeps
    `replaced` as it was before the order, and takes higher versions: a version is never sent twice. Call it in a
    writing transaction; commit before sending.

    Raises TransferInProgress, as `claim_list`.
    """
    point, saved = await _claim(rows, charge_point_id, order_id, restore=restore)
    if saved is None:
        return None
    former: list[Entry] = []
    if restore:
        entries = [Entry(**entry) for entry in saved.replaced or []]
    else:
        accepted = await _tags(rows, point.holding.group_id, limits)
        former = await _former(rows, point, saved, accepted, limits)
        entries = [*accepted, *(former if block_former else ())] if point.until_new_key is None else []
    entries = [entry for entry in entries if len(entry.id_tag) <= limits.tag][: limits.length]
    parts = _split(entries, limits.part)
    first = max(saved.version, limits.version) + 1
    first = first if first + len(parts) <= _LAST_VERSION else 1
    saved.entries, saved.version = [asdict(entry) for entry in entries], first + len(parts) - 1
    await rows.flush()
    return ListOrder(first, tuple(parts), tuple(former), sum(entry.status == BLOCKED for entry in entries))


async def _claim(
    rows: AsyncSession, charge_point_id: ChargePointId, order_id: str, *, restore: bool
) -> tuple[ChargePoint, LocalList | None]:
    point = await charge_points.lock(rows, charge_point_id)
    if await transfers.at_charger(rows, charge_point_id) not in {None, order_id}:
        raise TransferInProgress("Another transfer is at work on the charge point, and sends it its own list.")
    saved = await rows.get(LocalList, charge_point_id, populate_existing=True)
    if restore and (saved is None or saved.order_id != order_id):
        return point, None
    if saved is None:
        saved = LocalList(charge_point_id=charge_point_id, version=0, entries=[], order_id=None, replaced=None)
        rows.add(saved)
    if saved.order_id != order_id:
        saved.order_id, saved.replaced = order_id, saved.entries
    await rows.flush()
    return point, saved


async def _former(
    rows: AsyncSession, point: ChargePoint, saved: LocalList, accepted: Sequence[Entry], limits: ListLimits
) -> list[Entry]:
    """Give the tags of the group that had the charge point last, and those that its list let charge, as blocked."""
    others = OwnershipPeriod.group_id != point.holding.group_id
    query = (
        select(OwnershipPeriod.group_id)
        .where(OwnershipPeriod.charge_point_id == point.id, others)
        .order_by(OwnershipPeriod.version.desc())
        .limit(1)
    )
    last = (await rows.execute(query)).scalar_one_or_none()
    listed = [Entry(**entry) for entry in saved.replaced or [] if entry["status"] == ACCEPTED]
    known = [*(await _tags(rows, last, limits) if last else ()), *listed]
    stays = {(entry.id_tag, entry.type) for entry in accepted}
    found = {(entry.id_tag, entry.type): Entry(entry.id_tag, BLOCKED, entry.type) for entry in known}
    return [entry for what, entry in found.items() if what not in stays]


async def _tags(rows: AsyncSession, group_id: str, limits: ListLimits) -> list[Entry]:
    query = select(Tag.id_tag, Tag.type).where(Tag.group_id == group_id).order_by(Tag.id_tag, Tag.type)
    found = [Entry(id_tag, ACCEPTED, type_) for id_tag, type_ in (await rows.execute(query)).all()]
    if limits.types:
        return found
    return [Entry(id_tag, ACCEPTED) for id_tag in dict.fromkeys(entry.id_tag for entry in found)]


def _split(entries: list[Any], size: int) -> list[tuple[Entry, ...]]:
    """Cut into parts of at most `size`; an empty list is one empty part."""
    return [tuple(entries[at : at + size]) for at in range(0, max(len(entries), 1), size)]
