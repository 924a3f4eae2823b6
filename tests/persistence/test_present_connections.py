"""Which node holds a charger: the newest claim, and nobody else's release."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from domain.charger_clock import ClockShown, Heard
from domain.ids import ChargePointId, NodeId
from domain.keys import KeyPurpose
from domain.transfer import UntilNewKey
from persistence.chargers import present_connections
from persistence.chargers.charger_keys import KeyState, new_key
from persistence.chargers.present_connections import Place
from persistence.session import Database
from persistence.tables import ChargePoint, Credential
from persistence.vault import Vault
from tests.gateway.world import CP, seed

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE, TWO = NodeId("one"), NodeId("two")


@pytest.fixture
async def links(database: Database, vault: Vault) -> Database:
    await seed(database, vault)
    return database


async def claim(links: Database, node: NodeId, *, quarantined: bool = False) -> int:
    async with links.writing() as rows:
        return await present_connections.claim(
            rows, CP, node, credential_id="key", address="192.0.2.1", quarantined=quarantined, now=NOW
        )


async def place(links: Database) -> Place:
    async with links.reading() as rows:
        return await present_connections.whereabouts(rows, CP)


async def test_a_charger_that_never_connected_is_nowhere(links: Database) -> None:
    assert await place(links) == (None, 0, False)


async def test_each_claim_is_a_generation_higher_and_the_newest_holds(links: Database) -> None:
    assert [await claim(links, ONE), await claim(links, TWO, quarantined=True)] == [1, 2]
    assert await place(links) == (TWO, 2, True)


async def test_an_older_connection_can_release_nothing(links: Database) -> None:
    older, newer = await claim(links, ONE), await claim(links, TWO)
    async with links.writing() as rows:
        assert not await present_connections.release(rows, CP, older, NOW)
        assert not await present_connections.lift_quarantine(rows, CP, older, NOW)
    assert (await place(links)).node == TWO
    async with links.writing() as rows:
        assert await present_connections.release(rows, CP, newer, NOW)
        assert not await present_connections.release(rows, CP, newer, NOW)
    assert await place(links) == (None, 2, False)


async def test_a_quarantine_is_lifted_for_its_own_connection(links: Database) -> None:
    generation = await claim(links, ONE, quarantined=True)
    async with links.writing() as rows:
        assert await present_connections.lift_quarantine(rows, CP, generation, NOW)
    assert await place(links) == (ONE, 1, False)


async def test_a_node_clears_its_own_and_no_others(links: Database) -> None:
    await claim(links, ONE)
    async with links.writing() as rows:
        await present_connections.clear_node(rows, TWO, NOW)
    assert (await place(links)).node == ONE
    async with links.writing() as rows:
        await present_connections.clear_node(rows, ONE, NOW)
    assert await place(links) == (None, 1, False)


async def test_claims_at_the_same_time_get_generations_of_their_own(links: Database) -> None:
    assert sorted(await asyncio.gather(*(claim(links, ONE) for _ in range(5)))) == [1, 2, 3, 4, 5]


async def test_a_newer_connection_and_the_end_of_the_older_one_take_the_same_locks_in_the_same_order(
    links: Database,
) -> None:
    """Else one of both ends the other, and a charger is turned away."""

    async def ends(generation: int) -> None:
        async with links.writing() as rows:
            await present_connections.release(rows, CP, generation, NOW, ClockShown((Heard(NOW, NOW),)))

    generation = await claim(links, ONE)
    for _ in range(15):
        newer, _ = await asyncio.gather(claim(links, ONE), ends(generation))
        generation = newer


async def test_what_a_socket_rests_on_is_its_own_chargers_keys(links: Database) -> None:
    """Another one's that was withdrawn, or is older than its owner's time, does not matter."""
    await claim(links, ONE)
    async with links.writing() as rows:
        where = {"owner_id": "ann", "group_id": "group-ann", "version": 0, "ocpp": "1.6"}
        rows.add(ChargePoint(id="cp-2", identity="STATION-2", name="CP 2", **where))
        await rows.flush()
        for state, withdrawn in ((KeyState.PENDING, NOW + HOUR), (KeyState.REVOKED, None)):
            key = new_key(ChargePointId("cp-2"), state, state.value, NOW, purpose=KeyPurpose.TRANSFER, version=0)
            key.withdrawn_at, key.revoked_at = withdrawn, NOW + HOUR if withdrawn is None else None
            rows.add(key)
    async with links.reading() as rows:
        found = await present_connections.status(rows, CP)
    assert (found.keyed, found.unsettled, found.shut, found.revoked_at) == (True, False, False, None)


async def test_a_socket_is_shut_by_its_own_key_alone(links: Database) -> None:
    """A former owner's key opens no more than a quarantine; another key of the charger does not matter."""
    async with links.writing() as rows:
        point = await rows.get_one(ChargePoint, CP)
        point.owner_version, point.until_new_key = 1, UntilNewKey.QUARANTINE.value
        old = (await rows.scalars(select(Credential.id))).one()
        new = new_key(CP, KeyState.PENDING, "new", NOW, purpose=KeyPurpose.TYPED, version=1)
        rows.add(new)
        await rows.flush()
        for key, shut in ((old, True), (new.id, False)):
            await present_connections.claim(
                rows, CP, ONE, credential_id=key, address="192.0.2.1", quarantined=False, now=NOW
            )
            assert (await present_connections.status(rows, CP)).shut is shut


@pytest.mark.parametrize("state", [KeyState.PENDING, KeyState.BESIDE])
async def test_which_key_it_uses_is_open_while_one_that_was_withdrawn_since_may_still_be_taken(
    links: Database, state: KeyState
) -> None:
    await claim(links, ONE)
    async with links.writing() as rows:
        key = new_key(CP, state, "new", NOW, purpose=KeyPurpose.TRANSFER, version=1)
        key.withdrawn_at = NOW + HOUR
        rows.add(key)
        await rows.flush()
        assert (await present_connections.status(rows, CP)).unsettled is (state is KeyState.PENDING)
