"""Upgrades with a key that once was the charger's: on record once a day for each such key and owner, no more often."""

import logging
from collections import OrderedDict
from datetime import UTC, date, datetime
from typing import Final

from domain.errors import Unavailable
from gateway.facts import Fact, Reporter, Tasks
from persistence.chargers import sightings
from persistence.chargers.upgrades import Admission
from persistence.session import Database

_log = logging.getLogger(__name__)
#: So many keys are remembered; of those that came the longest ago it is asked in the database again.
_MOST: Final = 4096
_Key = tuple[str, int, bool]


class EndedKeys:
    """What this process has put on record of ended keys."""

    def __init__(self, db: Database, reporter: Reporter, tasks: Tasks) -> None:
        """Write in `tasks`: whoever is refused waits for nothing."""
        self._db = db
        self._reporter = reporter
        self._tasks = tasks
        self._noted: OrderedDict[_Key, date] = OrderedDict()

    def note(self, admission: Admission, address: str) -> None:
        """Put on record that somebody came from `address` with an ended key; returns at once.

        It counts before it is written, so that a flood of upgrades is none of writes.
        """
        key, now = _key_of(admission), datetime.now(UTC)
        if self._noted.get(key) == now.date():
            return
        self._noted[key] = now.date()
        self._noted.move_to_end(key)
        if len(self._noted) > _MOST:
            self._noted.popitem(last=False)
        self._tasks.start(self._write(admission, address, now), f"the ended key of {admission.charge_point_id}")

    async def _write(self, admission: Admission, address: str, now: datetime) -> None:
        point, key = admission.charge_point_id, admission.credential_id
        if point is None or key is None:
            return
        try:
            async with self._db.writing() as rows:
                news = await sightings.note_ended_key(
                    rows,
                    point,
                    key,
                    ended_at=admission.ended_at,
                    address=address,
                    now=now,
                    awaited=admission.charger_awaited,
                )
        except Unavailable:
            self._noted.pop(_key_of(admission), None)  # the next time
            return
        if news:
            _log.warning("Somebody at %s came with a key that %s once had.", address, point)
            self._reporter.report(point, Fact.ENDED_KEY)


def _key_of(admission: Admission) -> _Key:
    """Say which key it is, in which owner's time, and whether the charger is still awaited with its new one."""
    return admission.credential_id or "", admission.owner_version, admission.charger_awaited
