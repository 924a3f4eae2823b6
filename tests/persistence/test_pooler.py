"""Behind PgBouncer in transaction mode, where each transaction may have another connection."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import make_url, select, text

from domain.errors import NotPossible, Unavailable
from persistence.importing.imports import import_lines
from persistence.session import Database
from persistence.tables import Compatibility, User
from persistence.vault import Vault
from tests.pgbouncer import pgbouncer

#: How many connections the pooler has for all who come.
CONNECTIONS = 3
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def pooled(postgres_url: str) -> Iterator[str]:
    with pgbouncer(postgres_url, CONNECTIONS) as port:
        url = make_url(postgres_url).set(host="127.0.0.1", port=port).update_query_dict({"pooler": "transaction"})
        yield url.render_as_string(hide_password=False)


@asynccontextmanager
async def opened(*databases: Database) -> AsyncIterator[None]:
    """Close them at the end, whatever happens: a pooler waits for who is connected."""
    try:
        yield
    finally:
        for db in databases:
            await db.close()


async def test_many_processes_share_few_connections_and_what_they_have_prepared(pooled: str, postgres_url: str) -> None:
    many, direct = [Database(pooled) for _ in range(4)], Database(postgres_url)

    async def work(number: int) -> None:
        db = many[number % len(many)]
        async with db.writing() as rows:
            rows.add(
                User(id=f"u-{number}", name="A", email=None, phone=None, locale="en", status="active", created_at=NOW)
            )
        async with db.reading() as rows:
            assert (await rows.get_one(User, f"u-{number}")).name == "A"
            await rows.execute(select(Compatibility))

    ours = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    async with opened(*many, direct):
        await asyncio.gather(*(work(number) for number in range(60)))
        async with direct.reading() as rows:
            assert await rows.scalar(ours) == CONNECTIONS


async def test_each_waits_for_a_lock_as_long_as_it_says_and_others_are_not_told(pooled: str) -> None:
    holds, hurried, patient = Database(pooled), Database(pooled, lock_wait=0.2), Database(pooled, lock_wait=8)
    locks = text("LOCK TABLE findings")

    async def lock(db: Database) -> None:
        async with db.writing() as rows:
            await rows.execute(locks)

    async with opened(holds, hurried, patient):
        async with holds.writing() as rows:
            await rows.execute(locks)
            waits = asyncio.create_task(lock(patient))
            with pytest.raises(Unavailable) as away:
                await lock(hurried)
            assert "lock timeout" in str(away.value.__cause__)
        await waits
        async with hurried.reading() as rows:
            assert await rows.scalar(text("SHOW lock_timeout")) == "0", "for its own transactions alone"
            assert await rows.scalar(text("SHOW statement_timeout")) == "12s"
            assert await rows.scalar(text("SHOW random_page_cost")) == "1.1"


async def test_what_takes_long_may_behind_a_pooler_too(pooled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistence.session.ANSWER_WITHIN_SECONDS", 0.5)
    db = Database(pooled)
    async with opened(db), db.apart() as apart, apart.staging() as rows:
        await rows.execute(text("SELECT pg_sleep(1)"))
        assert await rows.scalar(text("SHOW statement_timeout")) == "8min"


async def test_what_needs_a_connection_of_its_own_says_so(pooled: str, vault: Vault) -> None:
    db = Database(pooled)
    async with opened(db):
        with pytest.raises(NotPossible, match="PostgreSQL itself"):
            await import_lines(db, vault, [])


def test_another_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="transaction"):
        Database("postgresql+asyncpg://x@localhost/x?pooler=session")
