"""What the role of the processes may not do on PostgreSQL; what it may, every other test shows that runs there."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import ProgrammingError

from domain.errors import NotFound
from persistence.migrating import migrate
from persistence.schema import fits
from persistence.session import Database
from tests.commands.test_setting_up import handover
from tests.conftest import PROCESSES, administer, in_database
from tests.persistence.unguarded import owned
from tests.postgres import as_owner


@pytest.fixture
async def processes(postgres_url: str) -> AsyncIterator[Database]:
    db = Database(postgres_url)
    yield db
    await db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id integer)",
        "ALTER TABLE users ADD COLUMN mine integer",
        "DROP TABLE findings",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_events_only_grow ON audit_events",
        "CREATE OR REPLACE FUNCTION audit_events_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN END$$",
        "TRUNCATE audit_events",
        "UPDATE audit_events SET actor = 'user:mallory'",
        "UPDATE audit_events SET sequence = sequence + 1",
        "UPDATE audit_events SET hash = NULL, salt = NULL",
        "UPDATE audit_gaps SET hash = NULL",
        "DELETE FROM audit_gaps",
        "UPDATE audit_seals SET digest = ''",
        "DELETE FROM audit_seals",
        "UPDATE audit_sealed_heads SET sequence = 0",
        "DELETE FROM audit_sealed_heads",
        "UPDATE ownership_periods SET owner_id = 'mallory'",
        "DELETE FROM ownership_periods",
        "UPDATE compatibility SET oldest = '9999'",
        "UPDATE alembic_version SET version_num = '0001'",
        "SET session_replication_role = replica",
    ],
)
async def test_the_processes_may_alter_neither_tables_nor_trails(processes: Database, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        async with processes.writing() as rows:
            await rows.execute(text(statement))


async def test_a_migration_grants_what_is_missing_and_takes_what_is_too_much(
    processes: Database, postgres_url: str
) -> None:
    async with owned(processes) as owners, owners.writing() as rows:
        await rows.execute(text(f"GRANT DELETE ON audit_seals TO {PROCESSES}"))
        await rows.execute(text(f"REVOKE INSERT ON users FROM {PROCESSES}"))
    await migrate(as_owner(postgres_url), PROCESSES)
    async with processes.reading() as rows:
        may = text("SELECT has_table_privilege('audit_seals', 'DELETE'), has_table_privilege('users', 'INSERT')")
        assert tuple((await rows.execute(may)).one()) == (False, True)


async def test_migrate_makes_tables_that_belong_to_one_role_and_are_used_by_another(postgres_server: str) -> None:
    name = f"test_{uuid.uuid4().hex}"
    await administer(postgres_server, f"CREATE DATABASE {name}")
    owners = in_database(postgres_server, name)
    ours = make_url(owners).set(username=PROCESSES, password=PROCESSES).render_as_string(hide_password=False)
    environ = {**os.environ, "HANDOVER_DATABASE_URL": ours, "HANDOVER_MIGRATION_DATABASE_URL": owners}
    try:
        code, _, err = await asyncio.to_thread(handover, environ, "migrate", "--no-search-attributes")
        assert (code, err) == (0, "")
        db = Database(ours)
        assert await fits(db)
        async with db.writing() as rows:
            await rows.execute(text("DELETE FROM users"))
        await db.close()
    finally:
        await administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_role_that_is_not_there_is_named(postgres_url: str) -> None:
    with pytest.raises(NotFound, match="no role nobody"):
        await migrate(as_owner(postgres_url), "nobody")


async def test_who_owns_the_tables_keeps_them(postgres_url: str) -> None:
    owner = make_url(as_owner(postgres_url)).username
    await migrate(as_owner(postgres_url), owner)
    db = Database(as_owner(postgres_url))
    async with db.writing() as rows:
        await rows.execute(text("DELETE FROM audit_seals"))
    await db.close()


async def test_without_a_role_in_its_url_nothing_is_migrated(postgres_url: str) -> None:
    nobody = postgres_url.replace(f"{PROCESSES}:{PROCESSES}@", "")
    environ = {**os.environ, "HANDOVER_DATABASE_URL": nobody, "HANDOVER_MIGRATION_DATABASE_URL": as_owner(postgres_url)}
    code, _, err = await asyncio.to_thread(handover, environ, "migrate", "--no-search-attributes")
    assert code == 1
    assert "has to name the role" in err


async def test_the_processes_role_is_told_that_it_can_not_migrate(postgres_url: str) -> None:
    environ = {**os.environ, "HANDOVER_DATABASE_URL": postgres_url}
    migrating = (environ, "migrate", "--no-search-attributes")
    assert (await asyncio.to_thread(handover, *migrating))[0] == 0, "there is nothing to do"
    await administer(as_owner(postgres_url), "UPDATE alembic_version SET version_num = '0021'")
    code, _, err = await asyncio.to_thread(handover, *migrating)
    assert code == 1
    assert "HANDOVER_MIGRATION_DATABASE_URL" in err
