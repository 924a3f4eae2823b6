"""The tables in which the lines of an import wait: temporary ones, of one connection, which nobody else sees."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncSession

from persistence.tables import ID

STAGE: Final = MetaData()


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(f"staged_{name}", STAGE, *columns, prefixes=["TEMPORARY"])


def _of_line(name: str, *columns: Column[Any]) -> Table:
    """Give a table with a row for each line; `new`: what the line is of the database does not have yet."""
    marks = (Column("line", Integer, nullable=False), Column("new", Boolean, nullable=False))
    return _table(name, *marks, *columns)


def _own() -> tuple[Column[Any], Column[Any]]:
    """Give the marks of what others build on, and what comes with a user by itself.

    `wrong`: the line can't be taken. `by_itself`: it is no line, but comes with that of a user.
    """
    return Column("wrong", Boolean, nullable=False), Column("by_itself", Boolean, nullable=False)


def _id(name: str) -> Column[str | None]:
    return Column(name, ID)


USERS: Final = _of_line(
    "users", _id("id"), *(Column(name, Text) for name in ("name", "email", "phone", "locale", "status"))
)
GROUPS: Final = _of_line(
    "groups", _id("id"), Column("name", Text), _id("personal_of"), Column("charges_anybody", Boolean), *_own()
)
MEMBERSHIPS: Final = _of_line("memberships", _id("group_id"), _id("user_id"), Column("role", String(16)), *_own())
TAGS: Final = _of_line("tags", _id("group_id"), Column("id_tag", String(36)), Column("type", String(20)))
CHARGE_POINTS: Final = _of_line(
    "charge_points",
    *(_id("id"), Column("identity", Text), Column("caseless_identity", Text)),
    *(Column("name", Text), Column("location", Text), _id("owner_id"), _id("group_id")),
    *(Column("ocpp", String(8)), Column("vendor", Text), Column("model", Text)),
    *(_id("credential_id"), Column("mac", String(64))),
)
#: The ids on wrong lines: whoever speaks of them is not wrong as well.
BROKEN: Final = _table("broken", _id("id"))

#: What is searched by which columns.
_INDEXED: Final = {
    USERS: ("id",),
    GROUPS: ("id", "personal_of"),
    MEMBERSHIPS: ("group_id, user_id",),
    CHARGE_POINTS: ("id", "caseless_identity", "mac"),
    BROKEN: ("id",),
}


@dataclass(frozen=True)
class Unique:
    """What no two lines of a file may share: `word` is what people call it."""

    word: str
    columns: tuple[Column[Any], ...]


#: By table, in the order in which they are looked at: a line that shares one claims none of those that follow.
UNIQUE: Final[dict[Table, tuple[Unique, ...]]] = {
    USERS: (Unique("user", (USERS.c.id,)),),
    GROUPS: (Unique("group", (GROUPS.c.id,)), Unique("personal group of", (GROUPS.c.personal_of,))),
    MEMBERSHIPS: (Unique("membership", (MEMBERSHIPS.c.group_id, MEMBERSHIPS.c.user_id)),),
    TAGS: (Unique("tag", (TAGS.c.group_id, TAGS.c.id_tag, TAGS.c.type)),),
    CHARGE_POINTS: (
        Unique("charge point", (CHARGE_POINTS.c.id,)),
        Unique("identity", (CHARGE_POINTS.c.caseless_identity,)),
    ),
}


async def make(rows: AsyncSession) -> None:
    """Make the tables, empty; they end with the connection."""
    await (await rows.connection()).run_sync(STAGE.create_all, checkfirst=False)


async def index(rows: AsyncSession) -> None:
    """Let the tables be searched fast, once they are filled."""
    for table, keys in _INDEXED.items():
        for number, columns in enumerate(keys):
            await rows.execute(text(f"CREATE INDEX {table.name}_{number} ON {table.name} ({columns})"))
    if rows.get_bind().dialect.name == "postgresql":  # which looks at temporary tables by itself never
        for table in STAGE.sorted_tables:
            await rows.execute(text(f"ANALYZE {table.name}"))
