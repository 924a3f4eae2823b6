"""What each letter about a charge point says that is about no transfer, taken from its row and its trail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypedDict

from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.notices import TellOwner
from domain.actors import ActorKind, user
from domain.ids import UserId
from domain.news import OwnerNews
from domain.trail import TrailAction
from domain.transfer import Connection
from notices.letters import (
    AnyLetter,
    EndedKeyLetter,
    LateSession,
    LateSessionsLetter,
    ResetAskedLetter,
    ResetLetter,
    TwoHoldersLetter,
)
from persistence.tables import ChargePoint, ChargingSession
from persistence.transfers.parties import TransferFacts, changes_owner
from persistence.views.charger_trail import Seen, is_untold, seen

#: The entry of the charge point's trail that each piece of news is about.
_ENTRIES: Final = {
    OwnerNews.RESET: TrailAction.CONNECTED_AFRESH,
    OwnerNews.TWO_HOLDERS: TrailAction.TWO_HOLDERS,
    OwnerNews.ENDED_KEY_TRIED: TrailAction.ENDED_KEY_TRIED,
}

#: How many sessions one letter lists.
_LISTED: Final = 20


class _OfPoint(TypedDict):
    """The fields of notices.letters.PointLetter."""

    charge_point: str
    location: str | None
    charge_point_id: str
    at: datetime | None
    origin: str


class PointDrafts:
    """Fills in letters."""

    def __init__(self, origin: str) -> None:
        """Take where Handover is reached."""
        self._origin = origin.rstrip("/")

    async def is_untold(self, rows: AsyncSession, order: TellOwner) -> bool:
        """Whether there is something to tell."""
        action = _ENTRIES[order.news]
        return await is_untold(rows, order.charge_point_id, action, order.news.value, order.day)

    async def to_owner(self, rows: AsyncSession, order: TellOwner, point: ChargePoint) -> AnyLetter:
        """Draft what the owner is told."""
        happened = await _happened(rows, order)
        about, times = self._about(point, happened), max(happened.times, 1)
        if order.news is OwnerNews.TWO_HOLDERS:
            return TwoHoldersLetter(**about, times=times)
        if order.news is OwnerNews.ENDED_KEY_TRIED:
            return EndedKeyLetter(**about, times=times, addresses=happened.addresses)
        by = happened.actor
        staff = by is not None and by.kind is ActorKind.OPERATOR
        return ResetLetter(**about, by_staff=staff, by_owner=by == user(UserId(point.owner_id)))

    def late_sessions(
        self, point: ChargePoint, rows: Sequence[ChargingSession], *, sees_point: bool
    ) -> LateSessionsLetter:
        """Draft what a former owner is told of sessions that are booked to them."""
        shown = [_late(row) for row in rows[:_LISTED]]
        return LateSessionsLetter(
            charge_point=point.name,
            location=point.location,
            charge_point_id=point.id,
            at=None,
            origin=self._origin,
            sessions=tuple(shown),
            more=len(rows) - len(shown),
            sees_point=sees_point,
        )

    async def to_asked(self, rows: AsyncSession, order: TellOwner, facts: TransferFacts) -> ResetAskedLetter:
        """Draft what a recipient is told who has not answered yet."""
        transfer, point = facts.transfer, facts.charge_point
        return ResetAskedLetter(
            **self._about(point, await _happened(rows, order)),
            sender=facts.sender.name,
            replaces_key=changes_owner(transfer) and transfer.connection == Connection.KEEP,
        )

    def _about(self, point: ChargePoint, happened: Seen) -> _OfPoint:
        return _OfPoint(
            charge_point=point.name,
            location=point.location,
            charge_point_id=point.id,
            at=happened.last_at,
            origin=self._origin,
        )


def _late(row: ChargingSession) -> LateSession:
    return LateSession(row.started_at, row.reported_at, row.arrived_at, row.energy)


async def _happened(rows: AsyncSession, order: TellOwner) -> Seen:
    return await seen(rows, order.charge_point_id, _ENTRIES[order.news], order.day)
