"""What a caller may see of groups, charge points and their ledger; all of it is read-only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, select, true
from sqlalchemy.orm import InstrumentedAttribute

from domain.charger import Rotates
from domain.errors import NotFound
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.keys import KnownTo
from domain.rights import Role
from persistence.chargers import keys_in_use
from persistence.chargers.present_connections import is_contended, is_released
from persistence.people.callers import Caller, groups_of
from persistence.session import Database
from persistence.tables import ChargePoint, Credential, Group, Membership, OwnershipPeriod, PresentConnection, Transfer
from persistence.views.visibility import period_in_sight

_Rows: TypeAlias = Select[*tuple[Any, ...]]
_Row: TypeAlias = Row[*tuple[Any, ...]]


@dataclass(frozen=True)
class GroupView:
    """A group; `role` is the caller's, None for an operator who is no member."""

    id: GroupId
    name: str
    personal: bool
    role: Role | None


@dataclass(frozen=True)
class KeyView:
    """What is told of the key that a charger uses now."""

    known_to: KnownTo
    open_line: bool
    since: datetime
    rotates: Rotates
    serials: tuple[str, ...]


@dataclass(frozen=True)
class ChargePointView:
    """A charge point as its group sees it."""

    id: ChargePointId
    identity: str
    name: str
    location: str | None
    group_id: GroupId
    owner_id: UserId
    connected: bool
    """Over a connection that may do what an ordinary one may."""
    held: bool
    quarantined: bool
    key: KeyView | None
    key_due: bool
    """Its owner is to type a new one into the charger: it has none, or people know the one in use since before them."""
    ocpp: str
    vendor: str | None
    model: str | None
    firmware: str | None
    serials: tuple[str, ...]
    version: int
    active_transfer_id: TransferId | None


@dataclass(frozen=True)
class PeriodView:
    """One period of the ledger."""

    version: int
    owner_id: UserId
    group_id: GroupId
    started_at: datetime
    ended_at: datetime | None
    transfer_id: TransferId | None
    change: str


class Reads:
    """Answers one caller; each method is one short read. Raises Unavailable where the database is away."""

    def __init__(self, db: Database) -> None:
        """Take the database."""
        self._db = db

    async def groups(self, caller: Caller, *, after: str = "", limit: int) -> list[GroupView]:
        """List the caller's groups by id, from the one behind `after`."""
        return [_group(row) for row in await self._rows(_groups(caller, Group.id > after).limit(limit))]

    async def group(self, caller: Caller, group_id: GroupId) -> GroupView:
        """Give one group; raises NotFound."""
        rows = await self._rows(_groups(caller, Group.id == group_id))
        return _group(_only(rows, "There is no such group, or you are not a member of it."))

    async def charge_points(self, caller: Caller, *, after: str = "", limit: int) -> list[ChargePointView]:
        """List the charge points of the caller's groups by id, from the one behind `after`."""
        page = _page(caller, after, limit, lateral=not self._db.is_sqlite).subquery()
        rows = await self._rows(_charge_points().join(page, page.c.id == ChargePoint.id).order_by(ChargePoint.id))
        return [_charge_point(row) for row in rows]

    async def charge_point(self, caller: Caller, charge_point_id: ChargePointId) -> ChargePointView:
        """Give one charge point; raises NotFound."""
        which = (ChargePoint.id == charge_point_id, _in_sight(caller, ChargePoint.group_id))
        rows = await self._rows(_charge_points().where(*which))
        return _charge_point(_only(rows, "There is no such charge point, or you are not a member of its group."))

    async def ownership(
        self, caller: Caller, charge_point_id: ChargePointId, *, after: int = -1, limit: int
    ) -> list[PeriodView]:
        """List the ledger in order, from the period behind version `after`; raises NotFound where all is hidden."""
        wanted = (
            select(OwnershipPeriod)
            .join(ChargePoint, ChargePoint.id == OwnershipPeriod.charge_point_id)
            .where(ChargePoint.id == charge_point_id, period_in_sight(caller))
            .order_by(OwnershipPeriod.version)
        )
        rows = await self._rows(wanted.where(OwnershipPeriod.version > after).limit(limit))
        if not rows:
            _only(await self._rows(wanted.limit(1)), "There is no such charge point, or you never had it.")
        return [_period(row[0]) for row in rows]

    async def _rows(self, wanted: _Rows) -> Sequence[_Row]:
        async with self._db.reading() as rows:
            return (await rows.execute(wanted)).all()


def _only(rows: Sequence[_Row], otherwise: str) -> _Row:
    if not rows:
        raise NotFound(otherwise)
    return rows[0]


def _in_sight(caller: Caller, group_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    return true() if caller.operator else group_id.in_(groups_of(caller.id))


def _groups(caller: Caller, which: ColumnElement[bool]) -> _Rows:
    mine = (Membership.group_id == Group.id) & (Membership.user_id == caller.id)
    wanted = select(Group, Membership.role).outerjoin(Membership, mine)
    return wanted.where(which, _in_sight(caller, Group.id)).order_by(Group.id)


def _page(caller: Caller, after: str, limit: int, *, lateral: bool) -> Select[str]:
    """Select the ids of a page of charge points, from the one behind `after`.

    `lateral`: the database can look into each of the caller's groups for a page by itself, however many charge points
    these have, or others; else into all at once.
    """
    wanted = select(ChargePoint.id).where(ChargePoint.id > after).order_by(ChargePoint.id).limit(limit)
    if caller.operator:
        return wanted
    if not lateral:
        return wanted.where(ChargePoint.group_id.in_(groups_of(caller.id)))
    groups = groups_of(caller.id).subquery()
    each = wanted.where(ChargePoint.group_id == groups.c.group_id).lateral()
    return select(each.c.id).select_from(groups.join(each, true())).order_by(each.c.id).limit(limit)


@cache
def _charge_points() -> _Rows:
    active = (Transfer.charge_point_id == ChargePoint.id) & Transfer.active
    return (
        select(ChargePoint, PresentConnection, Credential, is_released(), is_contended(), Transfer.id)
        .outerjoin(PresentConnection, PresentConnection.charge_point_id == ChargePoint.id)
        .outerjoin(Credential, keys_in_use.OF_POINT)
        .outerjoin(Transfer, active)
    )


def _group(row: _Row) -> GroupView:
    group, role = row
    return GroupView(GroupId(group.id), group.name, group.personal_of is not None, Role(role) if role else None)


def _charge_point(row: _Row) -> ChargePointView:
    point, link, credential, released, contended, active_transfer_id = row
    online = link is not None and link.node is not None
    return ChargePointView(
        id=ChargePointId(point.id),
        identity=point.identity,
        name=point.name,
        location=point.location,
        group_id=GroupId(point.group_id),
        owner_id=UserId(point.owner_id),
        connected=bool(released),
        held=bool(contended),
        quarantined=online and link.quarantined,
        key=_key(credential, rotates=point.rotates),
        key_due=credential is None or point.until_new_key is not None,
        ocpp=point.ocpp,
        vendor=point.vendor,
        model=point.model,
        firmware=point.firmware,
        serials=tuple(str(serial) for serial in point.serials),
        version=point.version,
        active_transfer_id=active_transfer_id,
    )


def _key(row: Credential | None, *, rotates: bool | None) -> KeyView | None:
    key = keys_in_use.in_use(row)
    if key is None:
        return None
    return KeyView(key.known_to, key.open_line, key.since, Rotates.of(seen=rotates), key.serials)


def _period(row: OwnershipPeriod) -> PeriodView:
    return PeriodView(
        version=row.version,
        owner_id=UserId(row.owner_id),
        group_id=GroupId(row.group_id),
        started_at=row.started_at,
        ended_at=row.ended_at,
        transfer_id=TransferId(row.transfer_id) if row.transfer_id else None,
        change=row.change,
    )
