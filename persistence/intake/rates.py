"""Counts what is limited, over all processes: a row for each key, counted in the statement that changes it.

A key begins with its kind and a colon. A window begins with the first that is counted, and ends its length later; then
the row counts anew. Rows whose window has ended go when another window of their kind begins.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from persistence.inserts import insert_into
from persistence.tables import RateCount

#: How many rows of ended windows go at once.
_SWEPT_AT_ONCE: Final = 100


async def count(rows: AsyncSession, key: str, limit: int, window: timedelta, now: datetime) -> datetime | None:
    """Count one more; where `limit` in the window are counted already count nothing, and give when the window ends.

    Holds the key's row until the transaction ends: nobody else can pass meanwhile.
    """
    first = insert_into(rows, RateCount).values(key=key, ends_at=now + window, count=1)
    over = RateCount.ends_at <= now
    counted = first.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": case((over, 1), else_=RateCount.count + 1),
            "ends_at": case((over, first.excluded.ends_at), else_=RateCount.ends_at),
        },
        where=or_(over, RateCount.count < limit),
    ).returning(RateCount.count)
    number = (await rows.execute(counted)).scalar_one_or_none()
    if number == 1:
        await _sweep(rows, key.partition(":")[0], now)
    return await full_until(rows, key, limit, now) if number is None else None


async def give_back(rows: AsyncSession, key: str, window: timedelta, counted_at: datetime) -> None:
    """Count one less: what was counted did not come about. Nothing where the window that it counts in has ended."""
    its_window = (RateCount.key == key, RateCount.count > 0, RateCount.ends_at <= counted_at + window)
    one_less = update(RateCount).where(*its_window).values(count=RateCount.count - 1)
    await rows.execute(one_less, execution_options={"synchronize_session": False})


async def full_until(rows: AsyncSession, key: str, limit: int, now: datetime) -> datetime | None:
    """Give when the window ends in which `limit` are counted already; None where one more may be. Only reads."""
    wanted = select(RateCount.ends_at).where(RateCount.key == key, RateCount.count >= limit, RateCount.ends_at > now)
    return (await rows.execute(wanted)).scalar_one_or_none()


async def _sweep(rows: AsyncSession, kind: str, now: datetime) -> None:
    """Remove rows of ended windows: none that somebody else is at, and none of a kind that is counted later on.

    Either could end in a deadlock.
    """
    ended = select(RateCount.key).where(RateCount.ends_at <= now, RateCount.key.startswith(f"{kind}:", autoescape=True))
    ended = ended.limit(_SWEPT_AT_ONCE)
    keys = (await rows.scalars(ended.with_for_update(skip_locked=True))).all()
    if keys:
        await rows.execute(delete(RateCount).where(RateCount.key.in_(keys)))
