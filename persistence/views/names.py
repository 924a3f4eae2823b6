"""What people and groups are called, for readers who have been shown their ids."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select

from domain.ids import ChargePointId, GroupId, UserId
from persistence.session import Database
from persistence.tables import ChargePoint, Group, User


@dataclass(frozen=True)
class PointName:
    """What a charge point is called, and where it is."""

    name: str
    location: str | None


@dataclass(frozen=True)
class Names:
    """Names by ids; one that is not known has none, and that of somebody who was erased is empty."""

    users: Mapping[str, str]
    groups: Mapping[str, str]
    personal: frozenset[str]
    """The groups that are somebody's own."""
    points: Mapping[str, PointName]

    def filled(self, nobody: str) -> "Names":
        """Give them with `nobody` in place of the names of those who were erased, and of their own groups."""
        users, groups = ({one: name or nobody for one, name in of.items()} for of in (self.users, self.groups))
        return replace(self, users=users, groups=groups)


class NameReads:
    """Looks names up; raises Unavailable where the database is away. Whoever asks sees to it that they may be told."""

    def __init__(self, db: Database) -> None:
        """Take the database."""
        self._db = db

    async def of(
        self,
        users: Collection[UserId] = (),
        groups: Collection[GroupId] = (),
        points: Collection[ChargePointId] = (),
    ) -> Names:
        """Give the names of these."""
        people = select(User.id, User.name).where(User.id.in_(users))
        teams = select(Group.id, Group.name, Group.personal_of).where(Group.id.in_(groups))
        places = select(ChargePoint.id, ChargePoint.name, ChargePoint.location).where(ChargePoint.id.in_(points))
        async with self._db.reading() as rows:
            named = (await rows.execute(teams)).all()
            return Names(
                {row.id: row.name for row in await rows.execute(people)},
                {row.id: row.name for row in named},
                frozenset(row.id for row in named if row.personal_of is not None),
                {row.id: PointName(row.name, row.location) for row in await rows.execute(places)},
            )
