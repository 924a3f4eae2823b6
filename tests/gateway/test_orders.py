"""What a charger is told and does: quiet, release, lists; and what it reports about its sessions."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from domain.charger import CommandOutcome
from gateway.facts import Fact
from gateway.ocpp.line import CallRefused
from persistence.chargers import charging
from persistence.session import Database
from persistence.tables import ChargePoint, ChargingSession, LocalList
from tests.gateway.world import CP, ORDER, World, hand_over, said
from tools.simulator.faults import Fault, Step, Trouble
from tools.simulator.simulation import Version


async def sessions(database: Database) -> list[ChargingSession]:
    async with database.reading() as rows:
        return list((await rows.execute(select(ChargingSession).order_by(ChargingSession.id))).scalars())


async def test_a_session_runs_from_its_start_to_its_stop(world: World) -> None:
    async with world.station() as station:
        await station.until(lambda: station.online)
        assert await station.start_session("ANN1") == "charging"
        await station.until(lambda: not station.state.queue)
        async with world.database.reading() as rows:
            assert await charging.session_running(rows, CP)
            assert (await rows.get_one(ChargePoint, CP)).model == "Handover demo"
        assert station.stop_session()
        await world.heard(Fact.SESSION_ENDED)
    (only,) = await sessions(world.database)
    assert (only.owner_id, only.id_tag, only.meter_stop, only.stop_reason) == ("ann", "ANN1", 1500, "Local")


async def test_a_tag_of_another_group_does_not_charge(world: World) -> None:
    async with world.station() as station:
        await station.until(lambda: station.online)
        assert await station.start_session("BEN1") == "Invalid"
        async with world.database.writing() as rows:
            (await rows.get_one(ChargePoint, CP)).sessions_blocked_by = ORDER
        assert await station.start_session("ANN1") == "Blocked"


async def test_a_session_reported_late_belongs_to_who_owned_it_when_it_started(world: World) -> None:
    async with world.station() as station:
        await station.until(lambda: station.online)
        await world.gateway.orders.replace_lists(CP, ORDER, restore=False)
    assert await station.start_session("ANN1") == "charging"  # offline: its local list decides
    station.stop_session()
    await hand_over(world.database, datetime.now(UTC))
    async with world.station():
        await world.heard(Fact.SESSION_ENDED)
    (only,) = await sessions(world.database)
    assert (only.owner_id, only.group_id) == ("ann", "group-ann")


async def test_a_quieted_charger_lets_its_session_end_and_starts_no_other(world: World) -> None:
    async with world.station() as station:
        await station.until(lambda: station.online)
        assert await world.gateway.orders.quiet(CP, stop_session=False) is CommandOutcome.DONE
        assert await station.start_session("ANN1") == "unavailable"
        assert await world.gateway.orders.release(CP) is CommandOutcome.DONE
        assert await station.start_session("ANN1") == "charging"
        await station.until(lambda: not station.state.queue)
        assert await world.gateway.orders.quiet(CP, stop_session=False) is CommandOutcome.SCHEDULED
        assert await world.gateway.orders.quiet(CP, stop_session=True) is CommandOutcome.SCHEDULED
        await world.heard(Fact.SESSION_ENDED)
        assert await world.gateway.orders.quiet(CP, stop_session=True) is CommandOutcome.DONE
    (only,) = await sessions(world.database)
    assert only.stop_reason == "Remote"


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_a_charger_that_ends_a_stopped_session_only_at_unplug_is_waited_for(world: World, ocpp: Version) -> None:
    async with world.station(ocpp=ocpp, faults=[Trouble(Fault.HOLDS_PLUG, Step.QUIET)]) as station:
        await station.until(lambda: station.online)
        assert await station.start_session("ANN1") == "charging"
        await station.until(lambda: not station.state.queue)
        assert await world.gateway.orders.quiet(CP, stop_session=True) is CommandOutcome.SCHEDULED
        async with world.database.reading() as rows:
            assert await charging.session_running(rows, CP)
        assert station.stop_session("EVDisconnected")
        await world.heard(Fact.SESSION_ENDED)


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported", "SecurityError", "ProtocolError", "InternalError"])
async def test_an_error_that_would_come_again_is_an_answer_and_any_other_may_pass(
    world: World, ocpp: Version, code: str
) -> None:
    async with world.client(subprotocols=[f"ocpp{ocpp}"]) as socket:
        await world.heard(Fact.CONNECTED)
        told = asyncio.create_task(world.gateway.orders.release(CP))
        frame = json.loads(await said(socket))
        await socket.send(json.dumps([4, frame[1], code, "", {}]))
        if code == "InternalError":
            with pytest.raises(CallRefused):
                await told
        else:
            unknown = code in {"NotImplemented", "NotSupported"}
            assert await told is (CommandOutcome.NOT_SUPPORTED if unknown else CommandOutcome.REJECTED)


async def test_the_list_is_sent_in_parts_that_the_charger_takes_and_can_be_put_back(world: World) -> None:
    async with world.station(list_part=1) as station:
        await station.until(lambda: station.online)
        assert (await world.gateway.orders.replace_lists(CP, "order-0", restore=False)).outcome is CommandOutcome.DONE
        assert station.state.local_list == {"ANN1": "Accepted", "ANN2": "Accepted"}
        await hand_over(world.database, datetime.now(UTC))
        for _ in range(2):  # a repeat changes nothing but the version
            assert (await world.gateway.orders.replace_lists(CP, ORDER, restore=False)).outcome is CommandOutcome.DONE
            assert station.state.local_list == {"BEN1": "Accepted"}
        assert station.state.list_version == 4
        for _ in range(2):
            assert (await world.gateway.orders.replace_lists(CP, ORDER, restore=True)).outcome is CommandOutcome.DONE
            assert station.state.local_list == {"ANN1": "Accepted", "ANN2": "Accepted"}
        assert (await world.gateway.orders.replace_lists(CP, "never-sent", restore=True)).outcome is CommandOutcome.DONE
        assert station.state.list_version == 8
        async with world.database.reading() as rows:
            assert (await rows.get_one(LocalList, CP)).version == 8


async def test_a_charger_with_a_higher_version_is_outbid(world: World) -> None:
    async with world.station(list_part=1) as station:
        await station.until(lambda: station.online)
        station.state.list_version = 40
        assert (await world.gateway.orders.replace_lists(CP, ORDER, restore=False)).outcome is CommandOutcome.DONE
        assert station.state.list_version == 42


async def test_a_charger_without_lists_is_not_supported(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        replacing = asyncio.create_task(world.gateway.orders.replace_lists(CP, ORDER, restore=False))
        told = []
        for _ in range(7):
            frame = json.loads(await said(socket))
            told.append(frame[2])
            await socket.send(json.dumps([4, frame[1], "NotImplemented", "", {}]))
        assert (await replacing).outcome is CommandOutcome.NOT_SUPPORTED
    assert told == [
        "GetConfiguration",
        *["ChangeConfiguration"] * 2,
        "ClearCache",
        "GetLocalListVersion",
        "SendLocalList",
        "ClearChargingProfile",
    ]


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=400)])
async def test_a_start_that_is_sent_twice_is_one_session_even_if_the_clock_is_ahead(
    world: World, ahead: timedelta
) -> None:
    at = (datetime.now(UTC) + ahead).isoformat()
    start = {"connectorId": 1, "idTag": "ann1", "meterStart": 7, "timestamp": at}
    async with world.client() as socket:
        ids = set()
        for number in "12":
            await socket.send(json.dumps([2, number, "StartTransaction", start]))
            reply = json.loads(await said(socket))
            assert reply[2]["idTagInfo"] == {"status": "Accepted"}
            ids.add(reply[2]["transactionId"])
        (transaction_id,) = ids
        samples = [{"value": "1.5", "unit": "kWh"}, {"value": "9", "measurand": "Voltage"}, {"value": "x"}]
        values = [{"timestamp": at, "sampledValue": samples}]
        meter = {"connectorId": 1, "transactionId": transaction_id, "meterValue": values}
        await socket.send(json.dumps([2, "3", "MeterValues", meter]))
        assert json.loads(await said(socket)) == [3, "3", {}]
        stop = {"transactionId": transaction_id, "meterStop": 2000, "timestamp": at, "reason": "EVDisconnected"}
        for number in "45":
            await socket.send(json.dumps([2, number, "StopTransaction", stop]))
            assert json.loads(await said(socket)) == [3, number, {}]
    (only,) = await sessions(world.database)
    assert only.last_meter == 1500
    assert only.stopped_at is not None
    assert only.started_at <= only.stopped_at <= datetime.now(UTC)
    assert world.facts.count(Fact.SESSION_ENDED) == 1


async def test_while_the_database_is_locked_a_report_is_answered_with_an_error_and_taken_later(
    world: World, database_url: str
) -> None:
    start = '[2,"%s","StartTransaction",{"connectorId":1,"idTag":"ANN1","meterStart":7,"timestamp":"%s"}]'
    now = datetime.now(UTC).isoformat()
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        another = Database(database_url)  # as another process has it
        async with another.writing() as rows:
            lock = "SELECT 1" if another.is_sqlite else "LOCK TABLE charging_sessions IN EXCLUSIVE MODE"
            await rows.execute(text(lock))
            await socket.send(start % ("1", now))
            assert json.loads(await said(socket))[:3] == [4, "1", "InternalError"]
        await another.close()
        await socket.send(start % ("2", now))
        assert json.loads(await said(socket))[0] == 3
