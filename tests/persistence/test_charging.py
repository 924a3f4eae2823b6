"""Charging sessions and local lists: who may charge, who it is booked to, what a charger is sent."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import TransferInProgress
from persistence import charging, local_lists
from persistence.charging import Start, Started, TagStatus
from persistence.local_lists import ListLimits
from persistence.session import Database
from persistence.tables import ChargePoint, ChargingSession, LocalList, Tag
from persistence.vault import Vault
from tests.api.world import add_transfer
from tests.gateway.world import CP, hand_over, seed

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROOMY = ListLimits(50)


@pytest.fixture
async def books(database: Database, vault: Vault) -> Database:
    await seed(database, vault)
    return database


async def start(books: Database, start: Start, *, now: datetime = NOW) -> Started:
    async with books.writing() as session:
        return await charging.start_session(session, CP, start, now)


async def stop(books: Database, transaction_id: int, *, at: datetime = NOW, reason: str = "Local") -> bool:
    async with books.writing() as session:
        return await charging.stop_session(session, CP, transaction_id, meter=9, at=at, reason=reason, now=NOW)


async def row(books: Database, transaction_id: int) -> ChargingSession:
    async with books.reading() as session:
        return await session.get_one(ChargingSession, transaction_id)


async def running(books: Database) -> list[int]:
    async with books.reading() as session:
        found = [one.id for one in await charging.running_sessions(session, CP)]
        assert bool(found) is await charging.session_running(session, CP)
    return found


async def authorize(books: Database, id_tag: str) -> TagStatus:
    async with books.reading() as session:
        return await charging.authorize(session, CP, id_tag)


async def plan(
    books: Database, order_id: str, *, limits: ListLimits = ROOMY, restore: bool = False
) -> local_lists.ListOrder | None:
    async with books.writing() as session:
        return await local_lists.plan_list(session, CP, order_id, limits, restore=restore)


def flat(order: local_lists.ListOrder | None) -> dict[str, str]:
    assert order is not None
    return {entry["id_tag"]: entry["status"] for part in order.parts for entry in part}


async def test_tags_of_the_present_group_charge_whatever_their_case(books: Database) -> None:
    assert await authorize(books, "ann1") is TagStatus.ACCEPTED
    assert await authorize(books, "BEN1") is TagStatus.INVALID
    await hand_over(books, NOW)
    assert await authorize(books, "ANN1") is TagStatus.INVALID
    assert await authorize(books, "BEN1") is TagStatus.ACCEPTED


async def test_nobody_starts_while_sessions_are_blocked_but_what_ran_before_is_no_start(books: Database) -> None:
    async with books.writing() as session:
        (await session.get_one(ChargePoint, CP)).sessions_blocked_by = "transfer"
    assert await authorize(books, "ANN1") is TagStatus.BLOCKED
    assert (await start(books, Start(1, "ANN1", 0, NOW))).status is TagStatus.BLOCKED
    queued = await start(books, Start(2, "ANN1", 0, NOW - HOUR, queued=True))
    assert queued.status is TagStatus.ACCEPTED


@pytest.mark.parametrize(("at", "owner"), [(-HOUR, "ann"), (timedelta(0), "ben"), (HOUR, "ben"), (-9999 * HOUR, "ann")])
async def test_a_session_is_booked_to_who_had_the_charge_point_when_it_started(
    books: Database, at: timedelta, owner: str
) -> None:
    await hand_over(books, NOW)
    report = Start(1, "ANN1", 0, NOW + at, queued=True)
    started = await start(books, report, now=NOW + 2 * HOUR)
    found = await row(books, started.transaction_id)
    assert (found.owner_id, found.group_id) == (owner, f"group-{owner}")
    assert started.status is (TagStatus.ACCEPTED if owner == "ann" else TagStatus.INVALID)


async def test_a_start_in_the_future_counts_as_now(books: Database) -> None:
    started = await start(books, Start(1, "ANN1", 0, NOW + HOUR))
    assert (await row(books, started.transaction_id)).started_at == NOW


async def test_the_same_report_is_the_same_session(books: Database) -> None:
    first = await start(books, Start(1, "ANN1", 5, NOW))
    assert await start(books, Start(1, "ann1", 5, NOW), now=NOW + HOUR) == first
    ahead = await start(books, Start(2, "ANN1", 5, NOW + 9 * HOUR))
    assert await start(books, Start(2, "ANN1", 5, NOW + 9 * HOUR), now=NOW + HOUR) == ahead
    assert await running(books) == [first.transaction_id, ahead.transaction_id]


async def test_a_stop_counts_once_and_lies_between_start_and_now(books: Database) -> None:
    begun = (await start(books, Start(1, "ANN1", 5, NOW - HOUR))).transaction_id
    assert await stop(books, begun, at=NOW + HOUR)
    assert not await stop(books, begun, at=NOW - HOUR, reason="Other")
    found = await row(books, begun)
    assert (found.stopped_at, found.stop_reason) == (NOW, "Local")
    early = (await start(books, Start(1, "ANN1", 6, NOW))).transaction_id
    assert await stop(books, early, at=NOW - 9 * HOUR)
    assert (await row(books, early)).stopped_at == NOW
    assert not await stop(books, 4711)
    assert await running(books) == []


async def test_a_session_whose_stop_was_lost_ends_where_the_next_begins_and_a_late_stop_corrects_it(
    books: Database,
) -> None:
    lost = (await start(books, Start(1, "ANN1", 5, NOW - 2 * HOUR))).transaction_id
    elsewhere = (await start(books, Start(2, "ANN1", 5, NOW - 2 * HOUR))).transaction_id
    following = (await start(books, Start(1, "ANN2", 8, NOW))).transaction_id
    assert await running(books) == [elsewhere, following]
    found = await row(books, lost)
    assert (found.stopped_at, found.meter_stop, found.stop_reason) == (NOW, 8, charging.LOST)
    assert await stop(books, lost, at=NOW - HOUR)
    assert (await row(books, lost)).stopped_at == NOW - HOUR


async def test_meter_readings_only_rise(books: Database) -> None:
    begun = (await start(books, Start(1, "ANN1", 5, NOW))).transaction_id
    async with books.writing() as session:
        for reading in (7, 6):
            await charging.record_meter(session, CP, begun, reading)
        await charging.record_meter(session, CP, 4711, 9)
    assert (await row(books, begun)).last_meter == 7


async def test_the_list_accepts_the_present_groups_tags_and_blocks_the_former_ones(books: Database) -> None:
    assert flat(await plan(books, "order-0")) == {"ANN1": "Accepted", "ANN2": "Accepted"}
    await hand_over(books, NOW)
    expected = {"BEN1": "Accepted", "ANN1": "Blocked", "ANN2": "Blocked"}
    assert flat(await plan(books, "order-1")) == expected
    async with books.reading() as session:
        assert (await session.get_one(LocalList, CP)).replaced == [
            {"id_tag": "ANN1", "status": "Accepted"},
            {"id_tag": "ANN2", "status": "Accepted"},
        ]


async def test_tags_that_the_former_group_has_no_more_stay_blocked(books: Database) -> None:
    await plan(books, "order-0")
    async with books.writing() as session:
        await session.delete(await session.get_one(Tag, ("group-ann", "ANN2")))
    await hand_over(books, NOW)
    assert flat(await plan(books, "order-1"))["ANN2"] == "Blocked"


async def test_a_tag_in_both_groups_is_accepted(books: Database) -> None:
    async with books.writing() as session:
        session.add(Tag(group_id="group-ben", id_tag="ANN1"))
    await hand_over(books, NOW)
    assert flat(await plan(books, "order-1"))["ANN1"] == "Accepted"


async def test_versions_strictly_rise_over_parts_repeats_and_what_the_charger_has(books: Database) -> None:
    await hand_over(books, NOW)
    first = await plan(books, "order-1", limits=ListLimits(2))
    again = await plan(books, "order-1", limits=ListLimits(1))
    outbid = await plan(books, "order-1", limits=ListLimits(50, version=40))
    assert first is not None
    assert again is not None
    assert outbid is not None
    assert [(each.first_version, len(each.parts)) for each in (first, again, outbid)] == [(1, 2), (3, 3), (41, 1)]


async def test_where_there_is_not_room_for_all_the_accepted_come_first(books: Database) -> None:
    await hand_over(books, NOW)
    assert flat(await plan(books, "order-1", limits=ListLimits(50, 2))) == {"BEN1": "Accepted", "ANN1": "Blocked"}


async def test_a_restore_sends_what_the_order_replaced_however_often_it_was_tried(books: Database) -> None:
    assert await plan(books, "order-1", restore=True) is None
    await plan(books, "order-0")
    await hand_over(books, NOW)
    for _ in range(2):
        await plan(books, "order-1")
    for _ in range(2):
        assert flat(await plan(books, "order-1", restore=True)) == {"ANN1": "Accepted", "ANN2": "Accepted"}
    assert await plan(books, "order-0", restore=True) is None


async def test_where_there_was_no_list_the_restore_empties_it(books: Database) -> None:
    await plan(books, "order-1")
    restored = await plan(books, "order-1", restore=True)
    assert restored is not None
    assert restored.parts == ((),)


async def test_an_ended_order_sends_no_list_where_another_transfer_is_at_work(books: Database) -> None:
    await plan(books, "order-0")
    people = {"from_group_id": "group-ann", "from_owner_id": "ann", "requested_by": "ann"}
    people |= {"to_group_id": "group-ben", "to_owner_id": "ben"}
    await add_transfer(books, "order-1", state="transferring", **people)
    await plan(books, "order-1")
    with pytest.raises(TransferInProgress):
        await plan(books, "order-0")
    assert flat(await plan(books, "order-1", restore=True)) == {"ANN1": "Accepted", "ANN2": "Accepted"}
