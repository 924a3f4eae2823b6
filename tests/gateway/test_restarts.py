"""One clock for a charger that restarts for its new key: told once, it is left alone until it can have failed."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from domain.charger import CommandOutcome, KeyAnswer
from gateway.facts import Fact
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.bare import ask
from tests.gateway.world import CP, ORDER, World, gateway_world, keys, seed
from tools.simulator.faults import Fault, Step, Trouble

REBOOTS = {"ChangeConfiguration": "RebootRequired", "Reset": "Accepted"}
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


async def answering(socket: ClientConnection, told: list[str]) -> None:
    """Answer what is told as a charger does that needs a restart, and remember it."""
    async for frame in socket:
        kind, number, action, *_ = json.loads(frame)
        if kind == 2:
            told.append(action)
            await socket.send(json.dumps([3, number, {"status": REBOOTS[action]}]))


async def rotated(world: World, told: list[str], *, boots: bool = False) -> tuple[KeyAnswer, CommandOutcome]:
    """Connect with the old key, and have the transfer send the new one and restart it."""
    seen = world.facts.count(Fact.CONNECTED)
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED, seen + 1)
        if boots:
            await ask(socket, "BootNotification", **BOOT)
        answers = asyncio.create_task(answering(socket, told))
        said = (await world.gateway.orders.rotate(CP, ORDER)).said
        outcome = await world.gateway.orders.reset(CP)
        answers.cancel()
    return said, outcome


async def test_what_has_accepted_to_restart_is_told_nothing_again_until_it_has(world: World) -> None:
    await world.order_key()
    told: list[str] = []
    expected = (KeyAnswer.REBOOT_REQUIRED, CommandOutcome.DONE)
    for _ in range(3):  # its connection was lost, and it has not restarted yet
        assert await rotated(world, told) == expected
    assert told == ["ChangeConfiguration", "Reset"]
    assert await rotated(world, told, boots=True) == expected
    assert told == ["ChangeConfiguration", "Reset"] * 2
    assert (await keys(world.database))["pending"].sendings == 2


async def test_after_a_while_it_is_told_again(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path, restart_patience=timedelta(0)) as world:
        await world.order_key()
        told: list[str] = []
        for _ in range(2):
            await rotated(world, told)
    assert told == ["ChangeConfiguration", "Reset"] * 2


async def test_another_orders_key_is_not_held_up_by_that(world: World) -> None:
    await world.order_key()
    told: list[str] = []
    await rotated(world, told)
    await world.order_key(order_id="order-2")
    async with world.client() as socket:
        answers = asyncio.create_task(answering(socket, told))
        await world.heard(Fact.CONNECTED, 2)
        await world.gateway.orders.rotate(CP, "order-2")
        answers.cancel()
    assert told.count("ChangeConfiguration") == 2


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_in_quarantine_too_a_station_is_restarted_once_however_long_it_takes(
    world: World, ocpp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.simulator.simulation.SLOW", 2.0)
    key = await world.order_key(quarantines_old=True)
    faults = [Trouble(Fault.REBOOT_REQUIRED), Trouble(Fault.SLOW_RESTART, Step.RESET)]
    async with world.station(ocpp=ocpp, faults=faults) as station:
        await world.heard(Fact.PROVED)
        assert (station.state.password, station.state.resets) == (key, 1)


async def test_one_in_quarantine_that_never_boots_gets_its_key_all_the_same(world: World) -> None:
    key = await world.order_key(quarantines_old=True)
    async with world.station() as station:
        station.boot_due = False
        await world.heard(Fact.PROVED)
        assert station.state.password == key
