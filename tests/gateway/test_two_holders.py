"""Two sockets with the same key that people know: who waits, who is asked, who has the place; at one node or two."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from domain.ids import NodeId
from domain.keys import KeyPurpose, KnownTo
from gateway.facts import Fact
from gateway.socket_limits import SocketLimits
from persistence.chargers import credentials, typed_keys
from persistence.chargers.charger_keys import PURPOSE, KeyState, new_key
from persistence.session import Database
from persistence.tables import ChargePoint, ChargingSession, Credential
from persistence.vault import Vault
from tests.gateway.bare import ask, place
from tests.gateway.contested import (
    ELSEWHERE,
    NEVER,
    SOON,
    becomes_ordinary,
    boots,
    call,
    deafen,
    eventually,
    is_silent,
    link,
    nobody_waits,
    on_record,
    two_nodes,
    waits,
)
from tests.gateway.world import CP, ORDER, World, said


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
    limits = SocketLimits(ping_every=timedelta(milliseconds=100), ping_timeout=timedelta(milliseconds=300))
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
            async with first.database.reading() as rows:
                assert await rows.get(ChargingSession, 1) is None


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
    limits = SocketLimits(ping_every=timedelta(milliseconds=200), ping_timeout=timedelta(milliseconds=400))
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


# --- keys ---------------------------------------------------------------------------------------------------------


async def test_a_proof_is_never_held_and_ends_every_socket_with_an_older_key(nodes: tuple[World, World]) -> None:
    first, second = nodes
    typed = "ab" * 20
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await waits(first.database)
            async with first.database.writing() as rows:
                await typed_keys.hand_out(rows, first.vault, CP, typed, ORDER, datetime.now(UTC))
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
        async with first.database.writing() as rows:
            await typed_keys.set_current(
                rows, first.vault, CP, "another-key-typed-in", datetime.now(UTC), purpose=KeyPurpose.GIVEN
            )
        async with second.client("another-key-typed-in") as new:
            assert (await boots(new))[0] == "Accepted"


async def test_one_whose_key_ends_while_it_waits_is_closed(nodes: tuple[World, World]) -> None:
    first, second = nodes
    async with first.client():
        await first.heard(Fact.CONNECTED)
        async with second.client() as held:
            await waits(first.database)
            async with first.database.writing() as rows:
                await credentials.revoke_all(rows, CP, datetime.now(UTC))
            await asyncio.wait_for(held.wait_closed(), 5)
        await nobody_waits(first.database)


async def test_one_whose_own_key_ends_while_it_waits_is_closed(nodes: tuple[World, World]) -> None:
    """It came with another key that may be the charger's, while the new owner's is awaited."""
    first, second = nodes
    async with first.database.writing() as rows:
        await rows.execute(update(ChargePoint).values(owner_version=1, until_new_key="serve"))
        mac = first.vault.mac(PURPOSE, b"another-one")
        key = new_key(CP, KeyState.BESIDE, mac, datetime.now(UTC), purpose=KeyPurpose.TYPED, version=0)
        rows.add(key)
    async with first.client() as old:
        await first.heard(Fact.CONNECTED)
        async with second.client("another-one") as held:
            await waits(first.database)
            async with first.database.writing() as rows:
                await rows.execute(update(Credential).where(Credential.id == key.id).values(state="revoked"))
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
