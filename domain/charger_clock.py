"""What a charger's clock is off by, and when by our own clock something happened whose time it tells.

What it reports as it happens shows that: it arrives at once. But what it kept while it was away arrives late, and looks
like a clock that is behind; what the clock was off by before tells both apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from statistics import median
from typing import Final

#: By so much a clock may differ from ours, once it is corrected, and counts as right.
TOLERANCE: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Heard:
    """A report of what happens now, as far as the charger says."""

    said: datetime
    arrived: datetime

    @property
    def off(self) -> timedelta:
        """What has to be added to the clock, where it was reported as it happened."""
        return self.arrived - self.said


@dataclass(frozen=True)
class Reading:
    """When something happened by our clock, as far as that can be told."""

    at: datetime
    or_at: datetime | None = None
    """When else it may have happened; None: it is not in doubt."""


@dataclass(frozen=True)
class ChargerTime:
    """A time as a charger says it, and what its present connection has shown of its clock."""

    said: datetime
    heard: Sequence[Heard] = ()
    set_at: datetime | None = None
    """When our answer to its BootNotification set its clock: what was heard is of times after that alone."""

    def read(self, since: datetime, usual: timedelta | None = None) -> Reading:
        """Tell the time, in a connection that is an ordinary one `since`; `usual` is what the clock was off by before.

        Where all that was heard may have been kept, it was, unless it all agrees on another clock: then either may be.
        """
        off, also = usual, None
        if live := _live(self.heard, since, usual):
            off = _median(live)
        elif self.heard:
            agreed = _median(self.heard)
            each = [one.off for one in self.heard]
            if usual is None:
                off = agreed
            elif max(each) - min(each) <= TOLERANCE < abs(agreed - usual):
                also = agreed
        return Reading(self._with(off, usual), None if also is None else self._with(also, usual))

    def _with(self, off: timedelta | None, usual: timedelta | None) -> datetime:
        ours = _plus(self.said, off)
        return ours if self.set_at is None or ours >= self.set_at else _plus(self.said, usual)


def usually_off(heard: Sequence[Heard], since: datetime, usual: timedelta | None) -> timedelta | None:
    """Tell what a clock is off by at the end of a connection, which was an ordinary one `since`; None: unknown."""
    if live := _live(heard, since, usual):
        return _median(live)
    return _median(heard) if usual is None and heard else usual


def _live(heard: Iterable[Heard], since: datetime, usual: timedelta | None) -> list[Heard]:
    """Leave out what may have happened before the connection."""
    return [one for one in heard if _plus(one.said, usual) >= since - TOLERANCE]


def _median(heard: Iterable[Heard]) -> timedelta:
    return timedelta(seconds=median(one.off.total_seconds() for one in heard))


def _plus(moment: datetime, off: timedelta | None) -> datetime:
    """Add to a time; where the calendar ends it stays as it is."""
    try:
        ours = moment + (off or timedelta())
    except OverflowError:
        return moment
    return ours if MINYEAR < ours.year < MAXYEAR else moment
