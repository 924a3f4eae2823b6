"""The users, groups, memberships and tags of an import, beside those that the database has."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    and_,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import LONGEST_ID
from domain.rights import ADMINS, Role
from persistence.importing.comparing import ERASED, Check, Groups, Users
from persistence.importing.stage import GROUPS, MEMBERSHIPS, TAGS, USERS
from persistence.tables import ChargePoint, Group, Membership, Transfer, User


def _groups() -> Check:
    owner, here, other = Users(GROUPS.c.personal_of), Group.__table__.alias(), Group.__table__.alias()
    joined = owner.join(GROUPS).outerjoin(here, here.c.id == GROUPS.c.id)
    joined = joined.outerjoin(other, and_(other.c.personal_of == owner.named, other.c.id != GROUPS.c.id))
    changes = and_(here.c.id.is_not(None), here.c.personal_of.is_distinct_from(owner.named))
    return Check(
        table=GROUPS,
        source=joined,
        whens=[*owner.whens(), (changes, "changes"), (other.c.id.is_not(None), "second")],
        texts={
            "changes": "`personal_of` of a group that is there can't change; give this one another id.",
            "second": "user {user} has a personal group already; take this line out.",
        },
        user=owner.named,
        group=GROUPS.c.id,
        only=(~GROUPS.c.by_itself,),
        is_built_on=True,
    )


class Personal:
    """The one personal group of each staged user: the database's, the file's, or one that comes by itself."""

    def __init__(self) -> None:
        """Begin the joins."""
        self._here, self._line = Group.__table__.alias(), GROUPS.alias()
        ours = and_(self._line.c.personal_of == USERS.c.id, ~self._line.c.wrong, ~self._line.c.by_itself)
        joined = USERS.outerjoin(self._here, self._here.c.personal_of == USERS.c.id).outerjoin(self._line, ours)
        self.id = func.coalesce(self._line.c.id, self._here.c.id, literal("personal-") + USERS.c.id)
        self.is_there = or_(self._here.c.id.is_not(None), self._line.c.id.is_not(None))
        self._namesake, self._staged = Group.__table__.alias(), GROUPS.alias()
        same = and_(self._staged.c.id == self.id, ~self._staged.c.wrong, ~self._staged.c.by_itself)
        self.source: FromClause = joined.outerjoin(self._namesake, self._namesake.c.id == self.id)
        self.source = self.source.outerjoin(self._staged, same)

    @property
    def is_impossible(self) -> ColumnElement[bool]:
        """Whether it would have an id that is none, or another group's."""
        others = [
            and_(one.c.id.is_not(None), one.c.personal_of.is_distinct_from(USERS.c.id))
            for one in (self._namesake, self._staged)
        ]
        return or_(func.length(self.id) > LONGEST_ID, *others)


def _users() -> Check:
    personal, here = Personal(), User.__table__.alias()
    said = "user {user} can't have the personal group {group}: the id is too long, or another group's"
    return Check(
        table=USERS,
        source=personal.source.outerjoin(here, here.c.id == USERS.c.id),
        whens=[(here.c.erased_at.is_not(None), ERASED), (personal.is_impossible, "impossible")],
        texts={"impossible": f"{said}; give it an id by a group line with `personal_of`."},
        user=USERS.c.id,
        group=personal.id,
    )


async def add_personal_groups(rows: AsyncSession) -> None:
    """Stage anew what comes with a user by itself: their personal group, and them as its owner; where it is missing.

    A line for that membership is no new one then.
    """
    personal = Personal()
    whose = select(USERS.c.line, personal.id, USERS.c.name, USERS.c.id, false(), true(), false(), true())
    whose = whose.select_from(personal.source).where(~personal.is_impossible, ~personal.is_there)
    values = ["line", "id", "name", "personal_of", "charges_anybody", "new", "wrong", "by_itself"]
    await rows.execute(insert(GROUPS).from_select(values, whose))
    is_owner = exists().where(Membership.group_id == personal.id, Membership.user_id == USERS.c.id)
    own = select(USERS.c.line, personal.id, USERS.c.id, literal(Role.OWNER.value), true(), false(), true())
    own = own.select_from(personal.source).where(~personal.is_impossible, ~is_owner)
    values = ["line", "group_id", "user_id", "role", "new", "wrong", "by_itself"]
    await rows.execute(insert(MEMBERSHIPS).from_select(values, own))
    by_itself = MEMBERSHIPS.alias()
    same = (by_itself.c.group_id == MEMBERSHIPS.c.group_id, by_itself.c.user_id == MEMBERSHIPS.c.user_id)
    lines = update(MEMBERSHIPS).where(*same, by_itself.c.by_itself, ~MEMBERSHIPS.c.by_itself)
    await rows.execute(lines.values(new=false()))


async def forget_marks(rows: AsyncSession) -> None:
    """Take from the stage what came with users by itself, and the marks of what is wrong."""
    for table in (GROUPS, MEMBERSHIPS):
        await rows.execute(delete(table).where(table.c.by_itself))
        await rows.execute(update(table).where(table.c.wrong).values(wrong=false()))


def _memberships() -> Check:
    user, group = Users(MEMBERSHIPS.c.user_id), Groups(MEMBERSHIPS.c.group_id)
    is_owner = and_(user.named == group.personal_of, MEMBERSHIPS.c.role == Role.OWNER.value)
    return Check(
        table=MEMBERSHIPS,
        source=group.join(user.join(MEMBERSHIPS)),
        whens=[*user.whens(), *group.whens(), (and_(group.personal_of.is_not(None), ~is_owner), "one")],
        texts={"one": "a personal group has one member, its owner; take this line out."},
        user=user.named,
        group=group.named,
        only=(~MEMBERSHIPS.c.by_itself,),
        is_built_on=True,
    )


def _tags() -> Check:
    group = Groups(TAGS.c.group_id)
    owner = Users(group.personal_of)
    return Check(
        table=TAGS,
        source=owner.join(group.join(TAGS)),
        whens=[*group.whens(), *owner.whens()],
        texts={},
        user=owner.named,
        group=group.named,
    )


def _roles_taken() -> tuple[Check, Check]:
    """Say what a change of a role may leave: a group without an owner, and a charge point without one in its group.

    Who a transfer under way would give a charge point back to counts as its owner.
    """
    changed, changes = _changed_roles()
    owned = _owned()
    whose: dict[str, Any] = {
        "table": MEMBERSHIPS,
        "source": changed.outerjoin(owned, owned.c.group_id == MEMBERSHIPS.c.group_id),
        "user": MEMBERSHIPS.c.user_id,
        "group": MEMBERSHIPS.c.group_id,
    }
    owns = exists().where(ChargePoint.owner_id == MEMBERSHIPS.c.user_id, ChargePoint.group_id == MEMBERSHIPS.c.group_id)
    back = (Transfer.from_owner_id == MEMBERSHIPS.c.user_id, Transfer.from_group_id == MEMBERSHIPS.c.group_id)
    left = "the group would be left without an owner; give it another one first."
    whole = "this user owns charge points of the group; transfer those before the role changes."
    under_way = "a transfer of theirs is under way and may be rolled back; import this after its end."
    return (
        Check(whens=[(owned.c.group_id.is_(None), "left")], texts={"left": left}, only=changes, **whose),
        Check(
            whens=[(owns, "owns"), (exists().where(Transfer.active, *back), "gives")],
            texts={"owns": whole, "gives": under_way},
            only=(*changes, MEMBERSHIPS.c.role.not_in([role.value for role in ADMINS])),
            **whose,
        ),
    )


def _changed_roles() -> tuple[FromClause, tuple[ColumnElement[bool], ...]]:
    """Give the staged memberships beside those that are there, and which of them change a role."""
    here = Membership.__table__.alias()
    pair = and_(here.c.group_id == MEMBERSHIPS.c.group_id, here.c.user_id == MEMBERSHIPS.c.user_id)
    changes = (~MEMBERSHIPS.c.wrong, ~MEMBERSHIPS.c.by_itself, here.c.role != MEMBERSHIPS.c.role)
    return MEMBERSHIPS.join(here, pair), changes


def _owned() -> Subquery:
    """Give the groups that have an owner once the file is in, of those of which it changes a role."""
    staged, kept, owner = MEMBERSHIPS.alias(), Membership.__table__.alias(), Role.OWNER.value
    by_file = select(staged.c.group_id).where(staged.c.role == owner, ~staged.c.wrong)
    changed, changes = _changed_roles()
    groups = select(MEMBERSHIPS.c.group_id).select_from(changed).where(*changes).distinct().subquery()
    same = and_(staged.c.group_id == kept.c.group_id, staged.c.user_id == kept.c.user_id, ~staged.c.wrong)
    kept_in = groups.join(kept, kept.c.group_id == groups.c.group_id).outerjoin(staged, same)
    stay = select(kept.c.group_id).select_from(kept_in).where(kept.c.role == owner, staged.c.line.is_(None))
    return union(by_file, stay).subquery()


#: What may be wrong with a group.
GROUP: Final = _groups()
#: What may be wrong with a user, a membership or a tag, once it is known which groups can be taken.
ACCOUNTS: Final = (_users(), _memberships(), _tags())
#: What may be wrong with what the file changes of roles.
ROLES: Final = _roles_taken()
