"""Several sockets of one charger, and listeners that misbehave."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import update
from websockets.asyncio.client import ClientConnection
from websockets.frames import CloseCode

from domain.ids import NodeId
from gateway.facts import Fact
from gateway.ocpp.line import NotConnected
from gateway.reports import BLOCKED_ID
from gateway.sweep import LAST_ORDERS
from persistence.chargers import credentials, present_connections
from persistence.session import Database
from persistence.tables import Credential
from persistence.vault import Vault
from tests.gateway.bare import ask, place
from tests.gateway.world import CP, IDENTITY, OLD_KEY, World, gateway_world, keys, seed


async def test_of_two_sockets_the_newer_wins_without_waiting_for_the_older(world: World) -> None:
    async with world.client() as older:
        await world.heard(Fact.CONNECTED)
        older.transport.pause_reading()  # it never sees the close frame, and never answers it
        async with world.client() as newer:
            await world.heard(Fact.CONNECTED, 2)
            async with world.database.reading() as rows:
                place = await present_connections.whereabouts(rows, CP)
            assert (place.node, place.generation) == ("node-1", 2)
            await newer.send('[2,"1","Heartbeat",{}]')
            assert "currentTime" in str(await asyncio.wait_for(newer.recv(), 1))
            older.transport.resume_reading()
            await asyncio.wait_for(older.wait_closed(), 10)
            async with world.database.reading() as rows:
                assert (await present_connections.whereabouts(rows, CP)).node == "node-1"
        await world.heard(Fact.DISCONNECTED)
    assert world.facts.count(Fact.DISCONNECTED) == 1  # the older one's end is no news


async def test_a_charger_that_moved_to_another_node_is_not_reached_over_its_old_socket(world: World) -> None:
    other = gateway_world(world.database, world.vault, world.folder, node=NodeId("node-2"))
    async with world.client() as old, other as second:
        await world.heard(Fact.CONNECTED)
        async with second.client():
            await second.heard(Fact.CONNECTED)
            with pytest.raises(NotConnected):
                await world.gateway.orders.release(CP)
            await asyncio.wait_for(old.wait_closed(), 5)
            async with world.database.reading() as rows:
                assert (await present_connections.whereabouts(rows, CP)).node == "node-2"


async def test_a_socket_that_was_replaced_at_another_node_is_refused_at_once_and_then_closed(world: World) -> None:
    key = await world.order_key()
    other = gateway_world(world.database, world.vault, world.folder, node=NodeId("node-2"))
    async with world.client() as old, other as second:
        await world.heard(Fact.CONNECTED)
        assert (await ask(old, "Authorize", idTag="BEN1"))[2]["idTagInfo"]["status"] == "Accepted"
        async with second.client(key):
            await second.heard(Fact.CONNECTED)
            await _is_refused(old, boot="Rejected")
            await world.gateway._sweep.once()
            await asyncio.wait_for(old.wait_closed(), 5)
            assert old.close_code == CloseCode.POLICY_VIOLATION
            assert (await place(world)).node == "node-2"


async def test_a_charger_without_a_key_is_refused_at_once_and_closed_after_its_last_orders(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault)
    often = timedelta(milliseconds=50)
    async with gateway_world(database, vault, tmp_path, sweep_every=often) as world, world.client() as socket:
        await world.heard(Fact.CONNECTED)
        async with database.writing() as rows:
            await credentials.revoke_all(rows, CP, datetime.now(UTC))
        await _is_refused(socket, boot="Pending")
        await asyncio.sleep(0.3)
        assert (await ask(socket, "Heartbeat"))[0] == 3
        async with database.writing() as rows:
            await rows.execute(update(Credential).values(revoked_at=datetime.now(UTC) - LAST_ORDERS))
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == CloseCode.POLICY_VIOLATION


async def test_disconnect_closes_a_socket_that_was_replaced_elsewhere(world: World) -> None:
    other = gateway_world(world.database, world.vault, world.folder, node=NodeId("node-2"))
    async with world.client() as old, other as second:
        await world.heard(Fact.CONNECTED)
        async with second.client():
            await second.heard(Fact.CONNECTED)
        await second.heard(Fact.DISCONNECTED)  # the link says offline
        with pytest.raises(NotConnected):
            await world.gateway.orders.disconnect(CP)
        await asyncio.wait_for(old.wait_closed(), 5)


async def _is_refused(socket: ClientConnection, *, boot: str) -> None:
    assert (await ask(socket, "Authorize", idTag="ANN1"))[2]["idTagInfo"]["status"] == "Blocked"
    start = {"connectorId": 1, "idTag": "ANN1", "meterStart": 0}
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    answer = await ask(socket, "StartTransaction", timestamp=soon, **start)
    assert answer[2] == {"transactionId": BLOCKED_ID, "idTagInfo": {"status": "Blocked"}}
    answer = await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
    assert answer[2]["status"] == boot


async def test_a_listener_that_fails_or_hangs_holds_nobody_up(
    database: Database, vault: Vault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await seed(database, vault)

    async def broken(charge_point_id: str, fact: Fact) -> None:
        if fact is Fact.DISCONNECTED:
            await asyncio.Event().wait()
        raise RuntimeError("a secret")

    async with gateway_world(database, vault, tmp_path, on_fact=broken) as world:
        async with world.client() as socket:
            await socket.send('[2,"1","Heartbeat",{}]')
            await asyncio.wait_for(socket.recv(), 2)
        async with world.client() as socket:
            await socket.send('[2,"1","Heartbeat",{}]')
            await asyncio.wait_for(socket.recv(), 2)
    assert "RuntimeError" in caplog.text
    assert "a secret" not in caplog.text
    caplog.clear()  # what is to fail here


async def test_ten_upgrades_at_once_prove_the_key_once(world: World) -> None:
    key = await world.order_key()
    sockets = await asyncio.gather(*(world.client(key) for _ in range(10)), return_exceptions=True)
    opened = [socket for socket in sockets if not isinstance(socket, BaseException)]
    assert opened
    assert world.facts.count(Fact.PROVED) == 1
    for socket in opened:
        await socket.close()
    assert set(await keys(world.database)) == {"current", "revoked"}


async def test_a_socket_that_was_let_in_earlier_and_claims_later_does_not_win(world: World) -> None:
    admission = await world.gateway._rule.decide(IDENTITY, OLD_KEY.encode())  # let in, and slow …
    async with world.client() as newer:  # … so that another one is held before it
        await world.heard(Fact.CONNECTED)
        assert await world.gateway._connections._claim(cast("Any", None), admission, 0) is None
        async with world.database.reading() as rows:
            assert (await present_connections.whereabouts(rows, CP)).generation == 1
        await (await newer.ping())


async def test_a_lost_socket_ends_the_wait_for_its_answer_at_once(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        asking = asyncio.create_task(world.gateway.orders.reset(CP))
        await socket.recv()
        socket.transport.abort()
        async with asyncio.timeout(2):  # far less than the call's own time-out
            with pytest.raises(NotConnected):
                await asking
