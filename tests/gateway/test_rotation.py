"""A charger gets its new key, whatever it makes of it: nobody is ever locked out."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from domain.charger import KeyAnswer
from gateway.facts import Fact
from gateway.ocpp.line import NotConnected
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.world import CP, OLD_KEY, ORDER, World, gateway_world, keys, seed
from tools.simulator.faults import Fault as Trouble


async def test_a_charger_that_accepts_comes_back_with_the_new_key_and_the_old_one_is_dead(world: World) -> None:
    async with world.station() as station:
        await station.until(lambda: station.online)
        key = await world.order_key()
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is KeyAnswer.ACCEPTED
        await world.heard(Fact.PROVED)
        await station.until(lambda: station.online and station.state.password == key)
    rows = await keys(world.database)
    assert set(rows) == {"current", "revoked"}
    assert rows["current"].sealed_key is None
    assert rows["current"].decoded is False
    assert (await world.status()).proven
    assert await world.refuses(OLD_KEY)


async def test_the_reply_and_the_next_connection_race_and_nobody_loses(world: World) -> None:
    for turn in range(5):
        async with world.station() as station:
            await station.until(lambda: station.online)
            await world.order_key(order_id=f"order-{turn}")
            assert (await world.gateway.orders.rotate(CP, f"order-{turn}")).said is KeyAnswer.ACCEPTED
            await world.heard(Fact.PROVED, turn + 1)
            assert station.refused == 0


async def test_the_new_key_is_good_before_the_charger_has_answered(world: World) -> None:
    async with world.client() as old:
        await world.heard(Fact.CONNECTED)
        key = await world.order_key()
        rotating = asyncio.create_task(world.gateway.orders.rotate(CP, ORDER))
        await old.recv()
        async with world.client(key):  # comes back with it while its reply is still unsent, the old socket open
            await world.heard(Fact.PROVED)
            assert (await rotating).said is KeyAnswer.ACCEPTED
            await asyncio.wait_for(old.wait_closed(), 5)
    assert (await world.status()).proven


async def test_a_lost_reply_locks_nobody_out(world: World) -> None:
    async with world.station(faults=[Trouble.LOSE_REPLY]) as station:
        await station.until(lambda: station.online)
        key = await world.order_key()
        answer = await world.gateway.orders.rotate(CP, ORDER)
        assert answer.said in {KeyAnswer.UNKNOWN, KeyAnswer.ACCEPTED}
        await world.heard(Fact.PROVED)
        await station.until(lambda: station.online)
        assert station.state.password == key
        assert station.refused == 0
    assert (await world.gateway.orders.rotate(CP, ORDER)).said is KeyAnswer.ACCEPTED


async def test_a_charger_that_decodes_the_hex_digits_is_known_by_their_bytes(world: World) -> None:
    async with world.station(faults=[Trouble.DECODE_HEX]) as station:
        await station.until(lambda: station.online)
        key = await world.order_key()
        await world.gateway.orders.rotate(CP, ORDER)
        await world.heard(Fact.PROVED)
        await station.until(lambda: station.online and station.state.decoded)
    async with world.client(bytes.fromhex(key)):
        pass
    assert await world.refuses(key)  # the form is known now


async def test_a_charger_that_needs_a_restart_takes_the_key_at_its_reset(world: World) -> None:
    async with world.station(faults=[Trouble.REBOOT_REQUIRED]) as station:
        await station.until(lambda: station.online)
        key = await world.order_key()
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is KeyAnswer.REBOOT_REQUIRED
        assert station.state.password == OLD_KEY
        async with world.client():
            pass  # the old key opens an ordinary connection until then
        await world.heard(Fact.CONNECTED, 3)
        await station.until(lambda: station.online)
        assert Fact.RETURNED_WITH_OLD_KEY not in world.facts
        await world.gateway.orders.reset(CP)
        await world.heard(Fact.PROVED)
        assert station.state.password == key
        await station.until(lambda: station.online and station.state.boots == 2)


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [(Trouble.REJECT, KeyAnswer.REJECTED), (Trouble.NOT_SUPPORTED, KeyAnswer.NOT_SUPPORTED)],
)
async def test_a_charger_that_refuses_keeps_its_key_and_is_not_asked_again(
    world: World, trouble: Trouble, expected: KeyAnswer
) -> None:
    async with world.station(faults=[trouble]) as station:
        await station.until(lambda: station.online)
        key = await world.order_key()
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is expected
        assert set(await keys(world.database)) == {"current", "revoked"}
    assert (await world.gateway.orders.rotate(CP, ORDER)).said is expected  # though it is not even connected
    assert (await world.status()).answer == expected
    assert await world.refuses(key)
    assert not await world.refuses(OLD_KEY)


async def test_a_retry_sends_the_same_key(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        key = await world.order_key()
        for _ in range(2):
            rotating = asyncio.create_task(world.gateway.orders.rotate(CP, ORDER))
            frame = str(await socket.recv())
            assert key in frame
            rotating.cancel()
            await asyncio.gather(rotating, return_exceptions=True)
        await world.order_key()
        assert set(await keys(world.database)) == {"current", "pending"}


async def test_a_silent_charger_is_unknown_and_stays_connected(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault)
    async with (
        gateway_world(database, vault, tmp_path, call_timeout=timedelta(milliseconds=300)) as world,
        world.client() as socket,
    ):
        await world.heard(Fact.CONNECTED)
        await world.order_key()
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is KeyAnswer.UNKNOWN
        assert (await world.status()).answer == KeyAnswer.UNKNOWN
        await (await socket.ping())
    assert set(await keys(database)) == {"current", "pending"}


async def test_who_is_not_connected_gets_nothing_sent(world: World) -> None:
    await world.order_key()
    with pytest.raises(NotConnected):
        await world.gateway.orders.rotate(CP, ORDER)
    assert (await world.status()).answer is None


async def test_an_order_whose_key_went_back_to_the_one_it_was_taken_from_is_refused_and_nothing_is_sent(
    world: World,
) -> None:
    """It took a due key over, the charger refused it, and the gateway died before anybody heard of that."""
    async with world.station(faults=[Trouble.REJECT]) as station:
        await station.until(lambda: station.online)
        await world.order_key(order_id="first")
        await world.order_key(order_id="second")
        assert (await world.gateway.orders.rotate(CP, "second")).said is KeyAnswer.REJECTED
        assert (await keys(world.database))["pending"].order_id == "first"
        sent = (await keys(world.database))["pending"].sent_at
        assert (await world.gateway.orders.rotate(CP, "second")).said is KeyAnswer.REJECTED
        assert (await keys(world.database))["pending"].sent_at == sent
