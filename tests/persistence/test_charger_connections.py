"""When a charger was there, by our own clock, whatever became of the node that held it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from domain.charger_clock import ClockShown, Heard
from domain.charging import Presence
from domain.ids import ChargePointId, NodeId
from persistence.chargers import charger_connections, present_connections
from persistence.session import Database
from persistence.tables import ChargerConnection, GatewayNode
from persistence.vault import Vault
from tests.gateway.world import CP, seed

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE, OTHER = NodeId("node-1"), NodeId("node-2")


@pytest.fixture
async def links(database: Database, vault: Vault) -> Database:
    await seed(database, vault)
    return database


async def opens(links: Database, at: datetime, node: NodeId = ONE, *, quarantined: bool = False) -> int:
    async with links.writing() as rows:
        return await present_connections.claim(
            rows, CP, node, credential_id="key", address="192.0.2.1", quarantined=quarantined, now=at
        )


async def kept(links: Database) -> list[tuple[int, datetime | None, datetime | None]]:
    async with links.reading() as rows:
        found = await rows.scalars(select(ChargerConnection).order_by(ChargerConnection.generation))
        return [(row.generation, row.released_at, row.ended_at) for row in found]


async def presence(links: Database, generation: int, moment: datetime) -> Presence:
    async with links.reading() as rows:
        return await charger_connections.presence(rows, CP, generation, moment, since=NOW, margin=timedelta(minutes=1))


async def test_a_connection_is_kept_from_its_release_to_its_end(links: Database) -> None:
    first = await opens(links, NOW)
    second = await opens(links, NOW + HOUR, quarantined=True)
    async with links.writing() as rows:
        assert not await present_connections.lift_quarantine(rows, CP, first, NOW + 2 * HOUR)
        assert await present_connections.lift_quarantine(rows, CP, second, NOW + 2 * HOUR)
        assert await present_connections.release(rows, CP, second, NOW + 3 * HOUR)
        assert not await present_connections.release(rows, CP, second, NOW + 4 * HOUR)
    await opens(links, NOW + 5 * HOUR, quarantined=True)
    assert await kept(links) == [(1, NOW, NOW + HOUR), (2, NOW + 2 * HOUR, NOW + 3 * HOUR), (3, None, None)]


async def test_what_its_clock_was_off_by_is_kept_with_the_end(links: Database) -> None:
    shown = ClockShown((Heard(NOW - HOUR, NOW),))
    async with links.writing() as rows:
        generation = await present_connections.claim(
            rows, CP, ONE, credential_id="key", address="", quarantined=False, now=NOW - 2 * HOUR
        )
        assert await present_connections.release(rows, CP, generation, NOW, shown)
        assert (await rows.get_one(ChargerConnection, (CP, generation))).clock_off == HOUR.total_seconds()


async def test_what_a_dead_node_held_is_over_since_its_last_sign(links: Database) -> None:
    await opens(links, NOW)
    async with links.writing() as rows:
        rows.add(GatewayNode(node=ONE, seen_at=NOW + HOUR, steady_since=NOW))
    await opens(links, NOW + 3 * HOUR, OTHER)
    async with links.writing() as rows:
        rows.add(GatewayNode(node=OTHER, seen_at=NOW + 4 * HOUR, steady_since=NOW))
        await present_connections.clear_node(rows, OTHER, NOW + 9 * HOUR)
    assert await kept(links) == [(1, NOW, NOW + HOUR), (2, NOW + 3 * HOUR, NOW + 4 * HOUR)]


async def test_it_was_there_in_its_released_connections_but_for_their_uncertain_ends(links: Database) -> None:
    await opens(links, NOW)
    await opens(links, NOW + HOUR, quarantined=True)
    await opens(links, NOW + 2 * HOUR)
    for hours, was_there in ((-0.1, False), (0, True), (0.9, True), (0.99, False), (1.5, False), (2.5, False)):
        found = await presence(links, 3, NOW + hours * HOUR)
        assert (found.was_there, found.first_seen, found.left_at) == (was_there, NOW, NOW + HOUR), hours
    only = await presence(links, 1, NOW)
    assert (only.first_seen, only.left_at, only.was_there) == (NOW, None, False)


async def test_it_may_be_gone_since_the_end_of_its_last_ordinary_connection(links: Database) -> None:
    await opens(links, NOW)
    await opens(links, NOW + HOUR, quarantined=True)
    await opens(links, NOW + 2 * HOUR, quarantined=True)
    await opens(links, NOW + 3 * HOUR)
    for hours, gone in ((0.9, None), (1, 1), (2.5, 1), (9, 1)):
        found = await presence(links, 4, NOW + hours * HOUR)
        assert found.gone_since == (None if gone is None else NOW + gone * HOUR - timedelta(minutes=1)), hours


async def test_a_chargers_last_ordinary_connection_is_kept_however_old(links: Database) -> None:
    for hours, quarantined in ((0, False), (1, False), (2, True), (3, True)):
        await opens(links, NOW + hours * HOUR, quarantined=quarantined)
    async with links.writing() as rows:
        assert await charger_connections.forget(rows, NOW + 9999 * HOUR, 9) == 1
    assert [generation for generation, _, _ in await kept(links)] == [2, 3, 4]


async def test_what_is_over_for_long_is_forgotten_and_what_is_open_is_not(links: Database) -> None:
    for hours in range(4):
        await opens(links, NOW + hours * HOUR)
    async with links.writing() as rows:
        assert await charger_connections.forget(rows, NOW + 2.5 * HOUR, 1) == 1
        assert await charger_connections.forget(rows, NOW + 2.5 * HOUR, 9) == 1
        assert await charger_connections.forget(rows, NOW + 99 * HOUR, 9) == 1
    assert [generation for generation, _, _ in await kept(links)] == [4]


async def test_what_a_clock_was_off_by_before_is_what_the_last_earlier_connection_tells(links: Database) -> None:
    """Not what the present one does, nor another charger's."""
    for hours in range(4):
        await opens(links, NOW + hours * HOUR)
    async with links.writing() as rows:
        for generation, off in ((1, 60), (2, 120), (4, 240)):
            (await rows.get_one(ChargerConnection, (CP, generation))).clock_off = off
    async with links.reading() as rows:
        found = [await charger_connections.usually_off_before(rows, CP, generation) for generation in (1, 2, 3, 4)]
        nobody = await charger_connections.usually_off_before(rows, ChargePointId("cp-2"), 9)
    assert found == [None, timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=2)]
    assert nobody is None
