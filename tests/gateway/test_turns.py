"""While somebody has the place one other may wait for it, and keeps its turn; at one node or two."""

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from sqlalchemy import update
from websockets.exceptions import InvalidStatus

from gateway.facts import Fact
from gateway.socket_limits import SocketLimits
from persistence.chargers.contenders import KEEPS_ITS_TURN
from persistence.session import Database
from persistence.tables import PresentConnection
from persistence.vault import Vault
from tests.gateway.contested import (
    ELSEWHERE,
    NEVER,
    SOON,
    becomes_ordinary,
    boots,
    eventually,
    link,
    nobody_waits,
    refusal,
    two_nodes,
    waits,
)
from tests.gateway.world import World


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
            async with first.database.writing() as rows:
                then = datetime.now(UTC) - KEEPS_ITS_TURN - timedelta(seconds=1)
                await rows.execute(update(PresentConnection).values(contended_at=then))
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
            async with database.writing() as rows:
                await rows.execute(
                    update(PresentConnection).values(contended_at=datetime.now(UTC) - 2 * KEEPS_ITS_TURN)
                )
            answer = await refusal(first, local_addr=ELSEWHERE)
            assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
            await second.gateway._contests.look()
            await becomes_ordinary(held)


async def test_contested_upgrades_have_a_limit_of_their_own(database: Database, vault: Vault, tmp_path: Path) -> None:
    limits = SocketLimits(contests_per_identity=2, guesses_per_identity=2)
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
