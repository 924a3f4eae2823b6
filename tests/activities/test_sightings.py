"""What was seen at the sockets, in the records: which connection was open at a change of owner, and news of keys."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from temporalio.client import Client

from activities.contracts.reconciler import Look, Settlement, Suspicion, Suspicions
from activities.contracts.registry import WhileAbsent
from activities.reconciler import DatabaseReconciler
from activities.registry import DatabaseRegistry
from domain.ids import NodeId
from domain.reconciliation import NEWS, Finding
from persistence.chargers import contenders, gateway_nodes, present_connections, sightings
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, GatewayNode, PresentConnection
from persistence.transfers import findings, inconsistencies
from persistence.vault import Vault
from tests.activities.test_reconciler import reconciler
from tests.activities.test_registry import BOB_OWNS, CP, keep, registry

__all__ = ["reconciler", "registry"]

NODE = NodeId("node-1")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


async def connect(database: Database) -> None:
    async with database.writing() as rows:
        await present_connections.claim(
            rows, CP, NODE, credential_id="key", address="192.0.2.1", quarantined=False, now=NOW
        )
        await gateway_nodes.sign(rows, NODE)


async def changed(registry: DatabaseRegistry, database: Database, vault: Vault) -> dict[str, Any]:
    """Give what the trail says of a change of owner."""
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    async with database.reading() as rows:
        query = select(AuditEvent.detail).where(
            AuditEvent.subject == ref.transfer_id, AuditEvent.action == "ownership_changed"
        )
        detail: dict[str, Any] = (await rows.execute(query)).scalar_one()
        return detail


async def test_a_change_of_owner_notes_which_connection_was_open(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    await connect(database)
    await connect(database)
    detail = await changed(registry, database, vault)
    assert (detail["generation"], detail["address"]) == (2, "192.0.2.1")


async def test_who_waited_before_the_change_is_news_to_the_new_owner_too(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    """The socket that has the place is asked once more, and its answer is on record in the new owner's time."""
    await connect(database)
    async with database.writing() as rows:
        await contenders.enter(rows, CP, "who waits", NODE, "192.0.2.7")
        await contenders.note_answer(rows, CP, 1)
    await changed(registry, database, vault)
    async with database.reading() as rows:
        link = await rows.get_one(PresentConnection, CP)
        assert (link.contender, link.contender_answered) == ("who waits", False)


async def test_of_a_charger_that_is_not_there_it_notes_none(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    await connect(database)
    async with database.writing() as rows:
        alive = (await rows.get_one(GatewayNode, NODE)).seen_at
        rows.add(GatewayNode(node="node-2", seen_at=alive + timedelta(hours=1), steady_since=alive))
    detail = await changed(registry, database, vault)
    assert not {"generation", "address"} & set(detail), "its node is dead"


async def test_news_is_nothing_to_settle(reconciler: DatabaseReconciler, database: Database, temporal: Client) -> None:
    del temporal
    async with database.writing() as rows:
        assert await sightings.note_two_holders(rows, CP, address="a", holder_address="b", now=NOW)
        assert await sightings.note_ended_key(rows, CP, "key", ended_at=NOW, address="a", now=NOW)
        assert await findings.note_seen(rows, Finding.SESSIONS_IN_DOUBT, CP, NOW, since=NOW)
    seen = await reconciler.look(Look())
    assert NEWS.isdisjoint(one.kind for one in seen.items)
    assert not seen.parked
    await reconciler.settle(seen)
    async with database.reading() as rows:
        every = {one.kind: (one.settlement, one.times, one.settled_at) for one in await findings.every(rows)}
        assert await findings.parked(rows) == []
        assert NEWS.isdisjoint(kind for kind, _ in await inconsistencies.of_the_register(rows, inconsistencies.Slice()))
    assert every == {kind.value: ("seen", 1, NOW) for kind in NEWS}
    made_up = Suspicion(kind=Finding.TWO_HOLDERS, subject=CP)
    settled = await reconciler.settle(Suspicions(items=(made_up,), whole=True, parked=False))
    assert [one.settlement for one in settled.items] == [Settlement.UNFOUNDED]


async def test_it_is_news_once_a_day(registry: DatabaseRegistry, database: Database) -> None:
    del registry
    told = []
    for now in (NOW, NOW + timedelta(hours=11), NOW + timedelta(hours=12), NOW + timedelta(days=2)):
        async with database.writing() as rows:
            told.append(await sightings.note_two_holders(rows, CP, address="a", holder_address="b", now=now))
    assert told == [True, False, True, True]
    async with database.reading() as rows:
        [found] = await findings.every(rows)
    assert (found.times, found.found_at) == (3, NOW + timedelta(days=2))


async def test_what_a_former_owner_was_told_is_news_to_the_next_one_on_the_same_day(
    registry: DatabaseRegistry, database: Database
) -> None:
    del registry
    told = []
    for version, hours in ((0, 0), (0, 1), (1, 3), (1, 4)):
        async with database.writing() as rows:
            point = await rows.get_one(ChargePoint, CP)
            point.owner_version = version
            point.owner_changed_at = NOW + timedelta(hours=2) if version else None
            now = NOW + timedelta(hours=hours)
            two = await sightings.note_two_holders(rows, CP, address="a", holder_address="b", now=now)
            ended = await sightings.note_ended_key(rows, CP, "key", ended_at=NOW, address="a", now=now)
            told.append((two, ended))
    assert told == [(True, True), (False, False), (True, True), (False, False)]


async def test_an_ended_key_is_no_news_while_a_charger_is_awaited_with_the_one_in_use(
    registry: DatabaseRegistry, database: Database
) -> None:
    """Each sort has its own entry in a day, so that what came meanwhile keeps nothing from being told later."""
    del registry
    now = datetime.now(UTC)
    tries = [("a", True), ("a", True), ("b", True), ("a", False), ("a", False), ("b", False), ("c", True)]
    told = []
    for key, awaited in tries:
        async with database.writing() as rows:
            news = await sightings.note_ended_key(rows, CP, key, ended_at=NOW, address="x", now=now, awaited=awaited)
            told.append(news)
    assert told == [False, False, False, True, False, False, False]
    async with database.reading() as rows:
        tried = select(AuditEvent.action).where(AuditEvent.action == "ended_key_tried")
        assert len((await rows.scalars(tried)).all()) == 5
        [found] = await findings.every(rows)
    assert found.times == 5
