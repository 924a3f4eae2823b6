"""What a charger's clock has shown in its present connection."""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from domain.charger_clock import TOLERANCE, ChargerTime, ClockShown, Heard

#: So many of the latest reports are gone by.
_KEPT: Final = 9


class ChargerClock:
    """A charger's clock. Our answer to a BootNotification sets it."""

    def __init__(self) -> None:
        """Know nothing."""
        self.set_at: datetime | None = None
        self._noted: timedelta | None = None
        self._heard: deque[Heard] = deque(maxlen=_KEPT)

    @property
    def shown(self) -> ClockShown:
        """Give all that it has shown so far."""
        return ClockShown(tuple(self._heard), self.set_at)

    def tells_news(self) -> bool:
        """Whether what was heard says something else than what was noted."""
        off = self.shown.agreed
        return off is not None and (self._noted is None or abs(off - self._noted) > TOLERANCE)

    def is_noted(self) -> None:
        """Know that what was heard so far is on record."""
        self._noted = self.shown.agreed

    def is_set(self, now: datetime) -> None:
        """Know that it was told the time: what was heard before says nothing any more."""
        self.set_at = now
        self._heard.clear()

    def hear(self, said: datetime | None, arrived: datetime) -> None:
        """Learn from a report of what happens now."""
        if said is not None:
            self._heard.append(Heard(said, arrived))

    def read(self, said: datetime) -> ChargerTime:
        """Give a time of the charger's with what is known of its clock."""
        return ChargerTime(said, self.shown)
