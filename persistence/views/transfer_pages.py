"""Which transfers, and which requests, a page of a list has: each way to them has an index.

A list is never made by looking at every transfer, or at every one of somebody's. Each way to them
(persistence.views.visibility) gives the page's number of rows at most, the latest first; the page is taken from these.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Select,
    func,
    literal,
    or_,
    select,
    true,
    union,
)

from domain.ids import GroupId, UserId
from persistence.people.callers import Caller
from persistence.tables import ChargePoint, Request, Transfer, UtcDateTime
from persistence.views.transfer_filter import TransferFilter, of_requests, of_transfers
from persistence.views.visibility import (
    Way,
    transfer_in_sight,
    ways_of,
    ways_of_group,
)

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=512)
def page_of_transfers(wanted: TransferFilter, caller: Caller, limit: int, *, lateral: bool) -> Select[Transfer]:
    """Select a page of what a caller may see, the latest request first.

    `lateral`: the database can follow a way once for each of several ids; else it follows it for all of them at once.
    Whoever asks for the same again, as programs do, has the same question: to put it takes longer than to answer it.
    """
    which = of_transfers(wanted)
    if wanted.charge_point_id is not None or (caller.operator and wanted.group_id is None):
        if wanted.group_id is not None:
            which.append(or_(*(way.condition for way in ways_of_group(caller, wanted.group_id))))
        return _latest(select(Transfer).where(*which, transfer_in_sight(caller)), limit)
    if wanted.group_id is not None:
        ways: Sequence[Way] = ways_of_group(caller, wanted.group_id)
        which.append(transfer_in_sight(caller))
    else:
        ways = ways_of(caller)
    picked = _Picking(which, limit, lateral=lateral).pick(ways)
    return select(Transfer).join(picked, picked.c.id == Transfer.id).order_by(*_ORDER)


@lru_cache(maxsize=512)
def page_of_requests(wanted: TransferFilter, caller: Caller, limit: int) -> Select[*tuple[Any, ...]]:
    """Select a page of requests that no workflow has begun, with their charge points: for who asked, and operators.

    What is begun has its transfer, written in the same transaction; the few that are not have an index of their own.
    """
    which = [Request.started_at.is_(None), *of_requests(wanted, caller)]
    if not caller.operator:
        which.append(Request.user_id == caller.id)
    ordered = requests_without_transfer().where(*which)
    return ordered.order_by(Request.requested_at.desc(), Request.transfer_id.desc()).limit(limit)


def requests_without_transfer() -> Select[*tuple[Any, ...]]:
    """Select requests that no transfer came of yet, each with its charge point."""
    return (
        select(Request, ChargePoint)
        .join(ChargePoint, ChargePoint.id == Request.charge_point_id)
        .where(~select(Transfer.id).where(Transfer.id == Request.transfer_id).exists())
    )


_ORDER: Final = (Transfer.requested_at.desc(), Transfer.id.desc())


def _latest(wanted: Select[*tuple[Any, ...]], limit: int) -> Select[*tuple[Any, ...]]:
    return wanted.order_by(*_ORDER).limit(limit)


class _Picking:
    """Picks the latest transfers from several ways to them."""

    def __init__(self, which: Iterable[ColumnElement[bool]], limit: int, *, lateral: bool) -> None:
        """Pick `limit` transfers at most of those that `which` says."""
        self._which = tuple(which)
        self._limit = limit
        self._lateral = lateral

    def pick(self, ways: Iterable[Way]) -> CTE:
        """Select id and requested_at of the latest ones of all ways.

        The ways of a single id come first. Where they fill the page, those of many ids are followed no further back
        than they reach, one after the other: what a group has given away, or may only get, is not its members' to see.
        """
        merged = _merged(ways)
        direct = [self._branch(way) for way in merged if not isinstance(way.ids, Select)]
        picked = self._top(union(*direct)).cte("picked")
        for number, way in enumerate((way for way in merged if isinstance(way.ids, Select)), start=1):
            more = self._branch(way, Transfer.requested_at >= self._reach(picked))
            picked = self._top(union(select(picked.c.id, picked.c.requested_at), more)).cte(f"picked_{number}")
        return picked

    def _reach(self, picked: CTE) -> ColumnElement[datetime]:
        """Give how far back the page goes by what is picked: for ever, as long as it is not full."""
        ordered = select(picked.c.requested_at).order_by(picked.c.requested_at.desc())
        last = ordered.offset(self._limit - 1).limit(1).scalar_subquery()
        return func.coalesce(last, literal(_LONG_AGO, UtcDateTime()))

    def _top(self, found: CompoundSelect[Any]) -> Select[*tuple[Any, ...]]:
        every = found.subquery()
        ordered = select(every.c.id, every.c.requested_at).order_by(every.c.requested_at.desc(), every.c.id.desc())
        return ordered.limit(self._limit)

    def _branch(self, way: Way, *more: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        """Follow one way as far as the page goes.

        Even a single id is put as a question: as a value it would be looked up in the statistics, and of one that is
        frequent PostgreSQL walks all transfers until it has met enough.
        """
        found = select(Transfer.id, Transfer.requested_at).where(way.only, *more, *self._which)
        if not isinstance(way.ids, Select):
            named = way.column == select(literal(way.ids)).scalar_subquery()
        elif not self._lateral:
            named = way.column.in_(way.ids)
        else:
            ids = way.ids.subquery()
            each = _latest(found.where(way.column == ids.c[0]), self._limit).lateral()
            return select(each.c.id, each.c.requested_at).select_from(ids.join(each, true()))
        branch = _latest(found.where(named), self._limit).subquery()
        return select(branch.c.id, branch.c.requested_at)


def _merged(ways: Iterable[Way]) -> list[Way]:
    """Make one way of those by the same column and the same single id: its index is walked once."""
    single: dict[tuple[str, UserId | GroupId], Way] = {}
    several = []
    for way in ways:
        if isinstance(way.ids, Select):
            several.append(way)
            continue
        key = (way.column.key, way.ids)
        known = single.get(key)
        single[key] = way if known is None else Way(way.column, way.ids, or_(known.only, way.only))
    return [*single.values(), *several]
