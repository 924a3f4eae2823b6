"""How a charger is made to know the present group's tags and no others, in both versions, whatever it can't do."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.charger import CommandOutcome, SettingChanged, Shortfall
from gateway.facts import Fact
from persistence.chargers import charger_changes
from persistence.chargers.charger_changes import Changes
from persistence.tables import Tag
from tests.gateway.world import CP, ORDER, World, hand_over
from tools.simulator.faults import Fault, Step, Trouble
from tools.simulator.settings import Setting
from tools.simulator.simulation import Station, Version

CLEAN = {"BEN1": "Accepted"}
BLOCKED = {"BEN1": "Accepted", "ANN1": "Blocked", "ANN2": "Blocked"}
ANNS = {"ANN1": "Accepted", "ANN2": "Accepted"}
FORMER = (Shortfall.FORMER_TAGS_MAY_CHARGE_OFFLINE,)
NAMES = {
    "1.6": {Setting.UNKNOWN_OFFLINE: "AllowOfflineTxForUnknownId", Setting.LIST_ENABLED: "LocalAuthListEnabled"},
    "2.0.1": {
        Setting.UNKNOWN_OFFLINE: "AuthCtrlr.OfflineTxForUnknownIdEnabled",
        Setting.LIST_ENABLED: "LocalAuthListCtrlr.Enabled",
    },
}
VERSIONS = pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])


def at_lists(*faults: Fault) -> list[Trouble]:
    return [Trouble(fault, Step.LISTS) for fault in faults]


async def changes(world: World, order_id: str = ORDER) -> Changes:
    async with world.database.reading() as rows:
        return (await charger_changes.of(rows, [order_id])).get(order_id, Changes())


async def handed_over(world: World, station: Station) -> tuple[CommandOutcome, tuple[Shortfall, ...]]:
    """Have Ann's list on the charger, then Ben's."""
    await station.until(lambda: station.online)
    await world.gateway.orders.replace_lists(CP, "order-0", restore=False)
    await hand_over(world.database, datetime.now(UTC))
    done = await world.gateway.orders.replace_lists(CP, ORDER, restore=False)
    return done.outcome, done.left


@VERSIONS
async def test_no_tag_of_an_earlier_group_stays_in_a_charger_that_lets_no_unknown_one_charge(
    world: World, ocpp: Version
) -> None:
    async with world.station(ocpp=ocpp) as station:
        assert await handed_over(world, station) == (CommandOutcome.DONE, ())
        assert station.state.local_list == CLEAN
        assert await changes(world) == Changes()


@VERSIONS
async def test_unknown_tags_are_kept_from_charging_offline_and_the_compensation_sets_that_back(
    world: World, ocpp: Version
) -> None:
    name = NAMES[ocpp][Setting.UNKNOWN_OFFLINE]
    async with world.station(ocpp=ocpp, faults=at_lists(Fault.UNKNOWN_OFFLINE)) as station:
        await station.until(lambda: station.online)
        for _ in range(2):  # a repeat keeps what was
            done = await world.gateway.orders.replace_lists(CP, ORDER, restore=False)
            assert (done.outcome, done.left) == (CommandOutcome.DONE, ())
            assert station.state.local_list == ANNS
            assert not station.settings.is_on(Setting.UNKNOWN_OFFLINE)
            assert (await changes(world)).settings_changed == (SettingChanged(name, "true", "false"),)
        await world.gateway.orders.replace_lists(CP, ORDER, restore=True)
        assert station.settings.is_on(Setting.UNKNOWN_OFFLINE)
        assert (await changes(world)).settings_changed == ()


@VERSIONS
@pytest.mark.parametrize("fault", [Fault.UNKNOWN_OFFLINE_FIXED, Fault.UNKNOWN_OFFLINE_LIE])
async def test_where_that_can_not_be_set_the_last_groups_tags_are_blocked_and_no_earlier_ones(
    world: World, ocpp: Version, fault: Fault
) -> None:
    async with world.station(ocpp=ocpp, faults=at_lists(fault)) as station:
        assert await handed_over(world, station) == (CommandOutcome.DONE, ())
        assert station.state.local_list == BLOCKED
        left = await changes(world)
        assert (left.former_tags, bool(left.settings_changed)) == (0, fault is Fault.UNKNOWN_OFFLINE_LIE)
        async with world.database.writing() as rows:
            for number in range(3):
                rows.add(Tag(group_id="group-ann", id_tag=f"NEW{number}"))
        await hand_over(world.database, datetime.now(UTC))
        await world.gateway.orders.replace_lists(CP, "order-2", restore=False)
        assert {tag for tag, status in station.state.local_list.items() if status == "Blocked"} == {"BEN1"}


@VERSIONS
async def test_tags_that_are_not_blocked_for_want_of_room_are_counted(world: World, ocpp: Version) -> None:
    faults = at_lists(Fault.UNKNOWN_OFFLINE_FIXED, Fault.SMALL_LIST)
    async with world.station(ocpp=ocpp, faults=faults) as station:
        assert await handed_over(world, station) == (CommandOutcome.DONE, FORMER)
        assert station.state.local_list == {"BEN1": "Accepted", "ANN1": "Blocked"}
        assert (await changes(world)).former_tags == 1


@VERSIONS
async def test_a_tag_that_is_too_long_for_the_version_is_counted_too(world: World, ocpp: Version) -> None:
    async with world.database.writing() as rows:
        rows.add(Tag(group_id="group-ann", id_tag="L" * 36))
    async with world.station(ocpp=ocpp, faults=at_lists(Fault.UNKNOWN_OFFLINE_FIXED)) as station:
        left = FORMER if ocpp == "1.6" else ()
        assert await handed_over(world, station) == (CommandOutcome.DONE, left)
        assert (await changes(world)).former_tags == len(left)


@VERSIONS
async def test_a_list_that_is_off_is_put_on_and_the_compensation_puts_it_off_again(world: World, ocpp: Version) -> None:
    async with world.station(ocpp=ocpp, faults=at_lists(Fault.LIST_OFF)) as station:
        assert await handed_over(world, station) == (CommandOutcome.DONE, ())
        assert station.state.local_list == CLEAN
        assert station.settings.is_on(Setting.LIST_ENABLED)
    async with world.station(ocpp=ocpp, faults=at_lists(Fault.LIST_OFF)) as station:
        await station.until(lambda: station.online)
        await world.gateway.orders.replace_lists(CP, "order-0", restore=True)  # another order's: nothing to restore
        assert station.settings.is_on(Setting.LIST_ENABLED)


@VERSIONS
async def test_a_list_that_can_not_be_put_on_is_no_list(world: World, ocpp: Version) -> None:
    async with world.station(ocpp=ocpp, faults=at_lists(Fault.LIST_OFF_FIXED)) as station:
        outcome, left = await handed_over(world, station)
        assert (outcome, left) == (CommandOutcome.REJECTED, ())
        assert (await changes(world)).settings_changed == ()


@VERSIONS
async def test_without_a_list_and_with_unknown_tags_charging_all_former_ones_are_counted(
    world: World, ocpp: Version
) -> None:
    faults = at_lists(Fault.LIST_OFF_FIXED, Fault.UNKNOWN_OFFLINE_FIXED)
    async with world.station(ocpp=ocpp, faults=faults) as station:
        assert await handed_over(world, station) == (CommandOutcome.REJECTED, FORMER)
        assert (await changes(world)).former_tags == 2


@VERSIONS
async def test_a_cache_is_cleared_or_it_is_said_that_it_is_not(world: World, ocpp: Version) -> None:
    async with world.station(ocpp=ocpp, faults=at_lists(Fault.CACHE)) as station:
        station.state.cache.append("ANN1")
        assert await handed_over(world, station) == (CommandOutcome.DONE, ())
        assert station.state.cache == []
    await hand_over(world.database, datetime.now(UTC))
    async with world.station(ocpp=ocpp, faults=at_lists(Fault.KEEPS_CACHE)) as station:
        await station.until(lambda: station.online)
        done = await world.gateway.orders.replace_lists(CP, "order-3", restore=False)
        assert done.left == (Shortfall.CACHE_NOT_CLEARED,)


async def test_what_a_station_keeps_of_former_customers_is_cleared_one_at_a_time(world: World) -> None:
    async with world.station(ocpp="2.0.1", faults=at_lists(Fault.BUSY)) as station:
        station.state.customers += ["ANN1", "ANN2", "BEN1"]
        assert await handed_over(world, station) == (CommandOutcome.DONE, ())
        assert station.state.customers == ["BEN1"]


async def test_a_station_that_only_says_that_it_forgets_customers_is_found_out(world: World) -> None:
    async with world.station(ocpp="2.0.1", faults=at_lists(Fault.KEEPS_CUSTOMERS)) as station:
        station.state.customers += ["ANN1", "ANN2"]
        assert await handed_over(world, station) == (CommandOutcome.DONE, (Shortfall.CUSTOMER_DATA_LEFT,))


async def test_the_former_owners_charging_profiles_go_and_the_installations_limit_stays(world: World) -> None:
    limit = {"id": 3, "purpose": "ChargingStationExternalConstraints", "source": "EMS"}
    async with world.station(ocpp="2.0.1") as station:
        station.state.profiles += [
            {"id": 1, "purpose": "TxDefaultProfile", "source": "CSO"},
            {"id": 2, "purpose": "TxProfile", "source": "CSO"},
            limit,
        ]
        await handed_over(world, station)
        assert station.state.profiles == [limit]
        assert (await changes(world)).charging_limits == ({**limit, "evse": 0},)


@VERSIONS
async def test_the_list_is_sent_as_far_as_the_charger_takes_it_at_once(world: World, ocpp: Version) -> None:
    async with world.database.writing() as rows:
        rows.add_all(Tag(group_id="group-ann", id_tag=f"T{number:03}") for number in range(30))
    async with world.station(ocpp=ocpp, list_part=7) as station:
        await station.until(lambda: station.online)
        done = await world.gateway.orders.replace_lists(CP, ORDER, restore=False)
        assert done.outcome is CommandOutcome.DONE
        assert len(station.state.local_list) == 32


async def test_a_message_of_a_list_is_no_longer_than_the_station_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    async with world.database.writing() as rows:
        rows.add_all(Tag(group_id="group-ann", id_tag=f"T{number:035}", type="MacAddress") for number in range(30))
    async with world.station(ocpp="2.0.1") as station:
        await station.until(lambda: station.online)
        station.state.settings[Setting.LIST_BYTES.value] = "1200"
        held = world.gateway._sockets.find(CP)
        assert held is not None
        send = held.websocket.send

        async def measured(message: str, *more: Any, **how: Any) -> None:
            if '"SendLocalList"' in message:
                sizes.append(len(message.encode()))
            await send(message, *more, **how)

        monkeypatch.setattr(held.websocket, "send", measured)
        await world.gateway.orders.replace_lists(CP, ORDER, restore=False)
        assert len(station.state.local_list) == 32
    assert len(sizes) > 1
    assert max(sizes) <= 1200


@VERSIONS
async def test_a_charger_that_answers_nothing_dispensable_gets_its_list_all_the_same(
    world: World, ocpp: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = world.gateway._sockets.find
    async with world.station(ocpp=ocpp, faults=at_lists(Fault.SILENT)) as station:
        await station.until(lambda: station.online)
        socket = held(CP)
        assert socket is not None
        monkeypatch.setattr(socket.dialect._line, "call_timeout", 0.5)
        async with asyncio.timeout(30):
            done = await world.gateway.orders.replace_lists(CP, ORDER, restore=False)
        assert done.outcome is CommandOutcome.DONE
        assert station.state.local_list == ANNS


@VERSIONS
async def test_versions_begin_anew_after_the_last_one(world: World, ocpp: Version) -> None:
    async with world.station(ocpp=ocpp) as station:
        await station.until(lambda: station.online)
        station.state.list_version = 2**31 - 1
        done = await world.gateway.orders.replace_lists(CP, ORDER, restore=False)
        assert done.outcome is CommandOutcome.DONE
        assert station.state.list_version == 1


async def test_a_setting_that_takes_effect_with_a_restart_keeps_no_former_tag_from_charging_yet(world: World) -> None:
    """It tells the new value at once; until it restarts the former tags have to be blocked."""
    value = {"AllowOfflineTxForUnknownId": "True", "LocalAuthListEnabled": "true"}
    listed: list[str] = []
    await hand_over(world.database, datetime.now(UTC))
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        replacing = asyncio.create_task(world.gateway.orders.replace_lists(CP, ORDER, restore=False))
        while not replacing.done():
            try:
                _, number, action, said = json.loads(await asyncio.wait_for(socket.recv(), 1))
            except TimeoutError:
                continue
            reply: dict[str, Any] = {"status": "Accepted"}
            if action == "GetConfiguration":
                known = [{"key": key, "readonly": False, "value": value[key]} for key in said["key"] if key in value]
                reply = {"configurationKey": known}
            elif action == "ChangeConfiguration":
                value[said["key"]], reply = said["value"], {"status": "RebootRequired"}
            elif action == "GetLocalListVersion":
                reply = {"listVersion": 0}
            elif action == "SendLocalList":
                listed += [entry["idTag"] for entry in said["localAuthorizationList"]]
            await socket.send(json.dumps([3, number, reply]))
        assert (await replacing).outcome is CommandOutcome.DONE
    assert listed == ["BEN1", "ANN1", "ANN2"]
