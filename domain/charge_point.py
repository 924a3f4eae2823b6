"""What is being moved: a charge point, and the ledger that says who owned it when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.ids import ChargePointId, GroupId, UserId
from domain.transfer import UntilNewKey


@dataclass(frozen=True)
class Holding:
    """Who has a charge point: always an owner and a group, both."""

    owner_id: UserId
    group_id: GroupId


@dataclass(frozen=True)
class ChargePoint:
    """A charge point as the rules see it; `version` counts its ownership changes."""

    id: ChargePointId
    holding: Holding
    version: int
    owner_changed_at: datetime | None = None
    owner_version: int = 0
    """The version with which the present owner's time began."""
    until_new_key: UntilNewKey | None = None
    """What keys that are older than the owner open; None where none does."""
    rotates: bool | None = None
    """Whether the charger takes keys that it is sent; None where that was not seen yet."""


@dataclass(frozen=True)
class Period:
    """One entry of the ledger: `holding` from `started_at` up to, not including, `ended_at` (None: today's)."""

    holding: Holding
    started_at: datetime
    ended_at: datetime | None


def holding_at(periods: Sequence[Period], moment: datetime) -> Holding:
    """Say who had the charge point at `moment`: what a charging session that started then is booked to.

    `periods` are in order and not empty. A moment before the first period counts as the first.
    """
    for period in reversed(periods):
        if period.started_at <= moment:
            return period.holding
    return periods[0].holding
