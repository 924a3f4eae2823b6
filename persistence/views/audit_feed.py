"""Reads what is new in many audit trails at once, and whether everything was said of a transfer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Integer, String, and_, column, false, func, or_, select, values

from domain.trail import TrailSubject
from domain.transfer import FINAL
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import AuditCounter, AuditEvent, Transfer
from persistence.views.transfer_views import EventView, event_view

#: Whether a transfer has ended: nothing but letters follows.
_OVER: Final = func.coalesce(Transfer.state.in_([state.value for state in FINAL]), false())


@dataclass(frozen=True)
class Entry:
    """An entry of an audit trail, and its transfer as it stood when the entry was read; None where it has none."""

    row: AuditEvent
    transfer: Transfer | None

    @property
    def sequence(self) -> int:
        """Its place in its trail."""
        return self.row.sequence

    def view(self, caller: Caller) -> EventView:
        """Show it to `caller`, who may see the transfer's trail."""
        return event_view(self.row, self.transfer, caller)


@dataclass(frozen=True)
class News:
    """What is new: the entries of each trail in their order, and the trails that are over.

    A transfer's is, once it has ended: that its parties were told may follow. A charge point's never.
    """

    entries: Mapping[TrailSubject, list[Entry]]
    over: frozenset[TrailSubject]


class AuditFeed:
    """Reads without asking who may see it; raises Unavailable where the database is away.

    A trail grows without gaps, and what a statement sees of it is its beginning: a writer holds the trail's counter
    until it commits (persistence.transfers.audit). So a place in each trail is all that there is to remember.
    """

    def __init__(self, db: Database) -> None:
        """Take the database."""
        self._db = db

    async def extent(self, subject: TrailSubject) -> tuple[int, bool]:
        """Give the last sequence of a trail (0: none yet), and whether it is over.

        What is read of the trail afterwards has at least these entries.
        """
        wanted = (
            select(AuditCounter.last, _OVER)
            .select_from(AuditCounter)
            .outerjoin(Transfer, Transfer.id == AuditCounter.subject)
            .where(AuditCounter.subject == subject)
        )
        async with self._db.reading() as rows:
            row = (await rows.execute(wanted)).one_or_none()
        return (row[0], bool(row[1])) if row else (0, False)

    async def news(self, places: Mapping[TrailSubject, int], limit: int) -> News:
        """Read, in one query, what follows in each trail behind its place: `limit` entries in all.

        Where there were more, none is said to be over: the next call has the rest.
        """
        place = values(column("subject", String), column("sequence", Integer), name="place")
        cte = place.data(list(places.items())).cte("place")
        wanted: Any = (
            select(cte.c.subject, AuditEvent, Transfer, _OVER)
            .select_from(cte)
            .outerjoin(
                AuditEvent,
                and_(AuditEvent.subject == cte.c.subject, AuditEvent.sequence > cte.c.sequence),
            )
            .outerjoin(Transfer, Transfer.id == cte.c.subject)
            .where(or_(AuditEvent.sequence.is_not(None), _OVER))
            .order_by(cte.c.subject, AuditEvent.sequence)
            .limit(limit)
        )
        async with self._db.reading() as rows:
            listed = (await rows.execute(wanted)).all()
        found: dict[TrailSubject, list[Entry]] = {}
        for subject, event, transfer, _ in listed:
            if event is not None:
                found.setdefault(subject, []).append(Entry(event, transfer))
        complete = len(listed) < limit
        return News(found, frozenset(row[0] for row in listed if row[3]) if complete else frozenset())
