"""What is counted and traced at the sockets."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from websockets.exceptions import InvalidStatus

from gateway.facts import Fact
from gateway.metrics import GatewayMetrics
from gateway.ocpp.line import NoAnswer
from gateway.socket_limits import SocketLimits
from persistence.session import Database
from persistence.tables import Credential
from persistence.vault import Vault
from telemetry.traces import Tracing
from tests.gateway.bare import ask
from tests.gateway.world import CP, IDENTITY, ORDER, World, gateway_world, keys, seed
from tests.telemetry.lines import written
from tests.telemetry.spans import Kept


@dataclass
class Watched:
    world: World
    registry: CollectorRegistry
    kept: Kept
    tracing: Tracing

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"handover_{name}", labels) or 0


@pytest.fixture
async def watched(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[Watched]:
    await seed(database, vault)
    registry, kept = CollectorRegistry(), Kept()
    tracing = Tracing("handover-gateway", kept)
    patience, limits = timedelta(milliseconds=500), SocketLimits(guesses_per_identity=3)
    metrics = GatewayMetrics(registry, tracing.tracer)
    async with gateway_world(database, vault, tmp_path, metrics=metrics, call_timeout=patience, limits=limits) as world:
        yield Watched(world, registry, kept, tracing)


async def test_connections_are_shown_by_version_and_quarantine(watched: Watched) -> None:
    world = watched.world
    async with world.client():
        await world.heard(Fact.CONNECTED)
        assert watched.count("station_connections", ocpp="1.6", quarantined="false") == 1
        async with world.client():
            await world.heard(Fact.CONNECTED, 2)
            assert watched.count("station_connections", ocpp="1.6", quarantined="false") == 1
    await world.heard(Fact.DISCONNECTED)
    await world.order_key(quarantines_old=True)
    async with world.client():
        await world.heard(Fact.CONNECTED, 3)
        assert watched.count("station_connections", ocpp="1.6", quarantined="true") == 1
        assert watched.count("station_connections", ocpp="1.6", quarantined="false") == 0
    await world.heard(Fact.DISCONNECTED, 2)
    assert watched.count("station_connections", ocpp="1.6", quarantined="true") == 0
    assert watched.count("station_connections_opened_total", ocpp="1.6", quarantined="false") == 2
    assert watched.count("station_connections_opened_total", ocpp="1.6", quarantined="true") == 1
    assert watched.count("station_connections_closed_total", ocpp="1.6") == 3


async def test_who_is_not_let_in_is_counted_by_the_reason(watched: Watched) -> None:
    world = watched.world

    async def failed(reason: str) -> float:
        return watched.count("station_authentication_failures_total", reason=reason)

    assert await world.refuses("wrong")
    assert await world.refuses("wrong", path="/ocpp/NOBODY", user="NOBODY")
    assert await world.refuses("wrong", user="SOMEBODY-ELSE")
    async with world.database.writing() as rows:
        (await rows.get_one(Credential, (await keys(world.database))["current"].id)).state = "revoked"
    assert await world.refuses("first-password-typed-in")
    for _ in range(2):
        assert await world.refuses("wrong")
    with pytest.raises(InvalidStatus, match="429"):
        async with world.client():
            pass

    reasons = ("wrong_password", "unknown_identity", "no_credentials", "ended", "revoked", "rate_limited")
    assert [await failed(reason) for reason in reasons] == [1, 1, 1, 1, 2, 1]


async def test_messages_are_counted_by_the_actions_that_we_know(watched: Watched) -> None:
    world = watched.world
    async with world.client() as socket:
        await ask(socket, "Heartbeat")
        await ask(socket, "MadeUp")
        await ask(socket, "MadeUpToo")

    assert watched.count("ocpp_messages_received_total", ocpp="1.6", action="Heartbeat") == 1
    assert watched.count("ocpp_messages_received_total", ocpp="1.6", action="unknown") == 2


async def test_a_call_to_a_charger_is_timed_and_has_a_span_without_its_content(watched: Watched) -> None:
    world = watched.world
    async with world.station() as station:
        await station.until(lambda: station.online)
        key = await world.order_key()
        await world.gateway.orders.rotate(CP, ORDER)
        await world.heard(Fact.PROVED)

    assert watched.count("ocpp_calls_total", action="ChangeConfiguration", outcome="answered") == 1
    assert watched.count("ocpp_call_duration_seconds_count", action="ChangeConfiguration") == 1
    spans = watched.kept.named(watched.tracing)
    assert set(spans) == {"OCPP ChangeConfiguration"}  # none of a heartbeat, nor of a boot
    span = spans["OCPP ChangeConfiguration"]
    assert span.attributes is not None
    assert dict(span.attributes) == {
        "rpc.system": "ocpp",
        "rpc.method": "ChangeConfiguration",
        "ocpp.version": "1.6",
        "ocpp.message_id": span.attributes["ocpp.message_id"],
        "ocpp.outcome": "answered",
    }
    assert key not in span.to_json()


async def test_a_call_without_an_answer_says_so(watched: Watched) -> None:
    world = watched.world
    async with world.client():
        await world.heard(Fact.CONNECTED)
        with pytest.raises(NoAnswer):
            await world.gateway.orders.release(CP)

    assert watched.count("ocpp_calls_total", action="ChangeAvailability", outcome="no_answer") == 1
    span = watched.kept.named(watched.tracing)["OCPP ChangeAvailability"]
    assert span.attributes is not None
    assert span.attributes["ocpp.outcome"] == "no_answer"
    assert not span.status.is_ok


async def test_no_label_holds_who_it_is(watched: Watched) -> None:
    await test_messages_are_counted_by_the_actions_that_we_know(watched)
    await watched.world.refuses("wrong")

    shown = generate_latest(watched.registry).decode()

    assert not re.search(rf"{IDENTITY}|{CP}|MadeUp|127\.0\.0\.1", shown)


async def test_the_log_lines_of_a_socket_carry_its_charge_point(watched: Watched) -> None:
    world = watched.world
    with written() as lines:
        async with world.client() as socket:
            await world.heard(Fact.CONNECTED)
            await socket.send("no OCPP at all")
            await ask(socket, "Heartbeat")

    (line,) = [line for line in lines.read() if line["logger"] == "gateway.ocpp.line"]
    assert line["charge_point_id"] == CP
