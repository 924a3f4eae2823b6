"""The charger's steps, run as activities over a real gateway and a real station."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from websockets.asyncio.client import ClientConnection

from activities.charger import GatewayCharger
from activities.contracts.charge_points import PointOrder
from activities.contracts.charger import NOT_CONNECTED, DeviceOrder
from domain.charger import CommandOutcome, KeyAnswer, RestartAnswer
from domain.errors import NotPossible
from domain.ids import TransferId
from gateway.facts import Fact
from gateway.ocpp.line import NoAnswer
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.world import CP, ORDER, World, gateway_world, hand_over, seed
from tools.simulator.faults import Fault as Trouble

TRANSFER = DeviceOrder(transfer_id=TransferId(ORDER), charge_point_id=CP)


@pytest.fixture
async def world(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[World]:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path, call_timeout=timedelta(milliseconds=500)) as found:
        yield found


async def test_every_step_is_answered_by_a_real_station(world: World) -> None:
    charger, run = GatewayCharger(world.gateway), ActivityEnvironment().run
    async with world.station() as station:
        await station.until(lambda: station.online)
        await hand_over(world.database, datetime.now(UTC))
        assert (await run(charger.quiet, TRANSFER)).outcome is CommandOutcome.DONE
        assert not station.state.available
        assert (await run(charger.replace_lists, TRANSFER)).outcome is CommandOutcome.DONE
        assert station.state.local_list["BEN1"] == "Accepted"
        restore = TRANSFER.model_copy(update={"restore": True})
        assert (await run(charger.replace_lists, restore)).outcome is CommandOutcome.DONE
        assert station.state.local_list == {}
        await world.order_key()
        assert (await run(charger.rotate, TRANSFER)).answer is KeyAnswer.ACCEPTED
        await world.heard(Fact.PROVED)
        await world.heard(Fact.CONNECTED, 2)
        await station.until(lambda: station.online)
        assert (await run(charger.rotate, TRANSFER)).answer is KeyAnswer.ACCEPTED
        assert (await run(charger.release, TRANSFER)).outcome is CommandOutcome.DONE
        assert station.state.available
        assert (await run(charger.reset, TRANSFER)).outcome is CommandOutcome.DONE
        await world.heard(Fact.CONNECTED, 3)
        await run(charger.disconnect, TRANSFER)
        await world.heard(Fact.CONNECTED, 4)


@pytest.mark.parametrize("step", ["quiet", "release", "replace_lists", "rotate", "reset", "disconnect"])
async def test_a_charger_that_is_elsewhere_is_not_connected_and_not_retried_here(world: World, step: str) -> None:
    await world.order_key()
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(getattr(GatewayCharger(world.gateway), step), TRANSFER)
    assert caught.value.type == NOT_CONNECTED
    assert caught.value.non_retryable


@pytest.mark.parametrize(
    ("trouble", "answer"),
    [
        (Trouble.REJECT, KeyAnswer.REJECTED),
        (Trouble.NOT_SUPPORTED, KeyAnswer.NOT_SUPPORTED),
        (Trouble.REBOOT_REQUIRED, KeyAnswer.REBOOT_REQUIRED),
        (Trouble.LIE, KeyAnswer.ACCEPTED),
    ],
)
async def test_what_the_charger_answers_is_what_the_workflow_hears(
    world: World, trouble: Trouble, answer: KeyAnswer
) -> None:
    charger, run = GatewayCharger(world.gateway), ActivityEnvironment().run
    async with world.station(faults=[trouble]) as station:
        await station.until(lambda: station.online)
        await world.order_key()
        for _ in range(2):
            assert (await run(charger.rotate, TRANSFER)).answer is answer


@pytest.mark.parametrize("step", ["take_own_key", "identify"])
async def test_outside_a_transfer_too_it_is_told_nothing_elsewhere(world: World, step: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(getattr(GatewayCharger(world.gateway), step), PointOrder(charge_point_id=CP))
    assert (caught.value.type, caught.value.non_retryable) == (NOT_CONNECTED, True)


async def test_a_fresh_key_and_a_restart_are_answered_and_no_answer_holds_the_key(world: World) -> None:
    charger, run, order = GatewayCharger(world.gateway), ActivityEnvironment().run, PointOrder(charge_point_id=CP)
    async with world.station() as station:
        await station.until(lambda: station.online)
        told = await run(charger.take_own_key, order)
        await world.heard(Fact.PROVED)
        assert told.model_dump() == {"answer": "accepted"}
        await world.heard(Fact.CONNECTED, 2)
        await station.until(lambda: station.online)
        assert (await run(charger.identify, order)).answer is RestartAnswer.ACCEPTED


async def test_silence_is_an_answer_outside_a_transfer(world: World) -> None:
    charger, run, order = GatewayCharger(world.gateway), ActivityEnvironment().run, PointOrder(charge_point_id=CP)
    async with world.client():
        await world.heard(Fact.CONNECTED)
        assert (await run(charger.identify, order)).answer is RestartAnswer.UNKNOWN
        assert (await run(charger.take_own_key, order)).answer is KeyAnswer.UNKNOWN


async def test_a_key_that_may_not_be_replaced_any_more_is_refused(world: World) -> None:
    """The owner has changed since it was looked up, and a transfer's key is pending."""
    async with world.client():
        await world.heard(Fact.CONNECTED)
        await world.order_key()
        with pytest.raises(NotPossible, match="ask again"):
            await ActivityEnvironment().run(GatewayCharger(world.gateway).take_own_key, PointOrder(charge_point_id=CP))


async def test_a_list_that_is_not_taken_is_sent_once_more_under_a_higher_version_and_then_left(world: World) -> None:
    versions = []

    async def refuse(socket: ClientConnection) -> None:
        async for frame in socket:
            _, number, action, payload = json.loads(frame)
            reply: list[Any] = [4, number, "NotImplemented", "", {}]
            if action == "SendLocalList":
                versions.append(payload["listVersion"])
                reply = [3, number, {"status": "VersionMismatch"}]
            await socket.send(json.dumps(reply))

    charger, run = GatewayCharger(world.gateway), ActivityEnvironment().run
    async with world.client() as socket:
        refusing = asyncio.create_task(refuse(socket))
        await world.heard(Fact.CONNECTED)
        for _ in range(2):
            assert (await run(charger.replace_lists, TRANSFER)).outcome is CommandOutcome.REJECTED
        refusing.cancel()
    assert versions == sorted(set(versions))
    assert len(versions) == 4


async def test_silence_is_retried_but_for_a_new_key_where_it_is_an_answer(world: World) -> None:
    charger, run = GatewayCharger(world.gateway), ActivityEnvironment().run
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        key = await world.order_key()
        with pytest.raises(NoAnswer) as caught:
            await run(charger.quiet, TRANSFER)
        assert "Inoperative" not in str(caught.value)
        assert (await run(charger.rotate, TRANSFER)).answer is KeyAnswer.UNKNOWN
        assert key not in str(caught.value)
        await socket.ping()


async def test_a_step_beats_while_it_waits_and_a_cancel_reaches_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.charger._BEAT_EVERY", 0.1)
    environment, beats = ActivityEnvironment(), asyncio.Event()
    environment.on_heartbeat = lambda *_: beats.set()
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        step = asyncio.create_task(environment.run(GatewayCharger(world.gateway).reset, TRANSFER))
        await socket.recv()
        await asyncio.wait_for(beats.wait(), 1)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
