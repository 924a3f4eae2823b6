"""Compares what is staged with what the database has: how each line stands beside it, and which can't be taken why."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Table,
    and_,
    case,
    exists,
    func,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from persistence.importing.problems import SHOWN, Problems
from persistence.importing.stage import BROKEN, GROUPS, USERS
from persistence.tables import Group, User

#: The verdict on a line that speaks of a wrong one: it is not wrong as well, but can't be taken either.
CONSEQUENCE: Final = "consequence"
_NO_USER: Final = "no_user"
_NO_GROUP: Final = "no_group"
ERASED: Final = "erased"
_TEXTS: Final[Mapping[str, str]] = {
    _NO_USER: "user {user} is not there; add a line for them.",
    _NO_GROUP: "group {group} is not there; add a line for it.",
    ERASED: "user {user} was erased; take the line out, or give whoever comes anew another id.",
}

Whens = list[tuple[ColumnElement[bool], str]]


@dataclass(frozen=True)
class Check:
    """What may be wrong with the lines of one kind: of the conditions that hold of a line the first counts."""

    table: Table
    source: FromClause
    """The table, joined to what its lines are compared with; no line comes twice."""
    whens: Whens
    """Each condition, and its verdict."""
    texts: Mapping[str, str]
    """Of each verdict, with {user} and {group} for what follows."""
    user: ColumnElement[Any]
    group: ColumnElement[Any]
    only: tuple[ColumnElement[bool], ...] = ()
    """Which lines are looked at."""
    is_built_on: bool = False
    """Whether other lines rest on these, so that those that can't be taken are marked."""

    @cached_property
    def _found(self) -> Subquery:
        """Each line with its verdict, empty where it can be taken, and what its text names."""
        verdict = case(*self.whens, else_=null()).label("verdict")
        columns = (self.table.c.line, verdict, self.user.label("user"), self.group.label("of"))
        return select(*columns).select_from(self.source).where(*self.only).subquery()

    @cached_property
    def _wrong(self) -> Select[Any]:
        wrong = select(self._found, func.count().over()).where(self._found.c.verdict != CONSEQUENCE)
        return wrong.order_by(self._found.c.line).limit(SHOWN)

    async def note(self, rows: AsyncSession, problems: Problems) -> None:
        """Note what is wrong; where the file is refused anyway, mark the lines so that none builds on them."""
        named = (await rows.execute(self._wrong)).all()
        for number, verdict, user, group, _ in named:
            problems.add(number, {**_TEXTS, **self.texts}[verdict].format(user=user, group=group))
        if named:
            problems.count_more(named[0][-1] - len(named))
        if problems and self.is_built_on:
            lines = select(self._found.c.line).where(self._found.c.verdict.is_not(None))
            these = (self.table.c.line.in_(lines), ~self.table.c.by_itself)
            await rows.execute(update(self.table).where(*these).values(wrong=True))


class Users:
    """Who a column of staged lines names: a user of the file, or of the database."""

    def __init__(self, named: ColumnElement[Any]) -> None:
        """Take the column."""
        self.named, self._here, self._staged = named, User.__table__.alias(), USERS.alias()

    def join(self, source: FromClause) -> FromClause:
        """Join `source` to them."""
        joined = source.outerjoin(self._here, self._here.c.id == self.named)
        return joined.outerjoin(self._staged, self._staged.c.id == self.named)

    def whens(self) -> Whens:
        """Say that they are not there, or not any more."""
        missing = and_(self.named.is_not(None), self._here.c.id.is_(None), self._staged.c.id.is_(None))
        return [*_not_there(self.named, missing, _NO_USER), (self._here.c.erased_at.is_not(None), ERASED)]


class Groups:
    """What group a column of staged lines names: one of the file, or of the database."""

    def __init__(self, named: ColumnElement[Any]) -> None:
        """Take the column."""
        self.named, self._here, self._staged = named, Group.__table__.alias(), GROUPS.alias()

    def join(self, source: FromClause) -> FromClause:
        """Join `source` to them."""
        joined = source.outerjoin(self._here, self._here.c.id == self.named)
        return joined.outerjoin(self._staged, and_(self._staged.c.id == self.named, ~self._staged.c.wrong))

    def whens(self) -> Whens:
        """Say that it is not there."""
        return _not_there(self.named, and_(self._here.c.id.is_(None), self._staged.c.id.is_(None)), _NO_GROUP)

    @property
    def personal_of(self) -> ColumnElement[Any]:
        """Whose personal one it is."""
        return func.coalesce(self._staged.c.personal_of, self._here.c.personal_of)


def _not_there(named: ColumnElement[Any], missing: ColumnElement[bool], verdict: str) -> Whens:
    return [(and_(missing, exists().where(BROKEN.c.id == named)), CONSEQUENCE), (missing, verdict)]
