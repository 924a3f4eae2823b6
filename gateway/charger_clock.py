"""What a charger's clock is off by, as its live reports in one connection show."""

from collections import deque
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from domain.charging import ChargerTime

#: So many of the latest reports are gone by.
_KEPT: Final = 9


class ChargerClock:
    """A charger's clock in its present connection. Our answer to a BootNotification sets it."""

    def __init__(self) -> None:
        """Know nothing."""
        self._set_at: datetime | None = None
        self._off: deque[timedelta] = deque(maxlen=_KEPT)

    def is_set(self, now: datetime) -> None:
        """Know that it was told the time: what was heard before says nothing any more."""
        self._set_at = now
        self._off.clear()

    def hear(self, said: datetime | None, arrived: datetime) -> None:
        """Learn from a report of what happens now."""
        if said is not None:
            self._off.append(arrived - said)

    def read(self, said: datetime) -> ChargerTime:
        """Give a time of the charger's with what is known of its clock."""
        offset = timedelta(seconds=median(off.total_seconds() for off in self._off)) if self._off else None
        return ChargerTime(said, offset, self._set_at)
