"""A charger's clock gives no rights: whoever has the charge point now says who charges, in both versions of OCPP."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.facts import Fact
from persistence.chargers.charging import LOST
from persistence.session import Database
from persistence.tables import ChargePoint, ChargerConnection, ChargingSession, UnmatchedStop
from persistence.vault import Vault
from tests.gateway.bare import ask
from tests.gateway.world import World, gateway_world, hand_over, seed

#: What a clock says, and what it is off by.
OFF: dict[str, timedelta | datetime] = {
    "1970": datetime(1970, 1, 1, tzinfo=UTC),
    "an hour behind": timedelta(hours=-1),
    "a day behind": timedelta(days=-1),
    "an hour ahead": timedelta(hours=1),
    "a day ahead": timedelta(days=1),
}


@pytest.fixture
async def world(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[World]:
    """Of a charger that was there before, and whose charge point changed hands while it was."""
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path) as found:
        async with found.client():
            await found.heard(Fact.CONNECTED)
            await hand_over(database, datetime.now(UTC))
        await found.heard(Fact.DISCONNECTED)
        yield found


def clock(off: str) -> Callable[[], str]:
    """Give the time as a charger with that clock says it."""
    by = OFF[off]

    def now() -> str:
        return (by if isinstance(by, datetime) else datetime.now(UTC) + by).isoformat()

    return now


async def starts(socket: Any, ocpp: str, id_tag: str, at: str, name: str = "t-1") -> str:
    """Start a session; gives whether its tag may charge."""
    if ocpp == "1.6":
        said = await ask(socket, "StartTransaction", connectorId=1, idTag=id_tag, meterStart=5, timestamp=at)
        return str(said[2]["idTagInfo"]["status"])
    event = {"eventType": "Started", "timestamp": at, "triggerReason": "Authorized", "seqNo": 0}
    token = {"idToken": id_tag, "type": "ISO14443"}
    info = {"transactionId": name}
    said = await ask(socket, "TransactionEvent", transactionInfo=info, idToken=token, evse={"id": 1}, **event)
    return str(said[2]["idTokenInfo"]["status"])


async def tells_status(socket: Any, ocpp: str, at: str, connector: int = 1) -> None:
    status = {"connectorId": connector, "timestamp": at}
    if ocpp == "1.6":
        said = await ask(socket, "StatusNotification", errorCode="NoError", status="Available", **status)
    else:
        said = await ask(socket, "StatusNotification", connectorStatus="Available", evseId=connector, **status)
    assert said[0] == 3, said


async def boots(socket: Any, ocpp: str) -> None:
    boot: dict[str, Any] = {"chargingStation": {"vendorName": "V", "model": "M"}, "reason": "PowerUp"}
    if ocpp == "1.6":
        boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    await ask(socket, "BootNotification", **boot)


async def sessions(world: World) -> list[ChargingSession]:
    async with world.database.reading() as rows:
        return list(await rows.scalars(select(ChargingSession).order_by(ChargingSession.id)))


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("off", OFF)
async def test_a_live_start_is_the_present_groups_whatever_the_clock_says(world: World, ocpp: str, off: str) -> None:
    now = clock(off)
    async with world.client(subprotocols=[f"ocpp{ocpp}"]) as socket:
        await tells_status(socket, ocpp, now())
        assert await starts(socket, ocpp, "ANN1", now()) == "Invalid", "the former group's"
        assert await starts(socket, ocpp, "BEN1", now(), "t-2") == "Accepted"
    assert {(one.owner_id, one.late) for one in await sessions(world)} == {("ben", False)}
    assert [one.doubts for one in await sessions(world)] == [[], []]


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("off", OFF)
async def test_nobody_starts_while_a_transfer_blocks_that(world: World, ocpp: str, off: str) -> None:
    async with world.database.writing() as rows:
        (await rows.scalars(select(ChargePoint))).one().sessions_blocked_by = "transfer"
    now = clock(off)
    async with world.client(subprotocols=[f"ocpp{ocpp}"]) as socket:
        await tells_status(socket, ocpp, now())
        for id_tag in ("ANN1", "BEN1"):
            assert await starts(socket, ocpp, id_tag, now(), id_tag) == "Blocked"


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("off", ["1970", "a day ahead"])
async def test_a_time_that_can_not_be_believed_is_the_present_holders_and_in_doubt_where_hands_changed(
    world: World, ocpp: str, off: str
) -> None:
    """Nothing was heard by which to tell what the clock is off by."""
    async with world.client(subprotocols=[f"ocpp{ocpp}"]) as socket:
        assert await starts(socket, ocpp, "ANN1", clock(off)()) == "Invalid"
    (found,) = await sessions(world)
    assert (found.owner_id, found.late, found.doubts) == ("ben", False, [])


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_an_honest_late_session_stays_with_who_had_the_charge_point_over_however_many_connections(
    database: Database, vault: Vault, tmp_path: Path, ocpp: str
) -> None:
    await seed(database, vault)
    protocol: dict[str, Any] = {"subprotocols": [f"ocpp{ocpp}"]}
    async with gateway_world(database, vault, tmp_path) as world:
        async with world.client(**protocol):
            await world.heard(Fact.CONNECTED)
        await world.heard(Fact.DISCONNECTED)
        happened = datetime.now(UTC)
        await hand_over(database, datetime.now(UTC))
        async with world.client(**protocol):
            await world.heard(Fact.CONNECTED, 2)
        await world.heard(Fact.DISCONNECTED, 2)
        async with world.client(**protocol) as socket:
            assert await starts(socket, ocpp, "ANN1", happened.isoformat()) == "Accepted"
        (found,) = await sessions(world)
        assert (found.owner_id, found.late, found.started_at) == ("ann", True, happened)


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_what_was_kept_is_told_from_a_clock_that_is_behind_by_what_that_was_off_by_before(
    database: Database, vault: Vault, tmp_path: Path, ocpp: str
) -> None:
    """Its status messages are kept, too, and come first."""
    await seed(database, vault)
    protocol: dict[str, Any] = {"subprotocols": [f"ocpp{ocpp}"]}
    async with gateway_world(database, vault, tmp_path) as world:
        async with world.client(**protocol) as socket:
            await tells_status(socket, ocpp, datetime.now(UTC).isoformat())
        await world.heard(Fact.DISCONNECTED)
        async with database.writing() as rows:  # as if it had been away for a day
            connection = (await rows.scalars(select(ChargerConnection))).one()
            connection.opened_at = connection.released_at = datetime.now(UTC) - timedelta(days=2)
            connection.ended_at = datetime.now(UTC) - timedelta(days=1)
        await hand_over(database, datetime.now(UTC) - timedelta(hours=2))
        async with world.client(**protocol) as socket:
            for hours in (4, 3.5):
                await tells_status(socket, ocpp, (datetime.now(UTC) - timedelta(hours=hours)).isoformat())
            happened = datetime.now(UTC) - timedelta(hours=3)
            assert await starts(socket, ocpp, "ANN1", happened.isoformat()) == "Accepted"
        (found,) = await sessions(world)
        assert (found.owner_id, found.late, found.started_at) == ("ann", True, happened)


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_what_was_kept_is_refused_in_quarantine_also_where_all_that_is_told_was(world: World, ocpp: str) -> None:
    """A `Blocked` would have it forgotten."""
    protocol: dict[str, Any] = {"subprotocols": [f"ocpp{ocpp}"]}
    async with world.client(**protocol) as socket:
        await tells_status(socket, ocpp, datetime.now(UTC).isoformat())
    await world.heard(Fact.DISCONNECTED, 2)
    await world.order_key(quarantines_old=True)
    ago = (datetime.now(UTC) - timedelta(hours=20)).isoformat()
    async with world.client(**protocol) as socket:
        await world.heard(Fact.CONNECTED, 3)
        await tells_status(socket, ocpp, ago)
        start = {"connectorId": 1, "idTag": "ANN1", "meterStart": 5}
        if ocpp == "2.0.1":
            start = {"eventType": "Started", "triggerReason": "Authorized", "seqNo": 0, "evse": {"id": 1}}
            start |= {"transactionInfo": {"transactionId": "t-1"}}
        said = await ask(socket, "StartTransaction" if ocpp == "1.6" else "TransactionEvent", timestamp=ago, **start)
        assert said[:3:2] == [4, "SecurityError"]


async def test_the_stop_of_a_start_that_was_blocked_ends_nobody_elses_session(world: World) -> None:
    async with world.client() as socket:
        assert await starts(socket, "1.6", "BEN1", datetime.now(UTC).isoformat()) == "Accepted"
    await world.heard(Fact.DISCONNECTED, 2)
    key = await world.order_key(quarantines_old=True)
    begun = {"connectorId": 2, "idTag": "BEN1", "meterStart": 50_000, "timestamp": datetime.now(UTC).isoformat()}
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED, 3)
        said = await ask(socket, "StartTransaction", **begun)
        assert said[2]["idTagInfo"]["status"] == "Blocked"
    await world.heard(Fact.DISCONNECTED, 3)
    async with world.client(key) as socket:
        stop = {"meterStop": 50_010, "timestamp": datetime.now(UTC).isoformat(), "reason": "DeAuthorized"}
        await ask(socket, "StopTransaction", transactionId=said[2]["transactionId"], **stop)
    assert [one.stopped_at for one in await sessions(world)] == [None]
    async with world.database.reading() as rows:
        assert (await rows.scalars(select(UnmatchedStop))).all() == []


@pytest.mark.parametrize("number", [2**31, 2**63])
async def test_what_is_counted_beyond_all_bounds_loses_no_session(world: World, number: int) -> None:
    now = datetime.now(UTC).isoformat()
    async with world.client() as socket:
        said = await ask(socket, "StartTransaction", connectorId=1, idTag="BEN1", meterStart=number, timestamp=now)
        value = [{"timestamp": now, "sampledValue": [{"value": f"{number}e9", "unit": "kWh"}]}]
        told = {"transactionId": said[2]["transactionId"], "timestamp": now}
        await ask(socket, "MeterValues", connectorId=1, transactionId=said[2]["transactionId"], meterValue=value)
        assert (await ask(socket, "StopTransaction", meterStop=number + 9, **told))[0] == 3
        assert (await ask(socket, "StopTransaction", meterStop=1, transactionId=number, timestamp=now))[0] == 3
    (found,) = await sessions(world)
    kept = number < 2**63
    assert (found.meter_start, found.meter_stop) == ((number, number + 9) if kept else (None, None))
    async with world.database.reading() as rows:
        assert [one.said_id for one in await rows.scalars(select(UnmatchedStop))] == [number if kept else -1]
    async with world.client(subprotocols=["ocpp2.0.1"]) as socket:
        sample = {"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 300}}
        event = {"eventType": "Started", "timestamp": now, "triggerReason": "Authorized", "seqNo": 0}
        event |= {"transactionInfo": {"transactionId": "t-1"}, "evse": {"id": number}}
        event["meterValue"] = [{"timestamp": now, "sampledValue": [sample]}]
        assert (await ask(socket, "TransactionEvent", **event))[0] == 3
    assert [one.meter_start for one in await sessions(world)][1:] == [None]


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("lost_after", [timedelta(0), timedelta(minutes=15)])
async def test_a_session_whose_connector_is_free_has_lost_its_stop_once_all_that_was_kept_is_told(
    database: Database, vault: Vault, tmp_path: Path, ocpp: str, lost_after: timedelta
) -> None:
    await seed(database, vault)
    async with (
        gateway_world(database, vault, tmp_path, lost_after=lost_after) as world,
        world.client(subprotocols=[f"ocpp{ocpp}"]) as socket,
    ):
        await boots(socket, ocpp)
        await starts(socket, ocpp, "ANN1", datetime.now(UTC).isoformat())
        await tells_status(socket, ocpp, datetime.now(UTC).isoformat(), connector=0)
        assert [one.stopped_at for one in await sessions(world)] == [None], "it is not all of the charger that is free"
        await tells_status(socket, ocpp, datetime.now(UTC).isoformat())
        ended = [one.stop_reason for one in await sessions(world)]
        assert ended == ([LOST] if not lost_after else [None])
        if ended == [LOST]:
            await world.heard(Fact.SESSION_ENDED)


async def test_an_evse_is_free_where_all_of_its_connectors_are(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault)
    async with (
        gateway_world(database, vault, tmp_path, lost_after=timedelta(0)) as world,
        world.client(subprotocols=["ocpp2.0.1"]) as socket,
    ):
        await starts(socket, "2.0.1", "ANN1", datetime.now(UTC).isoformat())
        told = {"connectorStatus": "Available", "evseId": 1, "connectorId": 2}
        await ask(socket, "StatusNotification", timestamp=datetime.now(UTC).isoformat(), **told)
        assert [one.stop_reason for one in await sessions(world)] == [None], "not all of them were told of"
        await boots(socket, "2.0.1")
        for connector, status, ended in ((1, "Occupied", None), (2, "Available", None), (1, "Available", LOST)):
            said = {"timestamp": datetime.now(UTC).isoformat(), "connectorStatus": status, "evseId": 1}
            await ask(socket, "StatusNotification", connectorId=connector, **said)
            assert [one.stop_reason for one in await sessions(world)] == [ended]


@pytest.mark.parametrize("off", ["an hour behind", "1970"])
async def test_who_is_named_later_is_judged_as_the_session_is_whatever_the_charger_says_of_being_offline(
    world: World, off: str
) -> None:
    """A start that names nobody, and a tag that comes after it, are no way round what blocks sessions now."""
    async with world.database.writing() as rows:
        (await rows.scalars(select(ChargePoint))).one().sessions_blocked_by = "transfer"
    event = {"triggerReason": "CablePluggedIn", "transactionInfo": {"transactionId": "t-1"}, "evse": {"id": 1}}
    token = {"idToken": "BEN1", "type": "ISO14443"}
    async with world.client(subprotocols=["ocpp2.0.1"]) as socket:
        await tells_status(socket, "2.0.1", datetime.now(UTC).isoformat())
        now = datetime.now(UTC).isoformat()
        await ask(socket, "TransactionEvent", eventType="Started", timestamp=now, seqNo=0, **event)
        late = {"timestamp": clock(off)(), "offline": True, "idToken": token}
        said = await ask(socket, "TransactionEvent", eventType="Updated", seqNo=1, **event, **late)
        assert said[2]["idTokenInfo"]["status"] == "Blocked"


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_a_status_is_answered_though_what_it_tells_of_the_clock_can_not_be_kept_yet(
    world: World, ocpp: str, database_url: str
) -> None:
    other = Database(database_url)

    async def known() -> list[int | None]:
        async with world.database.reading() as rows:
            kept = select(ChargerConnection.clock_off).order_by(ChargerConnection.generation)
            return list(await rows.scalars(kept))

    async with world.client(subprotocols=[f"ocpp{ocpp}"]) as socket:
        await world.heard(Fact.CONNECTED, 2)
        async with other.writing() as rows:  # somebody else is at it, for longer than is waited
            await rows.scalars(select(ChargerConnection).with_for_update())
            await tells_status(socket, ocpp, datetime.now(UTC).isoformat())
        assert (await known())[-1] is None
        await tells_status(socket, ocpp, datetime.now(UTC).isoformat())
        assert (await known())[-1] == 0
    await other.close()
