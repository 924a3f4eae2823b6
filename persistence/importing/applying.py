"""Takes what is staged into the database's own tables, a statement for each kind of rows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Executable,
    Table,
    and_,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ChargePointId
from domain.keys import KeyPurpose
from persistence.chargers.charger_keys import KeyState, new_key
from persistence.importing import stage
from persistence.tables import ChargePoint, Credential, Group, Membership, OwnershipPeriod, Tag, User


@dataclass
class Imported:
    """How many rows of each kind came in, changed, or were there already."""

    new: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    held: float = 0.0
    """For how many seconds nobody else could change hands; on SQLite, write anything."""


@dataclass(frozen=True)
class Kind:
    """What lines of a kind become."""

    word: str
    staged: Table
    table: Table
    key: tuple[str, ...]
    follows: tuple[str, ...] = ()
    """What of a row that is there follows the file."""
    once: tuple[str, ...] = ()
    """What else a new one takes from it."""

    @property
    def is_same(self) -> ColumnElement[bool]:
        """Whether a row is the one that a staged line speaks of."""
        return and_(*(self.table.c[name] == self.staged.c[name] for name in self.key))

    @property
    def is_gone(self) -> ColumnElement[bool]:
        """Whether there is no row any more that a staged line speaks of."""
        return and_(~self.staged.c.new, ~exists().where(self.is_same))

    @property
    def differs(self) -> ColumnElement[bool]:
        """Whether a row is not as its line says."""
        return or_(*(self.table.c[name].is_distinct_from(self.staged.c[name]) for name in self.follows))


def _table(rows: type[Any]) -> Table:
    return cast("Table", rows.__table__)


#: In the order in which their rows need each other; what chargers' connections wait for comes last.
KINDS: Final = (
    Kind("user", stage.USERS, _table(User), ("id",), ("name", "email", "phone", "locale", "status")),
    Kind("group", stage.GROUPS, _table(Group), ("id",), ("name", "charges_anybody"), ("personal_of",)),
    Kind("membership", stage.MEMBERSHIPS, _table(Membership), ("group_id", "user_id"), ("role",)),
    Kind("tag", stage.TAGS, _table(Tag), ("group_id", "id_tag", "type")),
    Kind(
        "charge point",
        stage.CHARGE_POINTS,
        _table(ChargePoint),
        ("id",),
        ("name", "location"),
        ("identity", "owner_id", "group_id", "ocpp", "vendor", "model"),
    ),
)


async def mark_new(rows: AsyncSession) -> None:
    """Mark of which lines the database has no row."""
    for kind in KINDS:
        lines = update(kind.staged)  # as few as can be: each leaves a dead one behind, and all are read again
        await rows.execute(lines.where(kind.staged.c.new, kind.is_same).values(new=false()))
        await rows.execute(lines.where(kind.is_gone).values(new=true()))


async def add(rows: AsyncSession, now: datetime) -> Imported:
    """Add what is new, seen by nobody before the commit; each charge point with its first period and credentials."""
    done = Imported()
    for kind in KINDS:
        names = (*kind.key, *kind.follows, *kind.once)
        fixed: dict[str, Any] = {"created_at": now} if "created_at" in kind.table.c else {}
        if kind.table is ChargePoint.__table__:
            fixed["version"] = 0
        added = await _add(rows, kind.table, kind.staged, {name: name for name in names}, fixed)
        staged = await rows.scalar(select(func.count()).select_from(kind.staged)) or 0
        done.new[kind.word], done.same[kind.word] = added, staged - added
    holding = {"charge_point_id": "id", "owner_id": "owner_id", "group_id": "group_id"}
    begins = {"version": 0, "started_at": now, "change": "import"}
    await _add(rows, _table(OwnershipPeriod), stage.CHARGE_POINTS, holding, begins)
    key = {"id": "credential_id", "charge_point_id": "id", "mac": "mac"}
    first = vars(new_key(ChargePointId(""), KeyState.CURRENT, "", now, purpose=KeyPurpose.GIVEN, version=0))
    given = {name: value for name, value in first.items() if name in Credential.__table__.c and name not in key}
    await _add(rows, _table(Credential), stage.CHARGE_POINTS, key, given)
    return done


async def _add(
    rows: AsyncSession, table: Table, staged: Table, taken: Mapping[str, str], fixed: Mapping[str, object]
) -> int:
    """Add a row for each new line: columns that are `taken` from the stage's, and those `fixed`; give how many."""
    values: list[ColumnElement[Any]] = [staged.c[name] for name in taken.values()]
    values += [literal(value, table.c[name].type) for name, value in fixed.items()]
    lines = select(*values).where(staged.c.new)
    return await _count(rows, insert(table).from_select([*taken, *fixed], lines))


async def follow(rows: AsyncSession, done: Imported) -> None:
    """Let what was there already follow the file."""
    for kind in KINDS:
        if not kind.follows:
            continue
        lines = update(kind.table).where(kind.is_same, ~kind.staged.c.new, kind.differs)
        changed = await _count(rows, lines.values({name: kind.staged.c[name] for name in kind.follows}))
        done.changed[kind.word] += changed
        done.same[kind.word] -= changed
    for counts in (done.new, done.changed, done.same):
        for word in [word for word, count in counts.items() if not count]:
            del counts[word]


async def went_away(rows: AsyncSession) -> bool:
    """Whether a row is gone that a line speaks of and that was there when it was marked."""
    gone = (select(kind.staged.c.line).where(kind.is_gone).exists() for kind in KINDS)
    return bool(await rows.scalar(select(or_(*gone))))


async def _count(rows: AsyncSession, statement: Executable) -> int:
    """Execute a statement, and give how many rows it wrote."""
    return cast("CursorResult[Any]", await rows.execute(statement)).rowcount
