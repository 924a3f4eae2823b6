"""How many transfers have ended, and how: there are more of them for ever, and they are counted once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from domain.transfer import FINAL
from persistence.tables import Transfer

#: How long after an end it is certainly committed, whatever clock it was written by.
_WRITTEN_WITHIN: Final = timedelta(minutes=10)
_FINISHED: Final = Transfer.state.in_([state.value for state in FINAL])


class EndedTransfers:
    """How many transfers have ended in which state: an end stays, so those up to a time are counted once."""

    def __init__(self) -> None:
        """Begin with none counted."""
        self._counted: dict[str, int] = {}
        self._until: datetime | None = None

    async def count(self, rows: AsyncSession, now: datetime) -> dict[str, int]:
        """Count them all, by looking at those that have ended of late."""
        if self._until is None or now - self._until > 2 * _WRITTEN_WITHIN:
            until = now - _WRITTEN_WITHIN
            self._counted, self._until = await self._count_until(rows, until), until
        recent = await rows.execute(number_by_state().where(_FINISHED, Transfer.finished_at >= self._until))
        return _sum(self._counted, {row[0]: row[1] for row in recent})

    async def _count_until(self, rows: AsyncSession, until: datetime) -> dict[str, int]:
        """Count those that had ended by then: in one statement, as another may end between two."""
        if self._until is not None:
            lately = Transfer.finished_at >= self._until, Transfer.finished_at < until
            found = await rows.execute(number_by_state().where(_FINISHED, *lately))
            return _sum(self._counted, {row[0]: row[1] for row in found})
        later = number_by_state(sign=-1).where(_FINISHED, Transfer.finished_at >= until)
        counts: dict[str, int] = {}
        for state, number in await rows.execute(union_all(number_by_state().where(_FINISHED), later)):
            counts = _sum(counts, {state: number})
        return counts


def number_by_state(sign: int = 1) -> Select[str, int]:
    """Select how many transfers are in each state, to be narrowed."""
    return select(Transfer.state, func.count() * literal(sign)).group_by(Transfer.state)


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {state: one.get(state, 0) + other.get(state, 0) for state in {**one, **other}}
