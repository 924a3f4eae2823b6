"""Who comes with a key that was the charger's once: refused, on record, and no guess."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select, update

from domain.errors import Unavailable
from domain.keys import KeyPurpose
from gateway.facts import FACTS_AN_HOUR, Fact, Reporter, Tasks
from gateway.metrics import GatewayMetrics
from gateway.socket_limits import SocketLimits
from persistence.chargers import typed_keys
from persistence.session import Database
from persistence.tables import AuditEvent, Finding
from persistence.transfers import audit
from persistence.vault import Vault
from tests.gateway.contested import boots, on_record, refusal
from tests.gateway.world import CP, OLD_KEY, World, gateway_world, keys, seed
from tests.persistence.unguarded import unguarded

NEW_KEY = "second-password-typed-in"


@pytest.fixture
async def watched(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[tuple[World, CollectorRegistry]]:
    """Give a gateway whose charger had OLD_KEY, and has come with NEW_KEY."""
    await seed(database, vault)
    registry, limits = CollectorRegistry(), SocketLimits(guesses_per_identity=3)
    async with gateway_world(database, vault, tmp_path, limits=limits, metrics=GatewayMetrics(registry)) as world:
        await replace(world, NEW_KEY)
        await comes(world, NEW_KEY)
        yield world, registry


async def replace(world: World, key: str) -> None:
    async with world.database.writing() as rows:
        now = datetime.now(UTC)
        await typed_keys.set_current(rows, world.vault, CP, key, now, purpose=KeyPurpose.GIVEN)


async def comes(world: World, key: str) -> None:
    async with world.client(key) as charger:
        assert (await boots(charger))[0] == "Accepted"


async def is_written(world: World) -> None:
    """Wait until nothing is being written of what was noted."""
    running = [task for task in world.gateway._tasks._running if "ended key" in task.get_name()]
    await asyncio.gather(*running)


async def test_an_ended_key_opens_nothing_and_is_on_record(watched: tuple[World, CollectorRegistry]) -> None:
    world, registry = watched
    assert (await refusal(world)).status_code == HTTPStatus.UNAUTHORIZED
    await world.heard(Fact.ENDED_KEY)
    events, found = await on_record(world.database)
    ended_at = (await keys(world.database))["revoked"].revoked_at
    assert ended_at is not None
    assert events == [("ended_key_tried", {"ended_at": ended_at.isoformat(), "address": "127.0.0.1"})]
    assert found == {"ended_key_tried": 1}
    labels = {"reason": "ended"}
    assert registry.get_sample_value("handover_station_authentication_failures_total", labels) == 1


async def test_it_is_answered_as_a_stranger_is(watched: tuple[World, CollectorRegistry]) -> None:
    world, _ = watched
    ended, wrong = await refusal(world), await refusal(world, "wrong")
    assert (ended.status_code, ended.body) == (wrong.status_code, wrong.body)
    assert ended.headers["WWW-Authenticate"] == wrong.headers["WWW-Authenticate"]


async def test_it_is_no_guess_and_counts_against_nothing(watched: tuple[World, CollectorRegistry]) -> None:
    world, registry = watched
    for _ in range(6):
        assert (await refusal(world)).status_code == HTTPStatus.UNAUTHORIZED
    await comes(world, NEW_KEY)
    for _ in range(3):
        assert (await refusal(world, "wrong")).status_code == HTTPStatus.UNAUTHORIZED
    assert (await refusal(world, "wrong")).status_code == HTTPStatus.TOO_MANY_REQUESTS
    labels = {"reason": "ended"}
    assert registry.get_sample_value("handover_station_authentication_failures_total", labels) == 6


async def test_each_key_is_on_record_once_a_day_and_the_owner_told_once(
    watched: tuple[World, CollectorRegistry],
) -> None:
    world, _ = watched
    await replace(world, "third-password-typed-in")
    await comes(world, "third-password-typed-in")
    for password in (OLD_KEY, NEW_KEY, OLD_KEY, NEW_KEY):
        await refusal(world, password)
        await is_written(world)
    events, found = await on_record(world.database)
    assert [action for action, _ in events] == ["ended_key_tried", "ended_key_tried"]
    assert found == {"ended_key_tried": 2}
    assert world.facts.count(Fact.ENDED_KEY) == 1


async def test_until_a_charger_has_come_with_the_key_in_use_an_ended_one_is_on_record_and_no_news(
    watched: tuple[World, CollectorRegistry],
) -> None:
    """Seconds after its owner had a new key made, the charger itself comes back with the one that it still has."""
    world, _ = watched
    await replace(world, "third-password-typed-in")
    for password in (NEW_KEY, OLD_KEY, NEW_KEY):
        await refusal(world, password)
        await is_written(world)
    events, found = await on_record(world.database)
    assert [action for action, _ in events] == ["ended_key_tried", "ended_key_tried"]
    assert found == {"ended_key_tried": 2}
    assert Fact.ENDED_KEY not in world.facts


async def test_once_a_charger_has_come_with_the_key_in_use_the_same_ended_one_is_news_on_the_same_day(
    watched: tuple[World, CollectorRegistry],
) -> None:
    """A former owner who tried meanwhile has not spent the owner's letter of that day."""
    world, _ = watched
    await replace(world, "third-password-typed-in")
    await refusal(world)
    await is_written(world)
    await comes(world, "third-password-typed-in")
    for _ in range(2):
        await refusal(world)
        await is_written(world)
    await world.heard(Fact.ENDED_KEY)
    assert world.facts.count(Fact.ENDED_KEY) == 1
    events, found = await on_record(world.database)
    assert [action for action, _ in events] == ["ended_key_tried", "ended_key_tried"]
    assert found == {"ended_key_tried": 2}


async def test_a_second_key_that_nobody_has_typed_yet_hides_no_try_for_longer_than_that(
    watched: tuple[World, CollectorRegistry],
) -> None:
    """What was told once in a day is not told again for a new key; what was not, is."""
    world, _ = watched
    await refusal(world)
    await world.heard(Fact.ENDED_KEY)
    await replace(world, "third-password-typed-in")
    for _ in range(2):
        await refusal(world, NEW_KEY)
        await is_written(world)
    await comes(world, "third-password-typed-in")
    await refusal(world, NEW_KEY)
    await is_written(world)
    assert world.facts.count(Fact.ENDED_KEY) == 1
    assert len((await on_record(world.database))[0]) == 3


async def test_on_the_next_day_it_is_on_record_again(watched: tuple[World, CollectorRegistry]) -> None:
    world, _ = watched
    await refusal(world)
    await world.heard(Fact.ENDED_KEY)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with unguarded(world.database) as rows:
        row = (await rows.scalars(select(AuditEvent).where(AuditEvent.action == "ended_key_tried"))).one()
        row.once = (row.once or "").replace(str(datetime.now(UTC).date()), str(yesterday.date()))
        await rows.execute(update(Finding).values(found_at=yesterday))
    noted = world.gateway._ended._noted
    noted.update(dict.fromkeys(noted, yesterday.date()))
    await refusal(world)
    await world.heard(Fact.ENDED_KEY, 2)
    assert len((await on_record(world.database))[0]) == 2


async def test_a_flood_of_upgrades_is_none_of_writes(
    watched: tuple[World, CollectorRegistry], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = watched
    written: list[str] = []
    append = audit.append

    async def counted(*args: object, **how: object) -> bool:
        written.append("once")
        return await append(*args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(audit, "append", counted)
    await asyncio.gather(*(refusal(world) for _ in range(20)))
    await is_written(world)
    assert written == ["once"]


async def test_what_could_not_be_written_is_on_record_the_next_time(
    watched: tuple[World, CollectorRegistry], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = watched

    def away() -> None:
        raise Unavailable("The database is away.")

    with monkeypatch.context() as outage:
        outage.setattr(world.database, "writing", away)
        assert (await refusal(world)).status_code == HTTPStatus.UNAUTHORIZED
        await is_written(world)
    assert (await on_record(world.database))[0] == []
    await refusal(world)
    await world.heard(Fact.ENDED_KEY)
    assert len((await on_record(world.database))[0]) == 1


async def test_a_wrong_password_and_a_stranger_are_not_on_record(watched: tuple[World, CollectorRegistry]) -> None:
    world, _ = watched
    await refusal(world, "wrong")
    await refusal(world, "wrong", path="/ocpp/NOBODY", user="NOBODY")
    await is_written(world)
    async with world.database.reading() as rows:
        tried = select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "ended_key_tried")
        assert await rows.scalar(tried) == 0
        assert await rows.scalar(select(func.count()).select_from(Finding)) == 0


async def test_a_kind_of_fact_is_told_however_often_another_was() -> None:
    heard: list[Fact] = []

    async def on_fact(_: object, fact: Fact) -> None:
        heard.append(fact)

    tasks = Tasks()
    reporter = Reporter(on_fact, tasks)
    for _ in range(FACTS_AN_HOUR + 5):
        reporter.report(CP, Fact.CONNECTED)
    reporter.report(CP, Fact.PROVED)
    reporter.report(CP, Fact.TWO_HOLDERS)
    reporter.report(CP, Fact.ENDED_KEY)
    await tasks.finish(5)
    assert heard.count(Fact.CONNECTED) == FACTS_AN_HOUR
    assert heard[-3:] == [Fact.PROVED, Fact.TWO_HOLDERS, Fact.ENDED_KEY], "one kind keeps no other from being told"
