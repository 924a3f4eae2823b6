"""Counting against a limit: no race lets one more in, a window ends, and rows don't pile up."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from persistence.intake import rates
from persistence.session import PATIENT_LOCK_WAIT_SECONDS, Database
from persistence.tables import RateCount

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def count(database: Database, key: str = "k", now: datetime = NOW) -> datetime | None:
    async with database.writing() as rows:
        return await rates.count(rows, key, 3, HOUR, now)


async def keys(database: Database) -> set[str]:
    async with database.reading() as rows:
        return set(await rows.scalars(select(RateCount.key)))


async def test_of_many_at_once_in_two_processes_no_more_pass_than_may(database_url: str) -> None:
    processes = [Database(database_url, lock_wait=PATIENT_LOCK_WAIT_SECONDS) for _ in range(2)]
    refused = await asyncio.gather(*(count(processes[number % 2]) for number in range(8)))
    for process in processes:
        await process.close()

    assert sorted(refused, key=lambda until: until is not None) == [None] * 3 + [NOW + HOUR] * 5


async def test_a_window_begins_with_the_first_and_counts_anew_after_its_end(database: Database) -> None:
    later = NOW + timedelta(minutes=59)
    assert [await count(database), await count(database, now=later), await count(database, now=later)] == [None] * 3
    assert await count(database, now=later) == NOW + HOUR
    assert [await count(database, now=NOW + HOUR) for _ in range(3)] == [None] * 3
    assert await count(database, now=NOW + HOUR) == NOW + 2 * HOUR


async def test_each_key_is_counted_for_itself(database: Database) -> None:
    for _ in range(4):
        await count(database)
    assert await count(database, "other") is None


async def test_what_is_not_committed_is_not_counted(database: Database) -> None:
    for _ in range(5):
        async with database.writing() as rows:
            assert await rates.count(rows, "k", 3, HOUR, NOW) is None
            await rows.rollback()
    assert await keys(database) == set()


async def test_rows_of_ended_windows_go_and_the_others_stay(database: Database) -> None:
    await count(database, "k:ended")
    await count(database, "k:open", NOW + timedelta(minutes=30))
    await count(database, "k:new", NOW + HOUR)
    assert await keys(database) == {"k:open", "k:new"}


async def test_rows_of_another_kind_stay_for_who_counts_that_kind(database: Database) -> None:
    """Of two who each swept what the other counts next, both would wait for ever."""
    await count(database, "other:ended")
    await count(database, "k:new", NOW + HOUR)
    assert await keys(database) == {"other:ended", "k:new"}


async def test_what_is_given_back_makes_room_in_its_own_window_only(database: Database) -> None:
    for _ in range(3):
        await count(database)
    async with database.writing() as rows:
        await rates.give_back(rows, "k", HOUR, NOW)
    assert [await count(database), await count(database)] == [None, NOW + HOUR]
    later = NOW + HOUR
    for _ in range(3):
        await count(database, now=later)
    async with database.writing() as rows:
        await rates.give_back(rows, "k", HOUR, NOW)
    assert await count(database, now=later) == later + HOUR
