"""The charge points of an import, beside those that the database has."""

from typing import Final

from sqlalchemy import ColumnElement, FromClause, Subquery, and_, func, select

from domain.rights import ADMINS
from persistence.caseless import Caseless
from persistence.chargers.charger_keys import KeyState
from persistence.importing.comparing import Check, Groups, Users
from persistence.importing.stage import CHARGE_POINTS, MEMBERSHIPS
from persistence.tables import ChargePoint, Credential, Membership

_TEXTS = {
    "taken": "another charge point has this identity already; identities are unique, whatever their case.",
    "changes": "`identity` of a charge point that is there can't change; give this one another id.",
    "no_role": "the owner must be an owner or admin of the group; add that membership first.",
    "shared": "another charge point has this password, too; give each its own.",
}


def _charge_points() -> Check:
    line = CHARGE_POINTS.c
    here, user, group, role = ChargePoint.__table__.alias(), Users(line.owner_id), Groups(line.group_id), Role()
    taken, twice, elsewhere = _taken(), _given_twice(), _in_use_elsewhere()
    joined = role.join(group.join(user.join(CHARGE_POINTS))).outerjoin(here, here.c.id == line.id)
    joined = joined.outerjoin(taken, taken.c.line == line.line)
    joined = joined.outerjoin(twice, twice.c.mac == line.mac).outerjoin(elsewhere, elsewhere.c.mac == line.mac)
    is_shared = twice.c.mac.is_not(None) | elsewhere.c.mac.is_not(None)
    changes = and_(here.c.id.is_not(None), Caseless(here.c.identity) != line.caseless_identity)
    return Check(
        table=CHARGE_POINTS,
        source=joined,
        whens=[
            *((taken.c.line.is_not(None), "taken"), (changes, "changes")),
            *(*user.whens(), *group.whens()),
            *((and_(line.new, ~role.is_admin), "no_role"), (and_(line.new, is_shared), "shared")),
        ],
        texts=_TEXTS,
        user=line.owner_id,
        group=line.group_id,
    )


class Role:
    """What the owner of a staged charge point is in its group, once the file is in."""

    def __init__(self) -> None:
        """Name where it may stand."""
        self._here = Membership.__table__.alias()
        self._line, self._own = MEMBERSHIPS.alias(), MEMBERSHIPS.alias()

    def join(self, source: FromClause) -> FromClause:
        """Join `source` to the membership of the database, of the file, and the one that comes with a user."""
        line, own = self._line.c, self._own.c
        marks = ((self._here, ()), (self._line, (~line.wrong, ~line.by_itself)), (self._own, (own.by_itself,)))
        for table, only in marks:
            pair = (table.c.group_id == CHARGE_POINTS.c.group_id, table.c.user_id == CHARGE_POINTS.c.owner_id)
            source = source.outerjoin(table, and_(*pair, *only))
        return source

    @property
    def is_admin(self) -> ColumnElement[bool]:
        """Whether it is that of an owner or admin."""
        role = func.coalesce(self._line.c.role, self._own.c.role, self._here.c.role, "")
        return role.in_([one.value for one in ADMINS])


def _taken() -> Subquery:
    """Give the lines whose identity another charge point of the database has.

    As a query of its own: joined from outside, SQLite does not find an identity by its index.
    """
    same = (Caseless(ChargePoint.identity) == CHARGE_POINTS.c.caseless_identity, ChargePoint.id != CHARGE_POINTS.c.id)
    return select(CHARGE_POINTS.c.line).join(ChargePoint, and_(*same)).subquery()


def _given_twice() -> Subquery:
    """Give the MACs of passwords that more than one new charge point of the file would have."""
    new = select(CHARGE_POINTS.c.mac).where(CHARGE_POINTS.c.new)
    return new.group_by(CHARGE_POINTS.c.mac).having(func.count() > 1).subquery()


def _in_use_elsewhere() -> Subquery:
    """Give the MACs of passwords that a charge point of the database has, who knows one of them would know both."""
    key = (Credential.mac == CHARGE_POINTS.c.mac, Credential.charge_point_id != CHARGE_POINTS.c.id)
    found = select(CHARGE_POINTS.c.mac).join(Credential, and_(*key)).where(CHARGE_POINTS.c.new)
    return found.where(Credential.state != KeyState.REVOKED.value).distinct().subquery()


#: What may be wrong with a charge point. Who has one that is there already is its transfers' business.
CHARGE_POINT: Final = _charge_points()
