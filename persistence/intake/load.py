"""How many transfers run at this moment: what more is begun than can be done is only done later, and so is the rest."""

import asyncio
import time
from typing import Final

from sqlalchemy import func, literal, select, text

from domain.errors import Unavailable
from persistence.session import Database
from persistence.tables import WAITING, Request, Transfer

#: For how many seconds what was counted counts.
_GOOD_FOR: Final = 0.5
_BUSY: Final = "Too many transfers are begun at this moment; nothing was written. Send the same request again later."


class Load:
    """Counts transfers that run and wait for nobody, and requests that no worker has begun, over all processes."""

    def __init__(self, db: Database, limit: int) -> None:
        """Take how many there may be; 0: any number."""
        self._db = db
        self._limit = limit
        self._turn = asyncio.Lock()
        self._counted_at: float | None = None
        self._number = 0

    async def admit(self) -> None:
        """Let one more begin; raises Unavailable where there are too many, or the database does not answer."""
        if not self._limit:
            return
        async with self._turn:
            if self._counted_at is None or time.monotonic() - self._counted_at > _GOOD_FOR:
                self._number, self._counted_at = await self._count(), time.monotonic()
            if self._number >= self._limit:
                raise Unavailable(_BUSY)
            self._number += 1

    async def _count(self) -> int:
        """Count up to the limit, by indexes alone."""
        runs = select(literal(1)).select_from(Transfer).where(text(f"({WAITING})"), Transfer.attention == "")
        asked = select(literal(1)).select_from(Request).where(Request.started_at.is_(None))
        async with self._db.reading() as rows:
            counts = [select(func.count()).select_from(one.limit(self._limit).subquery()) for one in (runs, asked)]
            return sum([(await rows.execute(count)).scalar_one() for count in counts])
