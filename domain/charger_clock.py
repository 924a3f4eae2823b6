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
#: A clock that is off by more begins anew with each start of its charger.
BEGINS_ANEW: Final = timedelta(days=30)


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
class ClockShown:
    """What a charger's present connection has shown of its clock."""

    heard: Sequence[Heard] = ()
    """The latest reports, since it was set."""
    set_at: datetime | None = None
    """When our answer to its BootNotification set it; None: it has not started in this connection."""

    @property
    def agreed(self) -> timedelta | None:
        """What all that was heard says, whatever was kept; None: nothing was."""
        return _median(self.heard) if self.heard else None

    def off(self, since: datetime, usual: timedelta | None) -> timedelta | None:
        """Tell what it is off by, in a connection that is an ordinary one `since`; None: unknown.

        `usual` is what it was off by in an earlier one: by that it is told what was kept. Where all that was heard was,
        it is still right; without it what was heard decides.
        """
        usual = self.usual(usual)
        live = [one for one in self.heard if _plus(one.said, usual) >= since - TOLERANCE]
        if live:
            return _median(live)
        return self.agreed if usual is None else usual

    def usual(self, usual: timedelta | None) -> timedelta | None:
        """Give what it was off by in an earlier connection; None where that says nothing any more."""
        begun_anew = self.set_at is not None and usual is not None and abs(usual) > BEGINS_ANEW
        return None if begun_anew else usual


@dataclass(frozen=True)
class ChargerTime:
    """A time as a charger says it, and what is known of its clock."""

    said: datetime
    shown: ClockShown = ClockShown()

    def by_our_clock(self, since: datetime, usual: timedelta | None = None) -> datetime:
        """Tell the time, as far as that can be told; `since` and `usual` as ClockShown.off has them.

        What was heard is of times after the clock was set alone.
        """
        ours = _plus(self.said, self.shown.off(since, usual))
        if self.shown.set_at is None or ours >= self.shown.set_at:
            return ours
        return _plus(self.said, self.shown.usual(usual))


def _median(heard: Iterable[Heard]) -> timedelta:
    return timedelta(seconds=median(one.off.total_seconds() for one in heard))


def _plus(moment: datetime, off: timedelta | None) -> datetime:
    """Add to a time; where the calendar ends it stays as it is."""
    try:
        ours = moment + (off or timedelta())
    except OverflowError:
        return moment
    return ours if MINYEAR < ours.year < MAXYEAR else moment
