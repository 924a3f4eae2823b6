"""Puts the lines of a file on the stage, a few at a time, and finds those that stand twice in it."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.caseless import caseless
from domain.ids import ID_PATTERN
from persistence.chargers.charger_keys import PURPOSE
from persistence.importing import stage
from persistence.importing.import_lines import ChargePointLine, GroupLine, Line, MembershipLine, TagLine, UserLine
from persistence.importing.problems import SHOWN, Problems
from persistence.importing.reading import Wrong, read_lines
from persistence.importing.stage import Unique
from persistence.vault import Vault

#: So many lines are in memory at once.
_AT_ONCE: Final = 2000

_TABLES: Final[dict[type[Line], Table]] = {
    UserLine: stage.USERS,
    GroupLine: stage.GROUPS,
    MembershipLine: stage.MEMBERSHIPS,
    TagLine: stage.TAGS,
    ChargePointLine: stage.CHARGE_POINTS,
}


async def fill(rows: AsyncSession, vault: Vault, source: Iterable[bytes], problems: Problems) -> None:
    """Make the stage and put every line on it that has the right shape and stands there once; note all others.

    Of a password its MAC alone gets there.
    """
    await stage.make(rows)
    waiting: dict[Table, list[dict[str, Any]]] = defaultdict(list)
    for taken, (number, line) in enumerate(read_lines(source), start=1):
        if isinstance(line, Wrong):
            problems.add(number, line.text)
            if line.id is not None and ID_PATTERN.fullmatch(line.id):  # nobody can speak of any other
                waiting[stage.BROKEN].append({"id": line.id})
        else:
            waiting[_TABLES[type(line)]].append(_row(number, line, vault))
        if taken % _AT_ONCE == 0:
            await _put(rows, waiting)
    await _put(rows, waiting)
    await stage.index(rows)
    for table, uniques in stage.UNIQUE.items():
        for unique in uniques:
            await _take_repeats_out(rows, table, unique, problems)


async def _put(rows: AsyncSession, waiting: dict[Table, list[dict[str, Any]]]) -> None:
    """Put what waits on the stage; who breaks off waits for the end of that, a moment.

    asyncpg sends many rows in pieces, and a connection that is left between two of them can't be closed.
    """
    putting = asyncio.ensure_future(_insert(rows, waiting))
    try:
        await asyncio.shield(putting)
    except asyncio.CancelledError:
        await putting
        raise


async def _insert(rows: AsyncSession, waiting: dict[Table, list[dict[str, Any]]]) -> None:
    for table, values in waiting.items():
        await rows.execute(insert(table), values)
    waiting.clear()


def _row(number: int, line: Line, vault: Vault) -> dict[str, Any]:
    """Give a line's row; until the database is looked at it is new."""
    values: dict[str, Any] = {"line": number, "new": True}
    match line:
        case GroupLine() | MembershipLine():
            return values | {"wrong": False, "by_itself": False} | line.model_dump(exclude={"type"})
        case TagLine():
            return values | {"group_id": line.group_id, "id_tag": line.id_tag, "type": line.tag_type.value}
        case ChargePointLine():
            own = {"caseless_identity": caseless(line.identity), "credential_id": str(uuid.uuid4())}
            own["mac"] = vault.mac(PURPOSE, line.password.encode())
            return values | own | line.model_dump(exclude={"type", "password"})
        case _:
            return values | line.model_dump(exclude={"type"})


async def _take_repeats_out(rows: AsyncSession, table: Table, unique: Unique, problems: Problems) -> None:
    """Note each line that shares what no two may, and take it from the stage: the first one stays."""
    first = func.min(table.c.line).over(partition_by=unique.columns).label("first")
    is_there: list[ColumnElement[bool]] = [column.is_not(None) for column in unique.columns]
    lines = select(table.c.line, *unique.columns, first).where(*is_there).subquery()
    repeats = select(lines, func.count().over()).where(lines.c.line > lines.c.first)
    found = (await rows.execute(repeats.order_by(lines.c.line).limit(SHOWN))).all()
    if not found:
        return
    for number, *key, stands, _ in found:
        problems.add(number, f"{' '.join([unique.word, *key])} stands on line {stands} already; keep one of them.")
    problems.count_more(found[0][-1] - len(found))
    again = select(lines.c.line).where(lines.c.line > lines.c.first)
    await rows.execute(delete(table).where(table.c.line.in_(again)))
