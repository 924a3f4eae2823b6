"""Two sockets with the same key that people know: who waits, who is asked, who has the place; at one node or two."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select, update
from websockets.exceptions import InvalidStatus

from domain.errors import Unavailable
from domain.ids import NodeId
from domain.keys import KeyPurpose, KnownTo
from gateway.facts import Fact
from gateway.limits import Limits
from gateway.watch import Watch
from persistence import charger_links, contenders, credentials, typed_keys
from persistence.charger_keys import PURPOSE, KeyState, new_key
from persistence.contenders import KEEPS_ITS_TURN
from persistence.session import Database
from persistence.tables import ChargePoint, ChargingSession, Credential, GatewayNode, Link
from persistence.vault import Vault
from tests.gateway.bare import ask, place
from tests.gateway.contested import (
    ELSEWHERE,
    SOON,
    becomes_ordinary,
    boots,
    call,
    deafen,
    dies,
    eventually,
    is_silent,
    link,
    nobody_waits,
    on_record,
    refusal,
    two_nodes,
    waits,
)
from tests.gateway.world import CP, IDENTITY, OLD_KEY, ORDER, World, gateway_world, said, seed

NEVER = timedelta(days=1)


@pytest.fixture(params=["one node", "two nodes"])
async def nodes(
    request: pytest.FixtureRequest, database: Database, vault: Vault, tmp_path: Path
) -> AsyncIterator[tuple[World, World]]:
    """Give the node of the socket that has the place, and that of the one that comes later."""
    async with two_nodes(database, vault, tmp_path, limits=SOON) as (first, second):
        yield (first, first) if request.param == "one node" else (first, second)


def heard(worlds: tuple[World, World], fact: Fact) -> int:
    first, second = worlds
    return first.facts.count(fact) + (second.facts.count(fact) if second is not first else 0)


# --- the open one is gone -----------------------------------------------------------------------------------------


async def test_a_charger_whose_network_changed_has_its_place_once_its_old_socket_answers_no_ping(
    nodes: tuple[World, World],
) -> None:
    """Nothing that it said meanwhile is answered before, and all of it in its order then."""
    first, second = nodes
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        deafen(old)
        async with second.client() as new:
            await call(new, "1", "BootNotification", chargePointVendor="V", chargePointModel="M")
            await call(new, "2", "Authorize", idTag="ANN1")
            at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
            await call(new, "3", "StartTransaction", connectorId=1, idTag="ANN1", meterStart=5, timestamp=at)
            await waits(first.database)
            assert await is_silent(new, seconds=0.2)
            answers = [json.loads(await said(new)) for _ in range(3)]
            assert [answer[1] for answer in answers] == ["1", "2", "3"]
            assert answers[0][2]["status"] == "Accepted"
            assert answers[1][2]["idTagInfo"]["status"] == "Accepted"
            assert answers[2][2]["transactionId"] > 0
            row = await link(first.database)
            assert (row.generation, row.contender) == (2, None)
            old.transport.resume_reading()
            await asyncio.wait_for(old.wait_closed(), 5)
            assert old.close_code == 1006, "no close frame was sent, and none waited for"
            assert (await link(first.database)).node is not None
    assert await on_record(first.database) == ([], {})


async def test_one_that_has_much_to_say_while_it_waits_is_not_taken_for_dead(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    """Its answers to pings stand in line behind what nobody reads yet."""
    limits = Limits(ping_every=timedelta(milliseconds=100), ping_timeout=timedelta(milliseconds=300))
    worlds = two_nodes(database, vault, tmp_path, limits=limits, look_every=NEVER)
    async with worlds as (first, second), first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as new:
            await waits(database)
            for number in range(60):
                await call(new, str(number), "Heartbeat")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(new.wait_closed(), 1)
            await old.close()
            await first.heard(Fact.DISCONNECTED)
            await second.gateway._contests.look()
            assert [json.loads(await said(new))[1] for _ in range(60)] == [str(number) for number in range(60)]


async def test_one_that_is_there_until_it_leaves_gives_the_place_up_at_once(nodes: tuple[World, World]) -> None:
    """A charger that opens its second socket before it closes the first."""
    first, second = nodes
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as new:
            await waits(first.database)
            await old.close()
            await becomes_ordinary(new)
            assert (await ask(new, "Authorize", idTag="ANN1"))[2]["idTagInfo"]["status"] == "Accepted"
            row = await link(first.database)
            assert (row.generation, row.quarantined, row.contender) == (2, False, None)


# --- the open one is there ----------------------------------------------------------------------------------------


async def test_one_that_answers_keeps_the_place_and_the_other_is_told_to_wait(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as new:
            await first.heard(Fact.TWO_HOLDERS)
            assert await boots(new) == ("Pending", 10)
            assert (await ask(new, "Authorize", idTag="ANN1"))[2]["idTagInfo"]["status"] == "Blocked"
            assert "currentTime" in (await ask(new, "Heartbeat"))[2]
            assert await boots(old) == ("Accepted", 300)
            assert (await ask(old, "Authorize", idTag="ANN1"))[2]["idTagInfo"]["status"] == "Accepted"
            assert await place(first) == (NodeId("node-1"), 1, False)
            assert (await link(first.database)).contender is not None
    events, found = await on_record(first.database)
    assert events == [("two_holders", {"address": "127.0.0.1", "holder_address": "127.0.0.1"})]
    assert found == {"two_holders": 1}


async def test_what_the_waiting_one_tells_of_sessions_is_neither_taken_over_nor_refused(
    nodes: tuple[World, World],
) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with second.client() as new:
            await first.heard(Fact.TWO_HOLDERS)
            assert (await boots(new))[0] == "Pending"
            at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
            await call(new, "1", "StartTransaction", connectorId=1, idTag="ANN1", meterStart=5, timestamp=at)
            soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
            await call(new, "2", "StartTransaction", connectorId=1, idTag="ANN1", meterStart=5, timestamp=soon)
            await call(new, "3", "StopTransaction", meterStop=9, timestamp=at, transactionId=1)
            sample = [{"timestamp": at, "sampledValue": [{"value": "7"}]}]
            await call(new, "4", "MeterValues", connectorId=1, transactionId=1, meterValue=sample)
            await new.send('[2,"5","Heartbeat",{}]')
            assert json.loads(await said(new))[:2] == [3, "5"], "it is the first answer"
            async with first.database.reading() as session:
                assert await session.get(ChargingSession, 1) is None


async def test_in_the_later_version_of_ocpp_sessions_are_left_unanswered_too(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with second.client(subprotocols=["ocpp2.0.1"]) as new:
            await first.heard(Fact.TWO_HOLDERS)
            station = {"vendorName": "V", "model": "M"}
            booted = await ask(new, "BootNotification", chargingStation=station, reason="PowerUp")
            assert (booted[2]["status"], booted[2]["interval"]) == ("Pending", 10)
            at = datetime.now(UTC).isoformat()
            for number, kind in enumerate(("Started", "Updated", "Ended")):
                info = {"transactionId": "t-1"}
                event = {"eventType": kind, "timestamp": at, "triggerReason": "Authorized", "seqNo": number}
                await call(new, str(number), "TransactionEvent", transactionInfo=info, **event)
            await new.send('[2,"last","Heartbeat",{}]')
            assert json.loads(await said(new))[:2] == [3, "last"]


async def test_the_waiting_one_is_an_ordinary_connection_once_the_open_one_goes(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as new:
            await first.heard(Fact.TWO_HOLDERS)
            assert (await boots(new))[0] == "Pending"
            assert heard(nodes, Fact.CONNECTED) == 1
            await old.close()
            await second.heard(Fact.CONNECTED, 2 if first is second else 1)
            await becomes_ordinary(new)
            row = await link(first.database)
            assert (row.generation, row.quarantined, row.contender) == (2, False, None)
            soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
            start = {"connectorId": 1, "idTag": "ANN1", "meterStart": 5, "timestamp": soon}
            assert (await ask(new, "StartTransaction", **start))[2]["transactionId"] > 0
        await second.heard(Fact.DISCONNECTED, 2 if first is second else 1)
        assert (await link(first.database)).node is None


async def test_one_that_answered_and_answers_no_later_ping_loses_the_place(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = Limits(ping_every=timedelta(milliseconds=200), ping_timeout=timedelta(milliseconds=400))
    async with two_nodes(database, vault, tmp_path, limits=limits) as (first, second), first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as new:
            await first.heard(Fact.TWO_HOLDERS)
            deafen(old)
            await second.heard(Fact.CONNECTED)
            await becomes_ordinary(new)


async def test_two_holders_are_on_record_once_a_day(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        for _ in range(3):
            async with second.client() as new:
                await eventually(lambda: answered(first.database))
                assert (await boots(new))[0] == "Pending"
            await nobody_waits(first.database)
    events, found = await on_record(first.database)
    assert (len(events), found) == (1, {"two_holders": 1})
    assert heard(nodes, Fact.TWO_HOLDERS) == 1


async def answered(database: Database) -> bool:
    row = await link(database)
    return row.contender is not None and row.contender_answered


# --- one waits, and keeps its turn --------------------------------------------------------------------------------


async def test_whoever_finds_the_turn_taken_is_told_when_to_come_again(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await waits(first.database)
            for world in nodes:
                answer = await refusal(world, local_addr=ELSEWHERE)
                assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
                assert 0 < int(answer.headers["Retry-After"]) <= 10
            await held.ping()
            assert (await link(first.database)).contender_address == "127.0.0.1"


async def test_after_its_time_one_from_another_address_may_have_the_turn(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await waits(first.database)
            async with first.database.writing() as session:
                then = datetime.now(UTC) - KEEPS_ITS_TURN - timedelta(seconds=1)
                await session.execute(update(Link).values(contended_at=then))
            async with first.client(local_addr=ELSEWHERE):
                await waits(first.database, address="127.0.0.2")
                await asyncio.wait_for(held.wait_closed(), 5)
                assert held.close_code == 1013
                assert (await link(first.database)).contender_address == "127.0.0.2", "nobody took it away"


async def test_from_the_same_address_the_turn_is_had_at_once(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await waits(first.database)
            before = (await link(first.database)).contender
            async with first.client() as newer:
                await asyncio.wait_for(held.wait_closed(), 5)
                row = await link(first.database)
                assert row.contender not in {None, before}
                assert (await boots(newer))[0] == "Pending"


async def test_who_waits_has_the_place_before_a_newcomer(database: Database, vault: Vault, tmp_path: Path) -> None:
    """Even where its node has not looked yet."""
    worlds = two_nodes(database, vault, tmp_path, limits=SOON, look_every=NEVER)
    async with worlds as (first, second), first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await waits(database)
            await old.close()
            await first.heard(Fact.DISCONNECTED)
            async with database.writing() as session:
                await session.execute(update(Link).values(contended_at=datetime.now(UTC) - 2 * KEEPS_ITS_TURN))
            answer = await refusal(first, local_addr=ELSEWHERE)
            assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
            await second.gateway._contests.look()
            await becomes_ordinary(held)


async def test_contested_upgrades_have_a_limit_of_their_own(database: Database, vault: Vault, tmp_path: Path) -> None:
    limits = Limits(contests_per_identity=2, guesses_per_identity=2)
    async with two_nodes(database, vault, tmp_path, limits=limits) as (first, _), first.client() as old:
        await first.heard(Fact.CONNECTED)
        for _ in range(2):
            async with first.client():
                await waits(database)
            await nobody_waits(database)
        for _ in range(5):
            answer = await refusal(first)
            assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
            assert 0 < int(answer.headers["Retry-After"]) <= 10
        async with first.client(local_addr=ELSEWHERE):
            await waits(database, address="127.0.0.2")
        await old.close()
        await nobody_waits(database)
        await first.heard(Fact.DISCONNECTED)
        async with first.client() as back:
            assert (await boots(back))[0] == "Accepted", "its password is right, and nobody else is there"


async def test_of_many_at_once_one_has_the_place_and_one_waits(nodes: tuple[World, World]) -> None:
    first, second = nodes
    racing = [(first, second)[number % 2].client() for number in range(8)]
    sockets = await asyncio.gather(*racing, return_exceptions=True)
    opened = [socket for socket in sockets if not isinstance(socket, BaseException)]
    for failure in sockets:
        if isinstance(failure, BaseException):
            assert isinstance(failure, InvalidStatus)
            assert failure.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE

    async def settled() -> bool:
        left = [socket for socket in opened if socket.close_code is None]
        return len(left) <= 2 and bool(left)

    await eventually(settled)
    assert (await link(first.database)).node is not None
    statuses = sorted([(await boots(one))[0] for one in opened if one.close_code is None])
    assert statuses in (["Accepted"], ["Accepted", "Pending"])
    for socket in opened:
        await socket.close()
    await nobody_waits(first.database)

    async def nobody_there() -> bool:
        return (await link(first.database)).node is None

    await eventually(nobody_there)
    async with first.client() as back:
        assert (await boots(back))[0] == "Accepted"


# --- keys ---------------------------------------------------------------------------------------------------------


async def test_a_proof_is_never_held_and_ends_every_socket_with_an_older_key(nodes: tuple[World, World]) -> None:
    first, second = nodes
    typed = "ab" * 20
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await waits(first.database)
            async with first.database.writing() as session:
                await typed_keys.hand_out(session, first.vault, CP, typed, ORDER, datetime.now(UTC))
            async with second.client(typed, local_addr=ELSEWHERE) as new:
                assert (await boots(new))[0] == "Accepted"
                await asyncio.wait_for(old.wait_closed(), 10)
                await asyncio.wait_for(held.wait_closed(), 10)
                assert (await link(first.database)).contender is None


async def test_a_socket_whose_key_has_ended_holds_nobody_up(nodes: tuple[World, World]) -> None:
    """Its proof was written, and its socket lost before it was claimed: what comes next is no proof any more."""
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with first.database.writing() as session:
            await typed_keys.set_current(
                session, first.vault, CP, "another-key-typed-in", datetime.now(UTC), purpose=KeyPurpose.GIVEN
            )
        async with second.client("another-key-typed-in") as new:
            assert (await boots(new))[0] == "Accepted"


async def test_one_whose_key_ends_while_it_waits_is_closed(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await waits(first.database)
            async with first.database.writing() as session:
                await credentials.revoke_all(session, CP, datetime.now(UTC))
            await asyncio.wait_for(held.wait_closed(), 5)
        await nobody_waits(first.database)


async def test_one_whose_own_key_ends_while_it_waits_is_closed(nodes: tuple[World, World]) -> None:
    """It came with another key that may be the charger's, while the new owner's is awaited."""
    first, second = nodes
    async with first.database.writing() as session:
        await session.execute(update(ChargePoint).values(owner_version=1, until_new_key="serve"))
        mac = first.vault.mac(PURPOSE, b"another-one")
        key = new_key(CP, KeyState.BESIDE, mac, datetime.now(UTC), purpose=KeyPurpose.TYPED, version=0)
        session.add(key)
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client("another-one") as held:
            await waits(first.database)
            async with first.database.writing() as session:
                await session.execute(update(Credential).where(Credential.id == key.id).values(state="revoked"))
            await asyncio.wait_for(held.wait_closed(), 5)
        await nobody_waits(first.database)
        assert await boots(old) == ("Accepted", 300)


@pytest.mark.parametrize("where", ["one node", "two nodes"])
async def test_with_a_key_that_only_the_charger_knows_the_newer_wins_and_the_older_is_asked(
    database: Database, vault: Vault, tmp_path: Path, where: str
) -> None:
    worlds = two_nodes(database, vault, tmp_path, known_to=KnownTo.CHARGER, limits=SOON)
    async with worlds as (first, other), first.client() as old:
        await first.heard(Fact.CONNECTED)
        second = first if where == "one node" else other
        async with second.client() as new:
            assert (await boots(new))[0] == "Accepted"
            await asyncio.wait_for(old.wait_closed(), 10)
            assert (await place(second)).generation == 2
            await first.heard(Fact.TWO_HOLDERS)
    assert (await on_record(database))[1] == {"two_holders": 1}


@pytest.mark.parametrize("where", ["one node", "two nodes"])
async def test_an_older_socket_that_does_not_answer_is_closed_and_no_news(
    database: Database, vault: Vault, tmp_path: Path, where: str
) -> None:
    worlds = two_nodes(database, vault, tmp_path, known_to=KnownTo.CHARGER, limits=SOON)
    async with worlds as (first, other), first.client() as old:
        await first.heard(Fact.CONNECTED)
        deafen(old)
        second = first if where == "one node" else other
        async with second.client() as new:
            assert (await boots(new))[0] == "Accepted"

            async def closed() -> bool:
                return len(first.gateway._server.connections) == (second is first)  # type: ignore[union-attr]

            await eventually(closed)
            assert await on_record(database) == ([], {})


async def test_an_older_socket_of_a_rotation_is_no_second_holder(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    worlds = two_nodes(database, vault, tmp_path, known_to=KnownTo.CHARGER, limits=SOON)
    async with worlds as (first, second), first.client() as old:
        await first.heard(Fact.CONNECTED)
        key = await first.order_key()
        for world in (first, second):
            async with world.client(key) as new:
                assert (await boots(new))[0] == "Accepted"
                await asyncio.wait_for(old.wait_closed(), 10)
                break
        assert await on_record(database) == ([], {})


# --- what may go wrong meanwhile ----------------------------------------------------------------------------------


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
    patient = Limits(ping_timeout=timedelta(seconds=20))
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
                    return first.gateway._sessions.find(CP) is None

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
        async with database.writing() as session:
            await contenders.enter(session, CP, "of a killed one", NodeId("node-2"), "192.0.2.7")
        async with gateway_world(database, vault, tmp_path, node=NodeId("node-2")):
            assert (await link(database)).contender is None
        assert (await place(first)).generation == 1


async def test_a_turn_on_record_that_no_socket_has_is_cleared(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with first.database.writing() as session:
            node = second.gateway._node
            await contenders.enter(session, CP, "its upgrade came to nothing", node, "192.0.2.7")
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
    async with database.writing() as session:
        await charger_links.claim(
            session, CP, NodeId("gone"), credential_id="k", address="192.0.2.1", quarantined=False, now=now
        )
        long_ago = now - timedelta(days=2)
        session.add(GatewayNode(node="gone", seen_at=long_ago, steady_since=long_ago - timedelta(hours=1)))
        session.add(GatewayNode(node="node-2", seen_at=now, steady_since=long_ago))
    async with gateway_world(database, vault, tmp_path):
        assert (await link(database)).node is None
        async with database.reading() as session:
            assert set(await session.scalars(select(GatewayNode.node))) == {"node-1", "node-2"}


async def test_a_place_on_record_that_no_socket_has_is_given_away(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.database.writing() as session:
        key = "a key that no longer matters"
        await charger_links.claim(
            session,
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
    async with gateway_world(database, vault, tmp_path, watch=Watch(registry)) as world, world.client():
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
