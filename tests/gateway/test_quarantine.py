"""The old key after its time: it opens no more than a connection to be given the new one."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import func, select

from domain.charger import KeyAnswer
from domain.errors import Unavailable
from domain.keys import KnownTo
from domain.transfer import UntilNewKey
from gateway.credentials import KeyRule
from gateway.facts import Fact
from gateway.ocpp.line import NotConnected
from persistence.chargers import credentials
from persistence.chargers.upgrades import Entry, OldKeys
from persistence.session import Database
from persistence.tables import ChargePoint, ChargingSession
from persistence.vault import Vault
from tests.gateway.bare import accept_key, ask, place
from tests.gateway.world import (
    CP,
    IDENTITY,
    OLD_KEY,
    ORDER,
    World,
    add_transfer,
    change_owner,
    gateway_world,
    keys,
    said,
    seed,
)
from tools.simulator.faults import Fault as Trouble


async def test_a_charger_whose_owner_changed_while_it_was_away_gets_the_key_in_quarantine_and_is_released(
    world: World,
) -> None:
    key = await world.order_key(quarantines_old=True)
    async with world.station() as station:
        await world.heard(Fact.PROVED)
        await station.until(lambda: station.online)
        assert station.state.password == key
        assert not (await place(world)).quarantined
    assert Fact.RETURNED_WITH_OLD_KEY not in world.facts
    assert (await world.status()).proven  # its answer may be overtaken by the proof, and is then never recorded


async def test_nothing_is_taken_over_in_quarantine(world: World) -> None:
    await world.order_key(quarantines_old=True)
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        assert (await place(world)).quarantined
        boot = await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
        assert boot[2]["status"] == "Pending"
        assert (await ask(socket, "Authorize", idTag="ANN1"))[2]["idTagInfo"]["status"] == "Blocked"
        start = {"connectorId": 1, "idTag": "ANN1", "meterStart": 0}
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        answer = await ask(socket, "StartTransaction", timestamp=soon, **start)
        assert answer[2]["idTagInfo"]["status"] == "Blocked"
        answer = await ask(socket, "StartTransaction", timestamp="2026-01-02T00:00:00Z", **start)
        assert answer[:3:2] == [4, "SecurityError"]  # it is kept, and sent again later
        stop = await ask(socket, "StopTransaction", transactionId=1, meterStop=9, timestamp="2026-01-02T00:00:00Z")
        assert stop[:3:2] == [4, "SecurityError"]
        assert (await ask(socket, "MeterValues", connectorId=1, meterValue=[]))[0] == 4
        assert "currentTime" in (await ask(socket, "Heartbeat"))[2]
    async with world.database.reading() as rows:
        assert (await rows.execute(select(func.count()).select_from(ChargingSession))).scalar_one() == 0
        assert (await rows.get_one(ChargePoint, CP)).vendor is None


async def test_the_old_key_is_quarantined_once_the_charger_has_accepted_the_new_one(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        key = await world.order_key()
        rotating = asyncio.create_task(world.gateway.orders.rotate(CP, ORDER))
        assert await accept_key(socket) == key
        assert (await rotating).said is KeyAnswer.ACCEPTED
    async with world.client() as socket:
        await world.heard(Fact.RETURNED_WITH_OLD_KEY)
        await world.heard(Fact.CONNECTED, 2)
        assert (await place(world)).quarantined
        assert await accept_key(socket) == key  # the same one, never a third


@pytest.mark.parametrize("grace", [timedelta(minutes=10), timedelta(0)])
async def test_after_the_grace_period_the_old_key_is_quarantined(
    database: Database, vault: Vault, tmp_path: Path, grace: timedelta
) -> None:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path, old_keys=OldKeys(grace)) as world:
        async with world.client() as socket:
            await world.heard(Fact.CONNECTED)
            await world.order_key()
            rotating = asyncio.create_task(world.gateway.orders.rotate(CP, ORDER))
            await socket.recv()
        assert (await rotating).said is KeyAnswer.UNKNOWN
        async with world.client():
            await world.heard(Fact.CONNECTED, 2)
            assert (await place(world)).quarantined is (grace == timedelta(0))
    assert Fact.RETURNED_WITH_OLD_KEY not in world.facts


async def test_a_liar_comes_back_three_times_and_is_parked_in_quarantine(world: World) -> None:
    async with world.station(faults=[Trouble.LIE]) as station:
        await station.until(lambda: station.online)
        await world.order_key()
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is KeyAnswer.ACCEPTED
        await world.gateway.orders.disconnect(CP)
        await world.heard(Fact.RETURNED_WITH_OLD_KEY, 3)
        await world.heard(Fact.CONNECTED, 4)
        assert (await world.status()).old_key_returns == 3
        assert (await place(world)).quarantined
    async with world.client() as socket:
        assert (await ask(socket, "Heartbeat"))[0] == 3
        with pytest.raises(TimeoutError):  # longer than any patience: nothing more is sent
            await asyncio.wait_for(socket.recv(), 1)
    assert not (await world.status()).proven


async def test_a_charger_in_quarantine_that_needs_a_restart_is_restarted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    key = await world.order_key(quarantines_old=True)
    async with world.station(faults=[Trouble.REBOOT_REQUIRED]) as station:
        await world.heard(Fact.PROVED)
        await station.until(lambda: station.online)
        assert station.state.password == key
    assert "refused it" not in caplog.text


async def test_a_refusal_in_quarantine_is_on_record_and_leaves_it_there(world: World) -> None:
    await world.order_key(quarantines_old=True)
    async with world.station(faults=[Trouble.REJECT]):
        await _until_answered(world, KeyAnswer.REJECTED)
        assert (await place(world)).quarantined
    assert set(await keys(world.database)) == {"current", "pending"}


async def test_a_key_that_was_not_answered_is_sent_again_after_the_next_boot_and_not_before(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault)
    quick = timedelta(milliseconds=300)
    async with gateway_world(database, vault, tmp_path, call_timeout=quick) as world:
        await world.order_key(quarantines_old=True)
        async with world.client() as socket:
            for _ in range(2):
                await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
                assert json.loads(await said(socket))[2] == "ChangeConfiguration"
                with pytest.raises(TimeoutError):
                    await said(socket, seconds=1)


async def test_what_was_refused_in_quarantine_is_not_sent_again_over_the_same_connection(world: World) -> None:
    await world.order_key(quarantines_old=True)
    async with world.client() as socket:
        await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
        frame = json.loads(await said(socket))
        await socket.send(json.dumps([3, frame[1], {"status": "Rejected"}]))
        await _until_answered(world, KeyAnswer.REJECTED)
        await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
        with pytest.raises(TimeoutError):
            await said(socket, seconds=1)


async def test_where_a_key_is_to_be_typed_there_is_none_to_send_in_quarantine(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    async with database.writing() as rows:
        await change_owner(rows)
        assert await credentials.change_hands(
            rows,
            vault,
            CP,
            ORDER,
            quarantines_old=False,
            until_new_key=UntilNewKey.QUARANTINE,
            now=datetime.now(UTC),
        )
    async with gateway_world(database, vault, tmp_path) as world, world.client() as socket:
        await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
        assert (await place(world)).quarantined
        with pytest.raises(TimeoutError):
            await said(socket, seconds=0.5)


async def test_a_refusal_of_a_key_that_nobody_waits_for_makes_it_the_owners_to_type_and_the_old_one_serves(
    world: World,
) -> None:
    key = await world.order_key()
    await _leave(world)
    async with world.station(faults=[Trouble.REJECT]):
        await _until_answered(world, KeyAnswer.REJECTED)
        await world.gateway._sweep.once()
        await world.heard(Fact.CONNECTED, 2)
        assert not (await place(world)).quarantined
    assert set(await keys(world.database)) == {"current", "revoked"}
    assert await world.refuses(key)


async def test_a_refusal_and_its_withdrawal_are_one_whatever_becomes_of_the_gateway_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(_: object, __: object) -> bool:
        raise Unavailable("gone")

    monkeypatch.setattr(KeyRule, "lift_quarantine", dies)
    await world.order_key()
    await _leave(world)
    async with world.client() as socket:
        frame = json.loads(await said(socket))
        await socket.send(json.dumps([3, frame[1], {"status": "Rejected"}]))
        await _until_answered(world, KeyAnswer.REJECTED)
        assert set(await keys(world.database)) == {"current", "revoked"}


async def test_nothing_that_a_charger_answers_in_quarantine_lets_it_out(world: World) -> None:
    await world.order_key(quarantines_old=True)
    async with world.client() as socket:
        frame = json.loads(await said(socket))
        await socket.send(json.dumps([3, frame[1], {"status": "NotSupported"}]))
        await _until_answered(world, KeyAnswer.NOT_SUPPORTED)
        assert not (await world.status()).answer_counts
        boot = {"chargePointVendor": "V", "chargePointModel": "M"}
        assert (await ask(socket, "BootNotification", **boot))[2]["status"] == "Pending"
        await _leave(world)
        await world.gateway._sweep.once()
        assert (await ask(socket, "BootNotification", **boot))[2]["status"] == "Pending"


async def test_a_silent_charger_in_quarantine_is_asked_again_at_its_next_boot(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path, call_timeout=timedelta(milliseconds=200)) as world:
        key = await world.order_key(quarantines_old=True)
        async with world.client() as socket:
            await asyncio.wait_for(socket.recv(), 5)  # never answered
            await _until_answered(world, KeyAnswer.UNKNOWN)
            await socket.send('[2,"b","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')
            assert await accept_key(socket) == key


async def test_the_quarantine_ends_at_the_next_boot_once_its_order_is_called_off(world: World) -> None:
    await world.order_key(quarantines_old=True)
    async with world.client() as socket:
        await accept_key(socket)
        await _until_answered(world, KeyAnswer.ACCEPTED)
        async with world.database.writing() as rows:
            await credentials.withdraw(rows, CP, ORDER, datetime.now(UTC))
        boot = await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
        assert boot[2]["status"] == "Accepted"
        assert not (await place(world)).quarantined


@pytest.mark.parametrize("takes", ["old", "new"])
async def test_after_a_withdrawal_whichever_key_comes_is_the_key(world: World, takes: str) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        key = await world.order_key()
        rotating = asyncio.create_task(world.gateway.orders.rotate(CP, ORDER))
        await socket.recv()
    assert (await rotating).said is KeyAnswer.UNKNOWN
    async with world.database.writing() as rows:
        await credentials.withdraw(rows, CP, ORDER, datetime.now(UTC))
    mine, other = (OLD_KEY, key) if takes == "old" else (key, OLD_KEY)
    for start in (2, 3):
        async with world.client(mine) as socket:
            await world.heard(Fact.CONNECTED, start)
            assert not (await place(world)).quarantined
            await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
    assert await world.refuses(other)
    assert not await world.refuses(mine)
    assert Fact.PROVED not in world.facts
    assert not (await world.status()).proven


async def test_nothing_of_the_new_owner_goes_to_a_charger_in_quarantine(world: World) -> None:
    await world.order_key(quarantines_old=True)
    async with world.client():
        await world.heard(Fact.CONNECTED)
        orders = world.gateway.orders
        for order in (orders.quiet(CP, stop_session=False), orders.release(CP)):
            with pytest.raises(NotConnected):
                await order
        with pytest.raises(NotConnected):
            await orders.replace_lists(CP, ORDER, restore=False)
        await orders.disconnect(CP)


async def test_an_owner_changed_between_an_upgrade_and_its_claim_quarantines_it(world: World) -> None:
    decided = await world.gateway._rule.decide(IDENTITY, OLD_KEY.encode())
    assert decided.entry is Entry.CURRENT
    await world.order_key(quarantines_old=True)
    async with world.client() as socket:  # what it sends is of no matter, what it speaks is
        peer = SimpleNamespace(address="127.0.0.1", subprotocol=socket.subprotocol)
        claimed = await world.gateway._connections._claim(cast("Any", peer), decided, 9)
    assert claimed is not None
    assert claimed.quarantined
    assert (await place(world)).quarantined
    world.gateway._sockets.let_go(claimed)


async def test_a_socket_whose_key_is_replaced_while_it_opens_is_not_held(world: World) -> None:
    key = await world.order_key()
    decided = await world.gateway._rule.decide(IDENTITY, OLD_KEY.encode())  # the old key's upgrade was let in …
    async with world.client(key) as socket:  # … and before its claim the new key was proven
        await world.heard(Fact.PROVED)
        await world.heard(Fact.CONNECTED)
        generation = (await place(world)).generation
        assert await world.gateway._connections._claim(cast("Any", None), decided, 9) is None
        assert (await place(world)).generation == generation
        await (await socket.ping())


async def _leave(world: World) -> None:
    await add_transfer(world.database)
    async with world.database.writing() as rows:
        await credentials.leave_due(rows, CP, ORDER)


async def _until_answered(world: World, answer: KeyAnswer) -> None:
    """Wait for an answer to be on record: nothing reports that, as the database is where it is looked for."""
    async with asyncio.timeout(10):
        while (await world.status()).answer != answer:
            await asyncio.sleep(0.02)


async def test_a_charger_that_stays_connected_is_let_out_once_its_order_is_called_off(world: World) -> None:
    await world.order_key(quarantines_old=True)
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        async with world.database.writing() as rows:
            await change_owner(rows)
            await credentials.withdraw(rows, CP, ORDER, datetime.now(UTC))
        await world.gateway._sweep.once()
        assert not (await place(world)).quarantined
        assert (await ask(socket, "Authorize", idTag="ANN1"))[2]["idTagInfo"]["status"] == "Accepted"


async def test_a_charger_that_may_hold_a_withdrawn_key_is_made_to_show_which_one_it_uses(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        await world.order_key()
        rotating = asyncio.create_task(world.gateway.orders.rotate(CP, ORDER))
        await accept_key(socket)
        await rotating
        async with world.database.writing() as rows:
            await credentials.withdraw(rows, CP, ORDER, datetime.now(UTC))
        await world.gateway._sweep.once()
        await socket.wait_closed()
        assert socket.close_code == 1012
    async with world.client():
        await world.heard(Fact.CONNECTED, 2)
        assert set(await keys(world.database)) == {"current", "pending"}, "it may need a restart for it"
        await world.gateway._sweep.once()
        assert (await place(world)).node is not None
