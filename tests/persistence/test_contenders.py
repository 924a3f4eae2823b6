"""Who may wait for a charger's place, and who may claim it: decided by its row, whoever else asks at that moment."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from domain.ids import NodeId
from persistence.chargers import contenders, present_connections
from persistence.chargers.contenders import Contest, Placing
from persistence.session import Database
from persistence.tables import PresentConnection
from persistence.vault import Vault
from tests.gateway.world import CP, seed

ONE, TWO = NodeId("one"), NodeId("two")
HERE, THERE = "192.0.2.1", "192.0.2.2"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
async def links(database: Database, vault: Vault) -> Database:
    await seed(database, vault)
    return database


async def claim(links: Database, node: NodeId = ONE) -> int:
    async with links.writing() as rows:
        return await present_connections.claim(
            rows, CP, node, credential_id="key", address=HERE, quarantined=False, now=NOW
        )


async def enter(links: Database, contender: str, address: str = THERE) -> Placing | None:
    async with links.writing() as rows:
        return await contenders.enter(rows, CP, contender, TWO, address)


async def placing(links: Database, contender: str | None = None, address: str = THERE) -> Placing | None:
    async with links.writing() as rows:
        return await contenders.placing(rows, CP, address, contender=contender)


async def release(links: Database, generation: int) -> None:
    async with links.writing() as rows:
        await present_connections.release(rows, CP, generation, NOW)


async def contests(links: Database, node: NodeId) -> list[Contest]:
    async with links.reading() as rows:
        return await contenders.contests_at(rows, node)


async def test_of_a_charger_that_never_connected_the_place_is_free(links: Database) -> None:
    assert await enter(links, "first") is Placing.FREE
    assert await placing(links) is Placing.FREE
    async with links.reading() as rows:
        assert not await contenders.is_contested(rows, CP)
        assert await present_connections.whereabouts(rows, CP) == (None, 0, False)
    assert await claim(links) == 1


async def test_one_waits_for_a_place_that_is_not_free(links: Database) -> None:
    await claim(links)
    assert await enter(links, "first") is Placing.WAITS
    assert await enter(links, "second", "192.0.2.3") is Placing.TAKEN
    expected = Contest(CP, ONE, 1, "first", TWO, THERE, answered=False)
    assert await contests(links, ONE) == await contests(links, TWO) == [expected]
    assert await contests(links, NodeId("three")) == []


async def test_of_many_at_once_one_waits(links: Database) -> None:
    await claim(links)
    found = await asyncio.gather(*(enter(links, f"{number}", f"192.0.2.{number}") for number in range(8)))
    assert Counter(found) == {Placing.WAITS: 1, Placing.TAKEN: 7}


async def test_a_claim_ends_the_wait_of_everybody(links: Database) -> None:
    generation = await claim(links)
    await enter(links, "first")
    async with links.writing() as rows:
        assert await contenders.note_answer(rows, CP, generation) == THERE
    await claim(links, TWO)
    async with links.reading() as rows:
        row = await rows.get_one(PresentConnection, CP)
    assert (row.contender, row.contender_node, row.contender_address, row.contended_at) == (None, None, None, None)
    assert not row.contender_answered
    assert await placing(links, "first") is None, "it has lost its turn"


async def test_a_release_leaves_the_place_to_who_waits(links: Database) -> None:
    generation = await claim(links)
    await enter(links, "first")
    assert await placing(links, "first") is Placing.WAITS
    await release(links, generation)
    assert await placing(links, "first") is Placing.FREE
    assert await placing(links, address="192.0.2.3") is Placing.TAKEN
    assert await placing(links, address=THERE) is Placing.FREE, "it may be the same charger, which came again"
    [contest] = await contests(links, TWO)
    assert contest.node is None


async def test_only_the_one_that_waits_leaves(links: Database) -> None:
    await claim(links)
    await enter(links, "first")
    assert await enter(links, "second") is Placing.WAITS
    async with links.writing() as rows:
        await contenders.leave(rows, CP, "first")
    assert [contest.contender for contest in await contests(links, ONE)] == ["second"]
    async with links.writing() as rows:
        await contenders.leave(rows, CP, "second")
    assert await contests(links, ONE) == []


async def test_an_answer_is_that_of_the_connection_that_was_asked(links: Database) -> None:
    older = await claim(links)
    newer = await claim(links)
    async with links.writing() as rows:
        assert await contenders.note_answer(rows, CP, newer) is None, "nobody waits"
    await enter(links, "first")
    async with links.writing() as rows:
        assert await contenders.note_answer(rows, CP, older) is None
    assert [contest.answered for contest in await contests(links, ONE)] == [False]
    async with links.writing() as rows:
        assert await contenders.note_answer(rows, CP, newer) == THERE
    assert [contest.answered for contest in await contests(links, ONE)] == [True]
    await enter(links, "second")
    assert [contest.answered for contest in await contests(links, ONE)] == [False], "it is asked anew for this one"
