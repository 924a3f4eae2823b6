"""Nodes that die, a database that is away, upgrades that come to nothing: no turn and no place is left behind."""

import asyncio
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from domain.errors import Unavailable
from domain.ids import NodeId
from domain.keys import KnownTo
from gateway.facts import Fact
from gateway.metrics import GatewayMetrics
from gateway.socket_limits import SocketLimits
from persistence.chargers import contenders, present_connections
from persistence.session import Database
from persistence.tables import GatewayNode
from persistence.vault import Vault
from tests.gateway.bare import place
from tests.gateway.contested import (
    ELSEWHERE,
    NEVER,
    SOON,
    becomes_ordinary,
    boots,
    deafen,
    dies,
    eventually,
    is_silent,
    link,
    nobody_waits,
    refusal,
    two_nodes,
    waits,
)
from tests.gateway.world import CP, IDENTITY, OLD_KEY, World, gateway_world, said, seed


async def test_one_that_goes_away_while_it_waits_leaves_the_turn(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client():
            await waits(first.database)
        await nobody_waits(first.database)
        async with second.client(local_addr=ELSEWHERE):
            await waits(first.database, address="127.0.0.2")
        assert await boots(old) == ("Accepted", 300)


async def test_a_node_that_dies_while_it_is_to_ask_loses_the_place(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    patient = SocketLimits(ping_timeout=timedelta(seconds=20))
    worlds = two_nodes(database, vault, tmp_path, limits=patient, sign_every=NEVER)
    async with worlds as (first, second), first.client() as old:
        await first.heard(Fact.CONNECTED)
        deafen(old)
        async with second.client() as new:
            await waits(database)
            await dies(database, "node-1", survivor="node-2")
            await becomes_ordinary(new)
            assert (await place(second)).node == "node-2"
            old.transport.resume_reading()
            await asyncio.wait_for(old.wait_closed(), 10)
            assert (await place(second)).node == "node-2", "it was claimed elsewhere, and is closed"


async def test_a_node_that_can_write_again_keeps_what_nobody_claimed(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    often = timedelta(milliseconds=50)
    worlds = two_nodes(database, vault, tmp_path, sign_every=NEVER, sweep_every=often)
    async with worlds as (first, _), first.client() as socket:
        await first.heard(Fact.CONNECTED)
        await dies(database, "node-1", survivor="node-2")
        assert (await place(first)).node is None
        await first.gateway._sweep.once()
        assert (await boots(socket))[0] == "Accepted"
        assert socket.close_code is None
    assert first.facts.count(Fact.CONNECTED) == 1


async def test_an_ordinary_sign_of_life_is_written(database: Database, vault: Vault, tmp_path: Path) -> None:
    often = timedelta(milliseconds=50)
    async with two_nodes(database, vault, tmp_path, sign_every=often) as (first, _), first.client():
        await first.heard(Fact.CONNECTED)
        await dies(database, "node-1", survivor="node-2")

        async def alive() -> bool:
            return (await place(first)).node is not None

        await eventually(alive)


async def test_the_turn_of_one_whose_node_is_dead_is_free(database: Database, vault: Vault, tmp_path: Path) -> None:
    worlds = two_nodes(database, vault, tmp_path, limits=SOON, sign_every=NEVER)
    async with worlds as (first, second), first.client():
        await first.heard(Fact.CONNECTED)
        async with second.client():
            await waits(database)
            assert (await refusal(first, local_addr=ELSEWHERE)).status_code == HTTPStatus.SERVICE_UNAVAILABLE
            await dies(database, "node-2", survivor="node-1")
            async with first.client(local_addr=ELSEWHERE):
                await waits(database, address="127.0.0.2")


async def test_a_database_that_is_away_meanwhile_costs_nobody_the_way_in(
    nodes: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    database = first.database
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        deafen(old)
        async with second.client() as new:
            await waits(database)

            async def asked() -> bool:
                return CP in first.gateway._contests._asking

            await eventually(asked)
            with monkeypatch.context() as away:
                for how in ("reading", "writing"):
                    away.setattr(database, how, _unavailable)

                async def dropped() -> bool:
                    return first.gateway._sockets.find(CP) is None

                await eventually(dropped)  # it was asked, and did not answer; nobody can write that
                assert await is_silent(new)
            await becomes_ordinary(new)


def _unavailable() -> None:
    raise Unavailable("The database is away.")


async def test_a_gateway_that_stops_leaves_no_turn_behind(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    async with gateway_world(database, vault, tmp_path) as first, first.client():
        await first.heard(Fact.CONNECTED)
        async with gateway_world(database, vault, tmp_path, node=NodeId("node-2")) as second:
            held = await second.client()
            await waits(database)
        await asyncio.wait_for(held.wait_closed(), 5)
        assert held.close_code == 1012
        assert (await link(database)).contender is None


async def test_a_node_that_was_killed_clears_its_turn_at_its_next_start(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    async with gateway_world(database, vault, tmp_path) as first, first.client():
        await first.heard(Fact.CONNECTED)
        async with database.writing() as rows:
            await contenders.enter(rows, CP, "of a killed one", NodeId("node-2"), "192.0.2.7")
        async with gateway_world(database, vault, tmp_path, node=NodeId("node-2")):
            assert (await link(database)).contender is None
        assert (await place(first)).generation == 1


async def test_a_turn_on_record_that_no_socket_has_is_cleared(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with first.database.writing() as rows:
            node = second.gateway._node
            await contenders.enter(rows, CP, "its upgrade came to nothing", node, "192.0.2.7")
        await nobody_waits(first.database)


async def test_an_upgrade_that_comes_to_nothing_leaves_no_turn_behind(nodes: tuple[World, World]) -> None:
    first, second = nodes
    basic = b64encode(f"{IDENTITY}:{OLD_KEY}".encode()).decode()
    lines = [
        f"GET /ocpp/{IDENTITY} HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {b64encode(bytes(16)).decode()}",
        "Sec-WebSocket-Protocol: ocpp1.6",
        f"Authorization: Basic {basic}",
    ]
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", second.gateway.port)
            writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
            await writer.drain()
            writer.transport.abort()

        async def nobody_is_held() -> bool:
            return not second.gateway._contests._here

        await eventually(nobody_is_held)
        await nobody_waits(first.database)
        assert await boots(old) == ("Accepted", 300)


async def test_what_a_node_held_that_is_gone_for_days_is_free_once_a_gateway_starts(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    now = datetime.now(UTC)
    async with database.writing() as rows:
        await present_connections.claim(
            rows, CP, NodeId("gone"), credential_id="k", address="192.0.2.1", quarantined=False, now=now
        )
        long_ago = now - timedelta(days=2)
        rows.add(GatewayNode(node="gone", seen_at=long_ago, steady_since=long_ago - timedelta(hours=1)))
        rows.add(GatewayNode(node="node-2", seen_at=now, steady_since=long_ago))
    async with gateway_world(database, vault, tmp_path):
        assert (await link(database)).node is None
        async with database.reading() as rows:
            assert set(await rows.scalars(select(GatewayNode.node))) == {"node-1", "node-2"}


async def test_a_place_on_record_that_no_socket_has_is_given_away(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.database.writing() as rows:
        key = "a key that no longer matters"
        await present_connections.claim(
            rows,
            CP,
            first.gateway._node,
            credential_id=key,
            address="192.0.2.1",
            quarantined=False,
            now=datetime.now(UTC),
        )
    async with second.client() as new:
        await becomes_ordinary(new)
        assert (await place(second)).generation == 2


async def test_who_waits_or_is_parked_is_shown(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    registry = CollectorRegistry()
    async with gateway_world(database, vault, tmp_path, metrics=GatewayMetrics(registry)) as world, world.client():
        await world.heard(Fact.CONNECTED)
        assert registry.get_sample_value("handover_station_connections_held") == 0
        async with world.client():
            await waits(database)
            assert registry.get_sample_value("handover_station_connections_held") == 1
            assert (await refusal(world, local_addr=ELSEWHERE)).status_code == HTTPStatus.SERVICE_UNAVAILABLE
            labels = {"reason": "contested"}
            assert registry.get_sample_value("handover_station_authentication_failures_total", labels) == 1
        await nobody_waits(database)
        assert registry.get_sample_value("handover_station_connections_held") == 0
        assert registry.get_sample_value("handover_station_connections_parked") == 0


async def test_one_that_waits_is_not_there_for_a_transfer(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await first.heard(Fact.TWO_HOLDERS)
            assert (await boots(held))[0] == "Pending"
            release = asyncio.create_task(first.gateway.orders.release(CP))
            frame = json.loads(await said(old))
            assert frame[2] == "ChangeAvailability"
            await old.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
            await release
            assert await is_silent(held)
