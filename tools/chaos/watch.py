"""Looks at the register all through the run: one owner at every look, and what was seen once stands for ever."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import text

from domain.errors import Unavailable
from persistence.session import Database
from tools.chaos.journal import Broken

_LOOK_EVERY: Final = 0.25
#: One statement, so that all of it is of one moment.
_PRESENT: Final = text(
    "SELECT c.id, c.owner_id, c.group_id, c.version, p.version AS period, p.owner_id AS ledger_owner,"
    " p.group_id AS ledger_group,"
    " (SELECT count(*) FROM transfers t WHERE t.charge_point_id = c.id AND t.active) AS active"
    " FROM charge_points c LEFT JOIN ownership_periods p ON p.charge_point_id = c.id AND p.ended_at IS NULL"
)
ONE_OWNER: Final = "one owner at every commit"

Seen = dict[tuple[str, int], tuple[str, str]]
"""Owner and group of each version of each charge point that was seen."""


class Watch:
    """What was seen so far."""

    def __init__(self, db: Database) -> None:
        """Look into `db`."""
        self._db = db
        self.looks = 0
        self.seen: Seen = {}

    async def run(self) -> None:
        """Look again and again until cancelled; a database that is away is asked again. Raises Broken."""
        while True:
            with suppress(Unavailable):
                await self.look()
            await asyncio.sleep(_LOOK_EVERY)  # pacing: other processes' doing

    async def look(self) -> None:
        """Look once; raises Broken, Unavailable."""
        async with self._db.reading() as rows:
            found = (await rows.execute(_PRESENT)).all()
        self.looks += 1
        met: set[str] = set()
        for row in found:
            if wrong := _wrong(row, met) or self._changed(row):
                raise Broken(ONE_OWNER, row.id, f"{wrong}: {row}")
            met.add(row.id)
            self.seen[row.id, row.version] = (row.owner_id, row.group_id)

    def _changed(self, row: Any) -> str:
        known = self.seen.get((row.id, row.version), (row.owner_id, row.group_id))
        return "" if known == (row.owner_id, row.group_id) else f"the same version had {known} before"


def _wrong(row: Any, met: set[str]) -> str:
    if row.id in met:
        return "two ledger periods are open"
    if row.period != row.version:
        return "the open period is not that of its version"
    if (row.ledger_owner, row.ledger_group) != (row.owner_id, row.group_id):
        return "the ledger names another holder"
    return "two transfers have it reserved" if row.active > 1 else ""
