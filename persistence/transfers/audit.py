"""Appends to audit trails, each a sequence from 1 in the order of commits, no number left out; forgets places."""

import functools
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from typing import cast as cast_type

from sqlalchemy import ColumnElement, Insert, Select, Table, Text, bindparam, cast, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.ids import OrderId
from domain.trail import TrailAction, TrailSubject, tells_place, without_places
from persistence.inserts import insert_into
from persistence.tables import AuditCounter, AuditEvent


async def append(
    rows: AsyncSession,
    subject: TrailSubject,
    *,
    actor: Actor,
    action: TrailAction,
    detail: dict[str, Any] | None = None,
    order_id: OrderId | None = None,
    once: str | None = None,
) -> bool:
    """Write one entry of `subject`'s trail, and say whether it is new; with `once` (domain.trail), a repeat is not.

    `detail` is what domain.trail says of the action: ids and words, never a key, and where somebody is only under its
    PLACES; what somebody typed stands with the order `order_id`. Holds the trail's counter until the transaction ends.
    """
    entry = _Entry.of(subject, actor=actor, action=action, detail=detail or {}, order_id=order_id, once=once)
    if rows.get_bind().dialect.name == "sqlite":
        return await _append_step_by_step(rows, entry)
    # the counter first: a twin that runs at the same time waits there, and then finds our entry
    if (await rows.execute(_APPEND, entry.values())).first() is not None:
        return True
    await rows.execute(_LOWER, {"of": subject})
    return False


@dataclass(frozen=True)
class _Entry:
    """An entry before it has its place. Its hash is over the columns that never change, and the hash before it.

    A detail may be taken out in time: it is in the hash by a digest, salted so that nobody can guess what was there.
    """

    columns: Mapping[str, Any]
    head: str
    tail: str

    @classmethod
    def of(cls, subject: TrailSubject, *, detail: dict[str, Any], once: str | None, **columns: Any) -> "_Entry":
        """Make the columns, but for `sequence` and `hash`."""
        at, salt = datetime.now(UTC), secrets.token_hex(16)
        digest = hashlib.sha256((salt + json.dumps(detail, sort_keys=True)).encode()).hexdigest()
        told = {"tells_place": tells_place(detail), "salt": salt, "digest": digest}
        values = {"subject": subject, "at": at, "once": once, "detail": detail, **columns, **told}
        values["action"] = columns["action"].value
        return cls(values, *_hashed(values))

    def values(self) -> dict[str, Any]:
        """Give what the prepared statement takes."""
        return {f"new_{name}": value for name, value in self.columns.items()} | {"head": self.head, "tail": self.tail}


def _hashed(columns: Mapping[str, Any]) -> tuple[str, str]:
    """Give what is hashed of an entry: what stands before its sequence, and what behind it."""
    at = columns["at"].astimezone(UTC).isoformat()
    never_changed = (at, columns["actor"], columns["action"], columns["order_id"], columns["once"], columns["digest"])
    told = _SEPARATOR.join(["", *(part or "" for part in never_changed), ""])
    return f"{columns['subject']}{_SEPARATOR}", told


_KEPT: Final = ("subject", "at", "actor", "action", "order_id", "once", "digest")


def hash_of(row: AuditEvent, before: str) -> str:
    """Give the hash that an entry should have behind one with the hash `before`; empty: it is the first."""
    head, tail = _hashed({name: getattr(row, name) for name in _KEPT})
    return hashlib.sha256(f"{head}{row.sequence}{tail}{before}".encode()).hexdigest()


async def _append_step_by_step(rows: AsyncSession, entry: _Entry) -> bool:
    """Append where one statement can't do all of it; SQLite has one writer at a time anyway."""
    subject = entry.columns["subject"]
    sequence, before = (await rows.execute(_RAISE, {"subject": subject})).one()
    told = hashlib.sha256(f"{entry.head}{sequence}{entry.tail}{before or ''}".encode()).hexdigest()
    statement = (
        insert_into(rows, AuditEvent)
        .values(**entry.columns, sequence=sequence, hash=told)
        .on_conflict_do_nothing(index_elements=[AuditEvent.subject, AuditEvent.once])
        .returning(AuditEvent.sequence)
    )
    if (await rows.execute(statement)).first() is None:
        await rows.execute(_LOWER, {"of": subject})
        return False
    await rows.execute(update(AuditCounter).where(AuditCounter.subject == subject).values(hash=told))
    return True


_COUNTERS: Final = cast_type(Table, AuditCounter.__table__)
_EVENTS: Final = cast_type(Table, AuditEvent.__table__)
#: What stands between two parts of what is hashed, and in none of them.
_SEPARATOR: Final = "\x1f"


def _hash(sequence: ColumnElement[Any], before: ColumnElement[Any]) -> ColumnElement[Any]:
    """Have PostgreSQL hash an entry, its place in the trail, and the hash before it."""
    texts = bindparam("head", type_=Text), cast(sequence, Text), bindparam("tail", type_=Text), before
    return func.encode(func.sha256(func.convert_to(functools.reduce(ColumnElement.concat, texts), "UTF8")), "hex")


def _append() -> Insert:
    """Raise the counter and insert the entry under it, by one statement."""
    subject = bindparam("new_subject", type_=_COUNTERS.c.subject.type)
    first = postgresql.insert(_COUNTERS).values(subject=subject, last=1, hash=_hash(literal(1), literal("")))
    last, before = _COUNTERS.c.last + 1, func.coalesce(_COUNTERS.c.hash, "")
    counter = (
        first.on_conflict_do_update(index_elements=["subject"], set_={"last": last, "hash": _hash(last, before)})
        .returning(_COUNTERS.c.last, _COUNTERS.c.hash)
        .cte("counter")
    )
    given = ("subject", "at", "actor", "action", "detail", "order_id", "once", "tells_place", "salt", "digest")
    columns = [bindparam(f"new_{name}", type_=_EVENTS.c[name].type).label(name) for name in given]
    entry = select(*columns, counter.c.last, counter.c.hash)
    return (
        postgresql.insert(_EVENTS)
        .from_select([*given, "sequence", "hash"], entry)
        .on_conflict_do_nothing(index_elements=[_EVENTS.c.subject, _EVENTS.c.once])
        .returning(_EVENTS.c.sequence)
    )


_APPEND: Final = _append()
_RAISE: Final = (
    sqlite.insert(_COUNTERS)
    .values(last=1)
    .on_conflict_do_update(index_elements=["subject"], set_={"last": _COUNTERS.c.last + 1})
    .returning(_COUNTERS.c.last, _COUNTERS.c.hash)
)
#: Gives a place back that an entry that was there already has not taken.
_LOWER: Final = (
    update(_COUNTERS)
    .where(_COUNTERS.c.subject == bindparam("of"))
    .values(
        last=_COUNTERS.c.last - 1,
        hash=select(_EVENTS.c.hash)
        .where(_EVENTS.c.subject == _COUNTERS.c.subject, _EVENTS.c.sequence == _COUNTERS.c.last - 1)
        .scalar_subquery(),
    )
)


async def action_of(rows: AsyncSession, subject: TrailSubject, once: str) -> TrailAction | None:
    """Give the action of the entry that `once` stands for; None where there is none yet."""
    query = select(AuditEvent.action).where(AuditEvent.subject == subject, AuditEvent.once == once)
    found = (await rows.execute(query)).scalar_one_or_none()
    return None if found is None else TrailAction(found)


async def detail_of(rows: AsyncSession, subject: TrailSubject, once: str) -> dict[str, Any]:
    """Give the detail of the entry that `once` stands for; empty where there is none yet."""
    query = select(AuditEvent.detail).where(AuditEvent.subject == subject, AuditEvent.once == once)
    return (await rows.execute(query)).scalar_one_or_none() or {}


async def count(rows: AsyncSession, subject: TrailSubject, action: TrailAction) -> int:
    """Count a trail's entries of one action. Only reads."""
    query = select(func.count()).where(AuditEvent.subject == subject, AuditEvent.action == action.value)
    return (await rows.execute(query)).scalar_one()


async def once_only(rows: AsyncSession, subject: TrailSubject) -> list[tuple[str, TrailAction]]:
    """List what the entries that are written once stand for, each with its action, in their order."""
    query = select(AuditEvent.once, AuditEvent.action).where(
        AuditEvent.subject == subject, AuditEvent.once.is_not(None)
    )
    found = await rows.execute(query.order_by(AuditEvent.sequence))
    return [(once, TrailAction(action)) for once, action in found if once]


async def forget_places(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Take out of entries that are older what tells where somebody is, the oldest first; give of how many.

    `limit` of them at most, and none that somebody else is at.
    """
    kept_too_long = select(AuditEvent).where(AuditEvent.tells_place, AuditEvent.at < before)
    wanted = kept_too_long.order_by(AuditEvent.at).limit(limit).with_for_update(skip_locked=True, of=AuditEvent)
    return await _take_out(rows, wanted)


async def take_places_out(rows: AsyncSession, which: ColumnElement[bool]) -> None:
    """Take out of these entries what tells where somebody is, however old they are."""
    await _take_out(rows, select(AuditEvent).where(AuditEvent.tells_place, which).with_for_update(of=AuditEvent))


async def _take_out(rows: AsyncSession, wanted: Select[AuditEvent]) -> int:
    entries = (await rows.scalars(wanted)).all()
    for entry in entries:
        entry.detail, entry.tells_place, entry.salt = without_places(entry.detail), False, None
    await rows.flush()
    return len(entries)
