"""Charging sessions and local lists: who may charge, who it is booked to, what a charger is sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from domain.charger_clock import ChargerTime, ClockShown, Heard
from domain.errors import TransferInProgress
from persistence.chargers import charging, local_lists
from persistence.chargers.charging import Over, Start, Started, TagStatus
from persistence.chargers.local_lists import ListLimits
from persistence.session import Database
from persistence.tables import (
    ChargePoint,
    ChargerConnection,
    ChargingSession,
    Finding,
    LocalList,
    Tag,
    UnmatchedStop,
)
from persistence.transfers import findings
from persistence.vault import Vault
from tests.api.world import add_transfer
from tests.gateway.world import CP, hand_over, seed

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: When the charger's present connection began, and how long it may have been gone before the end of an earlier one.
SINCE, MARGIN = NOW - HOUR / 2, timedelta(minutes=1)
OVER = Over(2, SINCE, MARGIN)
ROOMY = ListLimits(50)


@pytest.fixture
async def books(database: Database, vault: Vault) -> Database:
    """Of a charger that was there a day ago for an hour, and is since half an hour."""
    await seed(database, vault)
    async with database.writing() as rows:
        for generation, opened, ended in ((1, NOW - 24 * HOUR, NOW - 23 * HOUR), (2, SINCE, None)):
            rows.add(
                ChargerConnection(
                    charge_point_id=CP,
                    generation=generation,
                    node="node-1",
                    opened_at=opened,
                    released_at=opened,
                    ended_at=ended,
                )
            )
    return database


def begin(
    connector: int | None, id_tag: str, meter: int | None, at: datetime, reference: str | None = None, **more: Any
) -> Start:
    return Start(connector, id_tag, meter, ChargerTime(at), reference, **more)


async def start(books: Database, start: Start, *, now: datetime = NOW) -> Started:
    async with books.writing() as rows:
        return await charging.start_session(rows, CP, start, OVER, now)


async def stop(
    books: Database, said_id: int, *, at: datetime = NOW, reason: str = "Local", meter: int | None = 9
) -> bool:
    """Report a stop; whether it ended a session."""
    async with books.writing() as rows:
        told = ChargerTime(at)
        session_id = await charging.session_to_stop(rows, CP, said_id, OVER, meter=meter, at=told)
        if session_id is None:
            await charging.keep_stop(rows, CP, said_id, OVER, NOW, meter=meter, at=told, reason=reason)
            return False
        return await charging.stop_session(rows, CP, session_id, OVER, NOW, meter=meter, at=told, reason=reason)


async def row(books: Database, transaction_id: int) -> ChargingSession:
    async with books.reading() as rows:
        return await rows.get_one(ChargingSession, transaction_id)


async def running(books: Database) -> list[int]:
    async with books.reading() as rows:
        found = [one.id for one in await charging.running_sessions(rows, CP)]
        assert bool(found) is await charging.session_running(rows, CP)
    return found


async def authorize(books: Database, id_tag: str) -> TagStatus:
    async with books.reading() as rows:
        return await charging.authorize(rows, CP, id_tag)


async def plan(
    books: Database, order_id: str, *, limits: ListLimits = ROOMY, restore: bool = False, block_former: bool = True
) -> local_lists.ListOrder | None:
    async with books.writing() as rows:
        return await local_lists.plan_list(rows, CP, order_id, limits, restore=restore, block_former=block_former)


def flat(order: local_lists.ListOrder | None) -> dict[str, str]:
    assert order is not None
    return {entry.id_tag: entry.status for part in order.parts for entry in part}


async def test_tags_of_the_present_group_charge_whatever_their_case(books: Database) -> None:
    assert await authorize(books, "ann1") is TagStatus.ACCEPTED
    assert await authorize(books, "BEN1") is TagStatus.INVALID
    await hand_over(books, NOW)
    assert await authorize(books, "ANN1") is TagStatus.INVALID
    assert await authorize(books, "BEN1") is TagStatus.ACCEPTED


async def test_nobody_starts_while_sessions_are_blocked_but_what_ran_before_is_no_start(books: Database) -> None:
    async with books.writing() as rows:
        (await rows.get_one(ChargePoint, CP)).sessions_blocked_by = "transfer"
    assert await authorize(books, "ANN1") is TagStatus.BLOCKED
    assert (await start(books, begin(1, "ANN1", 0, NOW))).status is TagStatus.BLOCKED
    late = await start(books, begin(2, "ANN1", 0, NOW - HOUR))
    assert (late.status, late.late) == (TagStatus.ACCEPTED, True)
    runs = await start(books, begin(3, "ANN1", 0, NOW, "t-1", begins=False))
    assert runs.status is TagStatus.ACCEPTED, "what is told of one that runs"


@pytest.mark.parametrize(
    ("at", "owner", "late", "doubts"),
    [
        (-HOUR, "ann", True, []),
        (-23 * HOUR - MARGIN / 2, "ann", True, []),
        (-23.5 * HOUR, "ben", False, []),
        (timedelta(0), "ben", False, []),
        (HOUR, "ben", False, []),
        (-9999 * HOUR, "ben", False, ["holder"]),
        (9999 * HOUR, "ben", False, ["holder"]),
    ],
)
async def test_only_what_happened_while_it_was_away_is_booked_by_its_time(
    books: Database, at: timedelta, owner: str, late: bool, doubts: list[str]
) -> None:
    await hand_over(books, NOW)
    started = await start(books, begin(1, "ANN1", 0, NOW + at), now=NOW + 2 * HOUR)
    found = await row(books, started.transaction_id)
    assert (found.owner_id, found.group_id) == (owner, f"group-{owner}")
    assert (found.late, found.doubts) == (late, doubts)
    assert (found.reported_at, found.arrived_at) == (NOW + at, NOW + 2 * HOUR)
    assert started.status is (TagStatus.ACCEPTED if late else TagStatus.INVALID)
    async with books.reading() as rows:
        parked = [(one.kind, one.subject) for one in await rows.scalars(select(Finding))]
    assert parked == ([("sessions_in_doubt", CP)] if doubts else [])


async def test_of_one_holder_no_time_is_in_doubt(books: Database) -> None:
    for number, hours in enumerate((-500000, -9999, 9999), start=1):
        started = await start(books, begin(number, "ANN1", 0, NOW + hours * HOUR))
        found = await row(books, started.transaction_id)
        assert (found.owner_id, found.started_at, found.doubts) == ("ann", NOW, [])
        assert started.status is TagStatus.ACCEPTED


async def test_a_start_in_the_future_counts_as_now(books: Database) -> None:
    started = await start(books, begin(1, "ANN1", 0, NOW + HOUR))
    assert (await row(books, started.transaction_id)).started_at == NOW


async def test_the_same_report_is_the_same_session(books: Database) -> None:
    first = await start(books, begin(1, "ANN1", 5, NOW))
    assert await start(books, begin(1, "ann1", 5, NOW), now=NOW + HOUR) == first
    ahead = await start(books, begin(2, "ANN1", 5, NOW + 9 * HOUR))
    assert await start(books, begin(2, "ANN1", 5, NOW + 9 * HOUR), now=NOW + HOUR) == ahead
    assert await running(books) == [first.transaction_id, ahead.transaction_id]


async def test_the_same_report_of_one_that_has_ended_is_another_session(books: Database) -> None:
    """A charger whose clock and meter begin anew with each start says the same of two."""
    first = await start(books, begin(1, "ANN1", 0, datetime(1970, 1, 1, tzinfo=UTC)))
    assert await stop(books, first.transaction_id)
    second = await start(books, begin(1, "ANN1", 0, datetime(1970, 1, 1, tzinfo=UTC)))
    assert second.transaction_id != first.transaction_id
    assert await running(books) == [second.transaction_id]


async def test_a_name_that_is_used_again_after_its_end_is_another_sessions(books: Database) -> None:
    first = await start(books, begin(1, "ANN1", 0, NOW - HOUR / 3, "t-1"))
    assert await stop(books, first.transaction_id, at=NOW - HOUR / 4)
    assert await start(books, begin(1, "ANN1", 0, NOW - HOUR / 3, "t-1")) == first, "it is only told again"
    assert await start(books, begin(1, "ANN1", 0, NOW, "t-1", begins=False)) == first, "nor is this a start"
    assert (await start(books, begin(1, "ANN1", 0, NOW, "t-1"))).transaction_id != first.transaction_id


async def test_a_start_that_is_told_after_the_end_says_whose_the_session_is(books: Database) -> None:
    await hand_over(books, NOW - HOUR * 0.75)
    ended = await start(books, begin(None, "", None, NOW - HOUR / 2 - MARGIN, "t-1", begins=False))
    assert (await row(books, ended.transaction_id)).owner_id == "ben"
    assert await stop(books, ended.transaction_id, at=NOW - HOUR / 2 - MARGIN)
    begun = await start(books, begin(2, "ANN1", 5, NOW - HOUR, "t-1"))
    found = await row(books, begun.transaction_id)
    assert (begun.transaction_id, found.owner_id, found.started_at) == (ended.transaction_id, "ann", NOW - HOUR)
    assert (found.connector, found.id_tag, found.meter_start, found.meter_stop) == (2, "ANN1", 5, 9)
    assert found.stopped_at


async def test_one_whose_start_was_not_heard_began_once_the_charger_was_away_at_the_earliest(books: Database) -> None:
    runs = await start(books, begin(1, "ANN1", 0, NOW, "t-1", begins=False))
    assert (await row(books, runs.transaction_id)).earliest_at == NOW - 23 * HOUR


async def test_what_is_not_told_is_no_connector_and_no_reading(books: Database) -> None:
    """A second driver's start does not end the first one's session, and nothing is booked that nobody measured."""
    one, other = [(await start(books, begin(None, "ANN1", None, NOW, name))).transaction_id for name in ("t-1", "t-2")]
    assert await running(books) == [one, other]
    async with books.writing() as rows:
        for session_id, connector in ((one, 1), (other, 2)):
            await charging.add_what_was_missing(rows, session_id, OVER, NOW, connector=connector, meter_start=500)
            await charging.record_meter(rows, CP, session_id, 600)
            await charging.add_what_was_missing(rows, session_id, OVER, NOW, connector=9, meter_start=9)
    assert await running(books) == [one, other]
    assert await stop(books, one, meter=None)
    found = await row(books, one)
    assert (found.connector, found.meter_start, found.meter_stop) == (1, 500, 600)
    third = (await start(books, begin(None, "ANN1", None, NOW, "t-3"))).transaction_id
    async with books.writing() as rows:
        await charging.add_what_was_missing(rows, third, OVER, NOW, connector=2, meter_start=700)
    assert await running(books) == [third], "its connector had another one"


async def test_a_stop_counts_once_and_lies_between_start_and_now(books: Database) -> None:
    begun = (await start(books, begin(1, "ANN1", 5, NOW - HOUR))).transaction_id
    assert await stop(books, begun, at=NOW + HOUR)
    assert not await stop(books, begun, at=NOW - HOUR, reason="Other")
    found = await row(books, begun)
    assert (found.stopped_at, found.stop_reported_at, found.stop_reason) == (NOW, NOW + HOUR, "Local")
    early = (await start(books, begin(1, "ANN1", 6, NOW))).transaction_id
    assert await stop(books, early, at=NOW - 9 * HOUR)
    assert (await row(books, early)).stopped_at == NOW
    assert await running(books) == []


@pytest.mark.parametrize("said", [-1, 0, 4711])
async def test_a_stop_whose_id_says_nothing_is_of_the_one_session_that_it_fits(books: Database, said: int) -> None:
    one = (await start(books, begin(1, "ANN1", 5, NOW - HOUR / 3))).transaction_id
    later = (await start(books, begin(2, "ANN1", 50, NOW - HOUR / 4))).transaction_id
    assert await stop(books, said, at=NOW - HOUR / 5, meter=9)
    assert await running(books) == [later], "the other one's meter began higher"
    assert (await row(books, one)).meter_stop == 9


@pytest.mark.parametrize("said", [-1, 0, 4711])
async def test_one_that_fits_several_or_none_is_kept_for_somebody_to_settle(books: Database, said: int) -> None:
    assert not await stop(books, said)
    both = [(await start(books, begin(number, "ANN1", 5, NOW))).transaction_id for number in (1, 2)]
    for _ in range(2):
        assert not await stop(books, said, at=NOW + HOUR)
    assert await running(books) == both
    async with books.reading() as rows:
        kept = (await rows.scalars(select(UnmatchedStop).order_by(UnmatchedStop.id))).all()
        assert [(one.said_id, one.meter, one.reported_at) for one in kept] == [(said, 9, NOW), (said, 9, NOW + HOUR)]
        assert [one.kind for one in await rows.scalars(select(Finding))] == ["sessions_in_doubt"]


async def test_a_session_whose_stop_was_lost_ends_where_the_next_begins_and_a_late_stop_corrects_it(
    books: Database,
) -> None:
    lost = (await start(books, begin(1, "ANN1", 5, NOW - 2 * HOUR))).transaction_id
    elsewhere = (await start(books, begin(2, "ANN1", 5, NOW - 2 * HOUR))).transaction_id
    following = (await start(books, begin(1, "ANN2", 8, NOW))).transaction_id
    assert await running(books) == [elsewhere, following]
    found = await row(books, lost)
    assert (found.stopped_at, found.meter_stop, found.stop_reason) == (NOW, 8, charging.LOST)
    assert await stop(books, lost, at=NOW - HOUR)
    assert (await row(books, lost)).stopped_at == NOW - HOUR


async def test_what_runs_at_another_charge_point_runs_on(books: Database) -> None:
    async with books.writing() as rows:
        there = {"owner_id": "ann", "group_id": "group-ann", "version": 0, "ocpp": "1.6"}
        rows.add(ChargePoint(id="cp-2", identity="STATION-2", name="CP 2", **there))
        await rows.flush()
        times = dict.fromkeys(("started_at", "reported_at", "arrived_at", "earliest_at"), NOW - HOUR)
        of = {"connector": 1, "id_tag": "ANN2", "owner_id": "ann", "group_id": "group-ann", "meter_start": 5}
        other = ChargingSession(charge_point_id="cp-2", **of, **times)
        rows.add(other)
        await rows.flush()
        other_id = other.id
    await start(books, begin(1, "ANN1", 8, NOW - HOUR / 4))
    assert await frees(books, 1, None)
    assert not await stop(books, -1, at=NOW + HOUR), "nor is a stop of its"
    assert not await stop(books, other_id)
    found = await row(books, other_id)
    assert (found.stopped_at, found.last_meter) == (None, None)


async def test_what_a_next_holders_session_begins_with_says_nothing_of_a_former_ones(books: Database) -> None:
    lost = (await start(books, begin(1, "ANN1", 5, NOW - HOUR))).transaction_id
    async with books.writing() as rows:
        await charging.record_meter(rows, CP, lost, 7)
    await hand_over(books, NOW - HOUR / 4)
    await start(books, begin(1, "BEN1", 900, NOW))
    found = await row(books, lost)
    assert (found.meter_stop, found.stop_reason) == (7, charging.LOST)


#: When the charger had told of all that it kept.
TOLD_ALL = NOW - HOUR * 0.4


async def frees(books: Database, connector: int, at: datetime | None) -> bool:
    async with books.writing() as rows:
        time = None if at is None else ChargerTime(at)
        return await charging.end_lost(rows, CP, connector, OVER, NOW, at=time, told_all=TOLD_ALL)


async def test_a_free_connectors_session_has_lost_its_stop_and_a_late_one_corrects_that(books: Database) -> None:
    begun = (await start(books, begin(1, "ANN1", 5, NOW - HOUR / 4))).transaction_id
    async with books.writing() as rows:
        await charging.record_meter(rows, CP, begun, 7)
    assert not await frees(books, 2, None), "another connector"
    assert not await frees(books, 1, NOW - HOUR / 3), "it was free before"
    assert not await frees(books, 1, TOLD_ALL - MARGIN), "that was told late"
    assert await frees(books, 1, NOW)
    assert not await frees(books, 1, None)
    found = await row(books, begun)
    assert (found.stopped_at, found.meter_stop, found.stop_reason) == (NOW, 7, charging.LOST)
    assert await stop(books, begun, at=NOW - HOUR / 5, meter=9)
    found = await row(books, begun)
    assert (found.stopped_at, found.meter_stop, found.stop_reason) == (NOW - HOUR / 5, 9, "Local")


#: What flows in a quarter of an hour with 400 kW.
MOST = 100_000


@pytest.mark.parametrize(
    ("wh", "doubts"), [(MOST, []), (MOST + 1, ["energy"]), (-1, ["energy"])], ids=["most", "more", "less than nothing"]
)
async def test_more_energy_than_a_connector_gives_is_recorded_as_sent_and_in_doubt(
    books: Database, wh: int, doubts: list[str]
) -> None:
    begun = (await start(books, begin(1, "ANN1", 5, NOW - HOUR / 4))).transaction_id
    assert await stop(books, begun, meter=5 + wh)
    found = await row(books, begun)
    assert (found.meter_stop, found.doubts, found.unsettled) == (5 + wh, doubts, bool(doubts))
    async with books.reading() as rows:
        parked = [(one.kind, one.subject) for one in await findings.parked(rows)]
    assert parked == ([("sessions_in_doubt", CP)] if doubts else [])


async def test_a_late_session_can_not_have_run_longer_than_the_charger_was_away(books: Database) -> None:
    """23 hours, and for how long it may have been gone before: whatever the charger says when it began."""
    most = int(4 * MOST * ((23 * HOUR + MARGIN) / HOUR))
    begun = (await start(books, begin(1, "ANN1", 0, NOW - HOUR))).transaction_id
    assert await stop(books, begun, meter=most + 1)
    assert (await row(books, begun)).doubts == ["energy"]
    more = (await start(books, begin(2, "ANN1", 0, NOW - HOUR))).transaction_id
    assert await stop(books, more, meter=most)
    assert (await row(books, more)).doubts == []


async def test_what_is_told_later_makes_doubtful_or_ends_the_doubt(books: Database) -> None:
    begun = (await start(books, begin(1, "ANN1", None, NOW - HOUR / 4, "t-1"))).transaction_id
    assert await stop(books, begun, meter=9 * MOST)
    assert (await row(books, begun)).doubts == []
    async with books.writing() as rows:
        await charging.add_what_was_missing(rows, begun, OVER, NOW, connector=1, meter_start=0)
    assert (await row(books, begun)).doubts == ["energy"]
    lost = (await start(books, begin(2, "ANN1", 0, NOW - HOUR / 4))).transaction_id
    async with books.writing() as rows:
        await charging.record_meter(rows, CP, lost, 9 * MOST)
    assert await frees(books, 2, None)
    assert (await row(books, lost)).unsettled
    assert await stop(books, lost, meter=MOST)
    assert ((await row(books, lost)).doubts, (await row(books, lost)).unsettled) == ([], False)


async def test_one_without_any_reading_ends_without_one(books: Database) -> None:
    lost = (await start(books, begin(1, "ANN1", None, NOW - HOUR / 4))).transaction_id
    await start(books, begin(1, "ANN1", 500, NOW))
    assert ((await row(books, lost)).stop_reason, (await row(books, lost)).meter_stop) == ("Lost", None)


async def test_the_same_again_leaves_a_doubt_as_it_is(books: Database) -> None:
    lost = (await start(books, begin(1, "ANN1", 0, NOW - HOUR / 4))).transaction_id
    async with books.writing() as rows:
        await charging.record_meter(rows, CP, lost, 9 * MOST)
    assert await frees(books, 1, None)
    assert await stop(books, lost, meter=9 * MOST)
    assert ((await row(books, lost)).doubts, (await row(books, lost)).unsettled) == (["energy"], True)


async def in_doubt(books: Database) -> bool:
    async with books.reading() as rows:
        return bool(await findings.parked(rows))


async def test_a_finding_ends_with_its_last_doubt_and_what_changes_is_doubted_anew(books: Database) -> None:
    lost = (await start(books, begin(1, "ANN1", 0, NOW - HOUR / 4))).transaction_id
    async with books.writing() as rows:
        await charging.record_meter(rows, CP, lost, MOST + 1)
    assert await frees(books, 1, None)
    assert await in_doubt(books)
    async with books.writing() as rows:
        (await rows.get_one(ChargingSession, lost)).unsettled = False
        await charging.close_review(rows, CP, NOW)
    assert not await in_doubt(books)
    assert await stop(books, lost, meter=99 * MOST)
    assert (await row(books, lost)).unsettled, "what was settled was another number"
    assert await in_doubt(books)
    other = (await start(books, begin(2, "ANN1", 0, NOW - HOUR / 4))).transaction_id
    async with books.writing() as rows:
        (await rows.get_one(ChargingSession, lost)).unsettled = False
        await charging.record_meter(rows, CP, other, MOST + 1)
    assert await frees(books, 2, None)
    assert await stop(books, other, meter=MOST)
    assert not await in_doubt(books), "the stop has ended the doubt"


async def test_what_ends_by_the_clock_of_another_start_is_told_by_ours(books: Database) -> None:
    """The charger's clock was an hour ahead as it began, and was set right."""
    begun = (await start(books, begin(1, "ANN1", 0, NOW + HOUR), now=NOW - HOUR / 4)).transaction_id
    assert await frees(books, 1, NOW)
    assert (await row(books, begun)).stop_reason == charging.LOST


async def test_one_whose_start_was_not_heard_may_have_begun_when_the_charger_left(books: Database) -> None:
    ended = (await start(books, begin(1, "ANN1", 0, NOW, "t-1", begins=False))).transaction_id
    assert await stop(books, ended, meter=20_000)
    assert (await row(books, ended)).doubts == []


async def test_a_late_stop_is_read_by_what_the_clock_was_off_by_too(books: Database) -> None:
    async with books.writing() as rows:
        (await rows.get_one(ChargerConnection, (CP, 1))).clock_off = 24 * 3600
    behind = ChargerTime(NOW - 2 * HOUR - 24 * HOUR), ChargerTime(NOW - HOUR - 24 * HOUR)
    begun = await start(books, Start(1, "ANN1", 0, behind[0]))
    async with books.writing() as rows:
        stops = charging.stop_session(rows, CP, begun.transaction_id, OVER, NOW, meter=9, at=behind[1], reason="Local")
        assert await stops
    found = await row(books, begun.transaction_id)
    assert (found.started_at, found.stopped_at) == (NOW - 2 * HOUR, NOW - HOUR)


async def test_a_second_stop_with_another_reading_is_kept(books: Database) -> None:
    begun = (await start(books, begin(1, "ANN1", 0, NOW - HOUR / 4))).transaction_id
    for meter in (9, 9, 21):
        await stop(books, begun, meter=meter)
    assert (await row(books, begun)).meter_stop == 9
    async with books.reading() as rows:
        assert [(one.said_id, one.meter) for one in await rows.scalars(select(UnmatchedStop))] == [(begun, 21)]


async def test_what_the_clock_was_off_by_tells_a_kept_report_from_a_clock_that_is_behind(books: Database) -> None:
    """It was away for 23 hours; its clock was right before, and it tells of two hours ago as if it were now."""
    async with books.writing() as rows:
        (await rows.get_one(ChargerConnection, (CP, 1))).clock_off = 0
    await hand_over(books, NOW - HOUR)
    kept = [Heard(NOW - hours * HOUR, NOW) for hours in (2, 1.9)]
    begun = await start(books, Start(1, "ANN1", 0, ChargerTime(NOW - 2 * HOUR, ClockShown(kept))))
    assert (await row(books, begun.transaction_id)).owner_id == "ann"
    async with books.writing() as rows:
        (await rows.get_one(ChargerConnection, (CP, 1))).clock_off = 2 * 3600
    begun = await start(books, Start(2, "ANN1", 0, ChargerTime(NOW - 2 * HOUR, ClockShown(kept))))
    assert (begun.status, (await row(books, begun.transaction_id)).owner_id) == (TagStatus.INVALID, "ben")


async def test_a_former_owner_is_to_be_told_of_what_is_booked_to_them(books: Database) -> None:
    before = (await start(books, begin(1, "ANN1", 5, NOW - 2 * HOUR))).transaction_id
    await hand_over(books, NOW - HOUR)
    late = (await start(books, begin(2, "ANN1", 5, NOW - 2 * HOUR))).transaction_id
    own = (await start(books, begin(3, "BEN1", 5, NOW))).transaction_id
    told = [(await row(books, session_id)).to_be_told for session_id in (before, late, own)]
    assert told == [False, True, False]


async def test_meter_readings_only_rise(books: Database) -> None:
    begun = (await start(books, begin(1, "ANN1", 5, NOW))).transaction_id
    async with books.writing() as rows:
        for reading in (7, 6):
            await charging.record_meter(rows, CP, begun, reading)
        await charging.record_meter(rows, CP, 4711, 9)
    assert (await row(books, begun)).last_meter == 7


async def test_the_list_accepts_the_present_groups_tags_and_blocks_the_former_ones(books: Database) -> None:
    assert flat(await plan(books, "order-0")) == {"ANN1": "Accepted", "ANN2": "Accepted"}
    await hand_over(books, NOW)
    expected = {"BEN1": "Accepted", "ANN1": "Blocked", "ANN2": "Blocked"}
    assert flat(await plan(books, "order-1")) == expected
    async with books.reading() as rows:
        assert (await rows.get_one(LocalList, CP)).replaced == [
            {"id_tag": "ANN1", "status": "Accepted", "type": "ISO14443"},
            {"id_tag": "ANN2", "status": "Accepted", "type": "ISO14443"},
        ]


async def test_where_no_unknown_tag_charges_the_list_has_the_present_groups_alone(books: Database) -> None:
    await plan(books, "order-0", block_former=False)
    await hand_over(books, NOW)
    order = await plan(books, "order-1", block_former=False)
    assert flat(order) == {"BEN1": "Accepted"}
    assert order is not None
    assert ({entry.id_tag for entry in order.former}, order.blocked) == ({"ANN1", "ANN2"}, 0)


async def test_a_tag_is_its_value_and_its_type_but_where_the_version_has_no_types(books: Database) -> None:
    async with books.writing() as rows:
        rows.add(Tag(group_id="group-ann", id_tag="ANN1", type="eMAID"))
    typed = await plan(books, "order-0")
    plain = await plan(books, "order-0", limits=ListLimits(50, types=False))
    assert typed is not None
    assert plain is not None
    assert [(entry.id_tag, entry.type) for entry in typed.parts[0]] == [
        ("ANN1", "ISO14443"), ("ANN1", "eMAID"), ("ANN2", "ISO14443"),
    ]  # fmt: skip
    assert [entry.id_tag for entry in plain.parts[0]] == ["ANN1", "ANN2"]


async def test_tags_that_the_former_group_has_no_more_stay_blocked(books: Database) -> None:
    await plan(books, "order-0")
    async with books.writing() as rows:
        await rows.delete(await rows.get_one(Tag, ("group-ann", "ANN2", "ISO14443")))
    await hand_over(books, NOW)
    assert flat(await plan(books, "order-1"))["ANN2"] == "Blocked"


async def test_a_tag_in_both_groups_is_accepted(books: Database) -> None:
    async with books.writing() as rows:
        rows.add(Tag(group_id="group-ben", id_tag="ANN1"))
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


@pytest.mark.parametrize(
    ("said", "status"),
    [("sam1", TagStatus.ACCEPTED), ("\u017fam1", TagStatus.INVALID), ("\xdf" * 18, TagStatus.INVALID)],
)
async def test_a_tag_is_compared_without_regard_to_case_and_never_as_anothers(
    books: Database, said: str, status: TagStatus
) -> None:
    """The upper case of a long s is an S; that of a sharp s are two of them."""
    async with books.writing() as rows:
        rows.add(Tag(group_id="group-ann", id_tag="SAM1"))
        rows.add(Tag(group_id="group-ann", id_tag="S" * 36))
    started = await start(books, begin(1, said, 0, NOW))
    assert started.status is status
    async with books.reading() as rows:
        assert await charging.authorize(rows, CP, said) is status
