"""Signs of life: who counts as dead, by whose sign, and what that means for its chargers."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from domain.ids import NodeId, UserId
from domain.rights import Scope
from persistence.chargers import gateway_nodes, present_connections
from persistence.chargers.gateway_nodes import FORGOTTEN_AFTER, LATE_AFTER, SILENT_AFTER, STEADY_AFTER
from persistence.clock import Now, SecondsBetween
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import ChargerConnection, GatewayNode, PresentConnection
from persistence.vault import Vault
from persistence.views.reads import Reads
from tests.gateway.world import CP, seed

ONE, TWO = NodeId("one"), NodeId("two")
MOMENT = timedelta(seconds=1)
Ages = Callable[..., Awaitable[None]]


@pytest.fixture
async def links(database: Database, vault: Vault) -> Database:
    """Give a charger's socket to node ONE."""
    await seed(database, vault)
    async with database.writing() as rows:
        await present_connections.claim(
            rows, CP, ONE, credential_id="key", address="192.0.2.1", quarantined=False, now=datetime.now(UTC)
        )
    return database


@pytest.fixture
def was_seen(links: Database) -> Ages:
    async def write(node: NodeId, ago: timedelta, *, steady: timedelta = timedelta(hours=1)) -> None:
        """Write that a node's last sign was so long ago, and that it had been steady for so long then."""
        seen = datetime.now(UTC) - ago
        async with links.writing() as rows:
            await rows.merge(GatewayNode(node=node, seen_at=seen, steady_since=seen - steady))

    return write


async def is_open(links: Database) -> bool:
    """Say whether the charger's socket counts as open: wherever that is asked, the answer is the same."""
    async with links.reading() as rows:
        answers = {
            (await present_connections.whereabouts(rows, CP)).node is not None,
            await present_connections.online_among(rows, {CP}) == {CP},
        }
        shown = await rows.scalar(
            select(present_connections.is_released()).where(PresentConnection.charge_point_id == CP)
        )
    [answer] = answers | {bool(shown)}
    return answer


async def test_a_moment_of_the_database_is_kept_as_any_other(links: Database) -> None:
    before = datetime.now(UTC)
    async with links.writing() as rows:
        await gateway_nodes.sign(rows, ONE)
        await rows.execute(update(PresentConnection).values(contended_at=Now()))
    async with links.reading() as rows:
        row = await rows.get_one(GatewayNode, ONE)
        link = await rows.get_one(PresentConnection, CP)
        query = select(
            SecondsBetween(GatewayNode.seen_at, PresentConnection.contended_at),
            SecondsBetween(PresentConnection.contended_at, Now()),
        )
        between, since = (
            await rows.execute(query.join(PresentConnection, PresentConnection.node == GatewayNode.node))
        ).one()
    assert link.contended_at is not None
    for moment in (row.seen_at, row.steady_since, link.contended_at):
        assert abs(moment - before) < timedelta(seconds=5)
    assert between == pytest.approx((link.contended_at - row.seen_at).total_seconds(), abs=0.002)
    assert 0 <= since < 5


async def test_a_node_is_steady_while_no_sign_is_late(links: Database, was_seen: Ages) -> None:
    await was_seen(ONE, LATE_AFTER - MOMENT, steady=timedelta(minutes=3))
    async with links.writing() as rows:
        await gateway_nodes.sign(rows, ONE)
        row = await rows.get_one(GatewayNode, ONE, populate_existing=True)
        assert row.seen_at - row.steady_since > timedelta(minutes=3)


async def test_a_late_sign_begins_anew(links: Database, was_seen: Ages) -> None:
    await was_seen(ONE, LATE_AFTER + MOMENT, steady=timedelta(minutes=3))
    async with links.writing() as rows:
        await gateway_nodes.sign(rows, ONE)
        row = await rows.get_one(GatewayNode, ONE, populate_existing=True)
        assert abs(row.seen_at - row.steady_since) < MOMENT


async def test_without_any_sign_nobody_is_dead(links: Database) -> None:
    assert await is_open(links)


async def test_a_single_node_is_never_dead(links: Database, was_seen: Ages) -> None:
    await was_seen(ONE, timedelta(days=3))
    assert await is_open(links)


async def test_a_steady_node_misses_another_one(links: Database, was_seen: Ages) -> None:
    await was_seen(TWO, timedelta(0))
    await was_seen(ONE, SILENT_AFTER - MOMENT)
    assert await is_open(links)
    await was_seen(ONE, SILENT_AFTER + MOMENT)
    assert not await is_open(links)
    async with links.writing() as rows:
        await gateway_nodes.sign(rows, ONE)
    assert await is_open(links), "it can write again, and keeps what nobody claimed"


async def test_time_in_which_no_node_could_write_does_not_count(links: Database, was_seen: Ages) -> None:
    await was_seen(ONE, timedelta(minutes=10))
    await was_seen(TWO, timedelta(minutes=10))
    async with links.writing() as rows:
        await gateway_nodes.sign(rows, TWO)
    assert await is_open(links), "the other one may just be about to write"
    await was_seen(TWO, timedelta(0), steady=STEADY_AFTER + MOMENT)
    assert not await is_open(links)


async def test_a_node_that_was_late_itself_can_miss_nobody(links: Database, was_seen: Ages) -> None:
    await was_seen(TWO, timedelta(0), steady=STEADY_AFTER - MOMENT)
    await was_seen(ONE, SILENT_AFTER + MOMENT)
    assert await is_open(links)


async def test_a_dead_nodes_charger_is_not_shown_as_connected(links: Database, was_seen: Ages) -> None:
    operator = Caller(UserId("ann"), "ann", None, None, "en", frozenset(Scope))
    assert operator.operator
    assert (await Reads(links).charge_point(operator, CP)).connected
    await was_seen(TWO, timedelta(0))
    await was_seen(ONE, SILENT_AFTER + MOMENT)
    assert not (await Reads(links).charge_point(operator, CP)).connected


async def test_a_quarantined_charger_is_not_shown_as_connected(links: Database) -> None:
    operator = Caller(UserId("ann"), "ann", None, None, "en", frozenset(Scope))
    async with links.writing() as rows:
        await rows.execute(update(PresentConnection).values(quarantined=True))
    assert not (await Reads(links).charge_point(operator, CP)).connected


async def test_what_a_node_held_that_is_silent_since_yesterday_is_forgotten(links: Database, was_seen: Ages) -> None:
    await was_seen(TWO, timedelta(0))
    await was_seen(ONE, FORGOTTEN_AFTER - MOMENT)
    async with links.writing() as rows:
        await present_connections.clear_dead(rows, datetime.now(UTC))
        assert (await rows.get_one(ChargerConnection, (CP, 1))).ended_at is None
    await was_seen(ONE, FORGOTTEN_AFTER + MOMENT)
    async with links.writing() as rows:
        sign = (await rows.get_one(GatewayNode, ONE)).seen_at
        await present_connections.clear_dead(rows, datetime.now(UTC))
        assert await rows.get(GatewayNode, ONE) is None
        connection = await rows.get_one(ChargerConnection, (CP, 1))
        assert connection.ended_at == sign, "it was over with the last sign of its node"
    assert not await is_open(links)
