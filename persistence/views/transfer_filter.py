"""What a list of transfers is narrowed to, and what that means for their rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from domain.ids import ChargePointId, GroupId, TransferId
from domain.kinds import TransferKind
from domain.transfer import Attention, TransferState
from persistence.people.callers import Caller
from persistence.tables import Request, Transfer
from persistence.views.visibility import now_in_group


@dataclass(frozen=True)
class TransferFilter:
    """Which transfers are wanted; None: any. `before` is the place (requested_at, id) of the last one seen."""

    state: TransferState | None = None
    attention: Attention | None = None
    kind: TransferKind | None = None
    charge_point_id: ChargePointId | None = None
    group_id: GroupId | None = None
    """Of either side, or the charge point's now. A request that has not started: the charge point's now."""
    requested_before: datetime | None = None
    before: tuple[datetime, TransferId] | None = None

    @property
    def has_requests(self) -> bool:
        """Whether requests that have not started can be among them."""
        return self.state in {None, TransferState.REQUESTED} and self.attention in {None, Attention.NONE}


def of_transfers(wanted: TransferFilter) -> list[ColumnElement[bool]]:
    """Give the conditions on transfers, but for that of the group: it takes several ways (ways_of_group)."""
    which = []
    if wanted.state is not None:
        which.append(Transfer.state == wanted.state.value)
    if wanted.attention is not None:
        which.append(Transfer.attention == wanted.attention.value)
    if wanted.kind is not None:
        which.append(Transfer.kind == wanted.kind.value)
    if wanted.charge_point_id is not None:
        which.append(Transfer.charge_point_id == wanted.charge_point_id)
    if wanted.requested_before is not None:
        which.append(Transfer.requested_at < wanted.requested_before)
    if wanted.before is not None:
        which.append(_before(Transfer.requested_at, Transfer.id, wanted.before))
    return which


def of_requests(wanted: TransferFilter, caller: Caller) -> list[ColumnElement[bool]]:
    """Give the conditions on requests that have not started, joined with their ChargePoint."""
    which = []
    if wanted.kind is not None:
        which.append(Request.kind == wanted.kind.value)
    if wanted.charge_point_id is not None:
        which.append(Request.charge_point_id == wanted.charge_point_id)
    if wanted.group_id is not None:
        which.append(now_in_group(caller, wanted.group_id))
    if wanted.requested_before is not None:
        which.append(Request.requested_at < wanted.requested_before)
    if wanted.before is not None:
        which.append(_before(Request.requested_at, Request.transfer_id, wanted.before))
    return which


def _before(at: Any, key: Any, place: tuple[datetime, TransferId]) -> ColumnElement[bool]:
    """Say that a row comes behind a place; that its time is no later is said once more, for an index to begin there."""
    return and_(at <= place[0], or_(at < place[0], key < place[1]))
