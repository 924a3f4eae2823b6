"""The users, groups, memberships and tags of an import, beside those that the database has."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ID_PATTERN
from domain.rights import Role
from persistence.importing.import_lines import (
    ChargePointLine,
    GroupLine,
    ImportLines,
    MembershipLine,
    TagLine,
    UserLine,
)
from persistence.tables import Group, Membership, Table, Tag, User

_CHUNK = 500

Row = TypeVar("Row", bound=Table)


@dataclass
class Imported:
    """How many rows of each kind came in, changed, or were there already."""

    new: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)


class Shelf:
    """One import's transaction: finds rows, and adds or changes them, counting."""

    def __init__(self, rows: AsyncSession, lines: ImportLines, now: datetime) -> None:
        """Work in `session`, which the caller commits or rolls back."""
        self.session, self.lines, self.now = rows, lines, now
        self.done = Imported()

    def wrong(self, number: int, text: str) -> None:
        """Note what is wrong with a line; an empty text is only the consequence of another wrong line."""
        if text:
            self.lines.problems.append((number, text))

    async def rows(self, table: type[Row], column: Any, values: Iterable[str | None]) -> list[Row]:
        """Find the rows whose `column` is one of `values`."""
        wanted = sorted({value for value in values if value is not None})
        found: list[Row] = []
        for start in range(0, len(wanted), _CHUNK):
            only: ColumnElement[bool] = column.in_(wanted[start : start + _CHUNK])
            found += (await self.session.scalars(select(table).where(only))).all()
        return found

    def keep(self, kind: str, row: Row | None, fresh: Row, follows: Sequence[str] = ()) -> Row:
        """Add `fresh` where there is no `row` yet; else let the attributes `follows` of `row` follow it."""
        if row is None:
            self.session.add(fresh)
            self.done.new[kind] += 1
            return fresh
        changed = [name for name in follows if getattr(row, name) != getattr(fresh, name)]
        for name in changed:
            setattr(row, name, getattr(fresh, name))
        (self.done.changed if changed else self.done.same)[kind] += 1
        return row


class Accounts:
    """Users, groups and memberships as they are once the file is in."""

    def __init__(self, shelf: Shelf) -> None:
        """Start empty; `load` reads what the database has."""
        self._shelf, self._lines = shelf, shelf.lines
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.memberships: dict[tuple[str, str], Membership] = {}
        self.changed_roles: list[tuple[int, Membership]] = []
        self._personal: dict[str, str] = {}

    async def load(self) -> None:
        """Read what the file speaks of and the database has."""
        groups, members = self._lines.of(GroupLine), self._lines.of(MembershipLine)
        tags, charge_points = self._lines.of(TagLine), self._lines.of(ChargePointLine)
        users = {line.id for _, line in self._lines.of(UserLine)} | {line.personal_of for _, line in groups}
        named = {f"personal-{user}" for user in users}
        users |= {line.user_id for _, line in members} | {line.owner_id for _, line in charge_points}
        named |= {line.id for _, line in groups} | {line.group_id for _, line in members}
        named |= {line.group_id for _, line in tags} | {line.group_id for _, line in charge_points}
        self.users = {row.id: row for row in await self._shelf.rows(User, User.id, users)}
        found = await self._shelf.rows(Group, Group.id, named)
        found += await self._shelf.rows(Group, Group.personal_of, users)
        self.groups = {row.id: row for row in found}
        self._personal = {row.personal_of: row.id for row in found if row.personal_of is not None}
        memberships = await self._shelf.rows(Membership, Membership.group_id, self.groups)
        self.memberships = {(row.group_id, row.user_id): row for row in memberships}

    async def take(self) -> None:
        """Take the lines, in the order in which they need each other."""
        self._take_users()
        for number, line in self._lines.of(GroupLine):
            self._take_group(number, line)
        await self._shelf.session.flush()
        for number, user in self._lines.of(UserLine):
            self._have_personal_group(number, user)
        await self._shelf.session.flush()
        for number, member in self._lines.of(MembershipLine):
            self._take_membership(number, member)
        await self._take_tags()
        await self._shelf.session.flush()

    def role(self, group_id: str, user_id: str) -> str | None:
        """Say what a user is in a group, once the file is in."""
        membership = self.memberships.get((group_id, user_id))
        return None if membership is None else membership.role

    def missing(self, *, user_id: str | None = None, group_id: str | None = None) -> str | None:
        """Say what a line speaks of that is not there; empty where its own line is wrong, None where nothing misses."""
        if user_id is not None and user_id not in self.users:
            return "" if user_id in self._lines.broken else f"user {user_id} is not there; add a line for them."
        if group_id is not None and group_id not in self.groups:
            return "" if group_id in self._lines.broken else f"group {group_id} is not there; add a line for it."
        return None

    def _take_users(self) -> None:
        for _, line in self._lines.of(UserLine):
            values = line.model_dump(exclude={"type"})
            follows = [name for name in values if name != "id"]
            fresh = User(**values, created_at=self._shelf.now)
            self.users[line.id] = self._shelf.keep("user", self.users.get(line.id), fresh, follows)

    def _take_group(self, number: int, line: GroupLine) -> None:
        row, owner = self.groups.get(line.id), line.personal_of
        if (problem := self.missing(user_id=owner)) is not None:
            self._shelf.wrong(number, problem)
        elif row is not None and row.personal_of != owner:
            self._shelf.wrong(number, "`personal_of` of a group that is there can't change; give this one another id.")
        elif owner is not None and self._personal.get(owner, line.id) != line.id:
            self._shelf.wrong(number, f"user {owner} has a personal group already; take this line out.")
        else:
            fresh = Group(id=line.id, name=line.name, personal_of=owner, charges_anybody=line.charges_anybody)
            self.groups[line.id] = self._shelf.keep("group", row, fresh, ["name", "charges_anybody"])
            if owner is not None:
                self._personal[owner] = line.id

    def _have_personal_group(self, number: int, user: UserLine) -> None:
        """Give the user their one personal group, `personal-<id>` where the file names none, with them as its owner."""
        group_id = self._personal.get(user.id, f"personal-{user.id}")
        there = self.groups.get(group_id)
        if not ID_PATTERN.match(group_id) or (there is not None and there.personal_of != user.id):
            text = f"user {user.id} can't have the personal group {group_id}: the id is too long, or another group's"
            self._shelf.wrong(number, f"{text}; give it an id by a group line with `personal_of`.")
            return
        self._personal[user.id] = group_id
        if there is None:
            self.groups[group_id] = self._shelf.keep(
                "group", None, Group(id=group_id, name=user.name, personal_of=user.id, charges_anybody=False)
            )
        if (group_id, user.id) not in self.memberships:
            fresh = Membership(group_id=group_id, user_id=user.id, role=Role.OWNER)
            self.memberships[group_id, user.id] = self._shelf.keep("membership", None, fresh)

    def _take_membership(self, number: int, line: MembershipLine) -> None:
        if (problem := self.missing(user_id=line.user_id, group_id=line.group_id)) is not None:
            self._shelf.wrong(number, problem)
            return
        personal_of = self.groups[line.group_id].personal_of
        if personal_of is not None and (line.user_id, line.role) != (personal_of, Role.OWNER):
            self._shelf.wrong(number, "a personal group has one member, its owner; take this line out.")
            return
        row = self.memberships.get((line.group_id, line.user_id))
        before = None if row is None else row.role
        fresh = Membership(group_id=line.group_id, user_id=line.user_id, role=line.role.value)
        kept = self._shelf.keep("membership", row, fresh, ["role"])
        self.memberships[line.group_id, line.user_id] = kept
        if before not in {None, kept.role}:
            self.changed_roles.append((number, kept))

    async def _take_tags(self) -> None:
        lines = self._lines.of(TagLine)
        rows = await self._shelf.rows(Tag, Tag.group_id, [line.group_id for _, line in lines])
        there = {(row.group_id, row.id_tag, row.type): row for row in rows}
        for number, line in lines:
            if (problem := self.missing(group_id=line.group_id)) is not None:
                self._shelf.wrong(number, problem)
            else:
                fresh = Tag(group_id=line.group_id, id_tag=line.id_tag, type=line.tag_type.value)
                self._shelf.keep("tag", there.get((line.group_id, line.id_tag, line.tag_type.value)), fresh)
