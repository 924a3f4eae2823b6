"""Migrations: up, down and up again on both databases, and never out of step with the tables."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    MetaData,
    bindparam,
    func,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import create_async_engine

from domain.errors import Unavailable
from persistence.migrating import ADVISORY_LOCK, migrate
from persistence.schema import fits, newest_revision, sqlite_file
from persistence.session import Database
from persistence.tables import AuditCounter, AuditEvent, Compatibility, Table, Transfer, UtcDateTime
from tests.postgres import as_owner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def postgres_url(postgres_server: str) -> str:
    """An empty database."""
    name = f"empty_{uuid.uuid4().hex}"
    engine = create_async_engine(postgres_server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return make_url(postgres_server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database in a folder that is not there yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'new' / 'handover.db'}"


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def run(url: str, *program: str) -> str:
    environ = {**os.environ, "HANDOVER_DATABASE_URL": url}
    done = subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alembic(url: str, *arguments: str) -> str:
    return run(url, sys.executable, "-m", "alembic", *arguments)


def handover(url: str, *arguments: str) -> str:
    return run(url, sys.executable, "handover", *arguments)


async def tables(url: str) -> set[str]:
    db = Database(url)
    async with db.reading() as rows:
        names = await (await rows.connection()).run_sync(lambda found: inspect(found).get_table_names())
    await db.close()
    return set(names) - {"alembic_version"}


async def current(url: str) -> bool:
    db = Database(url)
    try:
        return await fits(db)
    finally:
        await db.close()


async def test_up_down_and_up_again_leaves_exactly_the_tables(url: str) -> None:
    wanted = {table.name for table in Table.metadata.sorted_tables}
    await migrate(url)
    assert await tables(url) == wanted
    await asyncio.to_thread(alembic, url, "downgrade", "base")
    assert await tables(url) == set()
    assert not await current(url)
    await migrate(url)
    await migrate(url)
    assert await tables(url) == wanted
    assert await current(url)
    assert "No new upgrade operations" in await asyncio.to_thread(alembic, url, "check")


#: Tables that came after the revision that the rows begin at.
YOUNGER = {
    *("findings", "account_openings", "rate_counts", "gateway_nodes", "orders", "charger_connections"),
    *("unmatched_stops", "charger_changes", "outbox", "sign_ins", "sign_in_codes"),
    *("passkeys", "passkey_challenges", "audit_gaps", "audit_seals", "audit_sealed_heads", "compatibility"),
}


def fill(connection: Connection) -> None:
    """Put a row into each table, with values of each column's type that fit together."""
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        if table.name != "alembic_version":
            values = {column.name: value_for(column) for column in table.columns if not column.nullable}
            connection.execute(insert(table).values(values))


def value_for(column: Column[Any]) -> object:
    if column.name == "warnings":
        return ["lists_due"]
    if column.name == "state":
        return "current"
    kinds: dict[type, object] = {
        str: "x", int: 1, bool: False, bytes: b"x", datetime: datetime.now(UTC), float: 1.0,
    }  # fmt: skip
    return kinds.get(column.type.python_type, [])


async def counts(url: str) -> dict[str, int]:
    db = Database(url)
    async with db.reading() as rows:
        counted = {
            table.name: await rows.scalar(select(func.count()).select_from(table)) or 0
            for table in Table.metadata.sorted_tables
            if table.name not in YOUNGER
        }
        assert (await rows.scalars(select(Transfer.due))).all() == [True]
    await db.close()
    return counted


async def test_rows_live_through_up_and_down(url: str) -> None:
    await asyncio.to_thread(handover, url, "migrate", "--no-search-attributes")  # makes the folder
    await asyncio.to_thread(alembic, url, "downgrade", "0002")
    assert not await current(url)
    db = Database(url)
    async with db.writing() as rows:
        await (await rows.connection()).run_sync(fill)
    await db.close()
    await migrate(url)
    assert set((await counts(url)).values()) == {1}, "each table that was there has its row"
    await asyncio.to_thread(alembic, url, "downgrade", "0002")
    await migrate(url)
    assert set((await counts(url)).values()) == {1}


#: An entry as it was written under the id of a transfer that never was.
_INVENTED = (
    "INSERT INTO audit_events (transfer_id, sequence, at, actor, action, detail)"
    " VALUES (:id, 1, :at, 'user:x', :action, :detail)"
)


async def invent(url: str, *entries: tuple[str, str]) -> None:
    """Write entries of cp-1 as before, each under an id of its own."""
    db = Database(url)
    async with db.writing() as rows:
        written = text(_INVENTED).bindparams(bindparam("detail", type_=JSON), bindparam("at", type_=UtcDateTime))
        for transfer_id, action in entries:
            values = {"id": transfer_id, "at": datetime.now(UTC), "action": action}
            await rows.execute(written, {**values, "detail": {"charge_point_id": "cp-1", "address": "203.0.113.9"}})
            await rows.execute(text("INSERT INTO audit_counters VALUES (:id, 1)"), {"id": transfer_id})
    await db.close()


async def trails(url: str) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Give every entry and every counter."""
    db = Database(url)
    columns = (AuditEvent.subject, AuditEvent.sequence, AuditEvent.action, AuditEvent.tells_place)
    async with db.reading() as rows:
        found = (await rows.execute(select(*columns).order_by(AuditEvent.subject, AuditEvent.sequence))).all()
        counters = (
            await rows.execute(select(AuditCounter.subject, AuditCounter.last).order_by(AuditCounter.subject))
        ).all()
    await db.close()
    return [tuple(row) for row in found], [tuple(row) for row in counters]


async def test_entries_under_ids_of_transfers_that_never_were_become_the_charge_points(url: str) -> None:
    await asyncio.to_thread(handover, url, "migrate", "--no-search-attributes")
    await asyncio.to_thread(alembic, url, "downgrade", "0007")
    await invent(url, ("trf_3", "request_refused"), ("trf_1", "connected_afresh"), ("trf_2", "reserved"))
    await migrate(url)
    first = [
        ("charge_point:cp-1", 1, "request_refused", True),
        ("charge_point:cp-1", 2, "connected_afresh", True),
        ("trf_2", 1, "reserved", True),
    ]
    assert await trails(url) == (first, [("charge_point:cp-1", 2), ("trf_2", 1)])

    await asyncio.to_thread(alembic, url, "downgrade", "0007")
    await invent(url, ("trf_4", "request_refused"))
    await migrate(url)
    both = [*first[:2], ("charge_point:cp-1", 3, "request_refused", True), first[2]]
    assert await trails(url) == (both, [("charge_point:cp-1", 3), ("trf_2", 1)])


async def test_a_new_revision_has_the_next_number(sqlite_url: str, tmp_path: Path) -> None:
    await migrate(sqlite_url)
    copy = shutil.copytree(ROOT / "persistence" / "migrations", tmp_path / "migrations")
    here = tmp_path / "alembic.ini"
    here.write_text(f"[alembic]\nscript_location = {copy}\nprepend_sys_path = {ROOT}\n")
    before = set(copy.glob("versions/*.py"))
    await asyncio.to_thread(alembic, sqlite_url, "-c", str(here), "revision", "--autogenerate", "-m", "what is new")
    [added] = set(copy.glob("versions/*.py")) - before
    assert added.name == f"{int(max(before).name[:4]) + 1:04}_what_is_new.py"


async def test_a_database_that_is_not_there_is_not_current(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "handover.db"
    assert not await current(f"sqlite+aiosqlite:///{file}")
    assert not file.exists()


async def test_two_migrations_at_once_run_one_after_the_other(url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(handover, url, "migrate", "--no-search-attributes") for _ in range(2)))
    assert await current(url)


async def test_a_migration_waits_for_another_one_however_long_a_statement_may(url: str) -> None:
    other = Database(url)
    if (file := sqlite_file(url)) is not None:
        file.parent.mkdir(parents=True)
    try:
        async with other.writing() as rows:
            held = "1" if file is not None else f"pg_advisory_xact_lock({ADVISORY_LOCK})"
            await rows.execute(text(f"SELECT {held}"))
            waiting = asyncio.create_task(migrate(url))
            ended, _ = await asyncio.wait({waiting}, timeout=5.5)  # longer than any wait for a table
            assert not ended
        await waiting
    finally:
        await other.close()
    assert await current(url)


async def test_a_migration_gives_up_on_a_table_that_is_in_use(postgres_url: str) -> None:
    await migrate(as_owner(postgres_url))
    holder = Database(as_owner(postgres_url), migrates=True)  # which may hold it for as long as that takes
    try:
        async with holder.writing() as rows:
            await rows.execute(text("LOCK TABLE alembic_version"))
            with pytest.raises(Unavailable):
                await migrate(as_owner(postgres_url))
    finally:
        await holder.close()


async def test_what_operators_typed_is_kept_with_their_orders(url: str) -> None:
    await migrate(url)
    await asyncio.to_thread(alembic, url, "downgrade", "0008")
    db = Database(url)
    written = text(
        "INSERT INTO audit_events (subject, sequence, at, actor, action, detail, tells_place)"
        " VALUES ('trf_1', :sequence, :at, 'operator:olive', :action, :detail, false)"
    ).bindparams(bindparam("detail", type_=JSON), bindparam("at", type_=UtcDateTime))
    typed, at = {"reason": "He called.", "step": "replace_lists"}, datetime.now(UTC)
    entries = {"resolved_retry": typed, "rolled_back": {"reason": "operator"}, "reserved": {"kind": "x"}}
    async with db.writing() as rows:
        for sequence, (action, detail) in enumerate(entries.items(), start=1):
            values = {"sequence": sequence, "at": at, "action": action, "detail": detail}
            await rows.execute(written, values)
    await migrate(url)
    async with db.reading() as rows:
        found = (await rows.scalars(select(AuditEvent).order_by(AuditEvent.sequence))).all()
    assert [event.detail for event in found] == [{"step": "replace_lists"}, {"reason": "operator"}, {"kind": "x"}]
    assert [event.order and (event.order.act, event.order.actor, event.order.reason) for event in found] == [
        ("retry", "operator:olive", "He called."), None, None,
    ]  # fmt: skip
    await asyncio.to_thread(alembic, url, "downgrade", "0008")
    async with db.reading() as rows:
        kept = await rows.scalars(text("SELECT detail FROM audit_events WHERE sequence = 1"))
        assert "He called." in str(kept.one())
    await db.close()


async def test_identities_that_differ_by_case_alone_are_named_and_nothing_is_migrated(url: str) -> None:
    await migrate(url)
    await asyncio.to_thread(alembic, url, "downgrade", "0011")
    db = Database(url)
    async with db.writing() as rows:
        found = MetaData()
        await (await rows.connection()).run_sync(found.reflect)
        for name in ("users", "groups"):
            values = {c.name: value_for(c) for c in found.tables[name].columns if not c.nullable}
            await rows.execute(insert(found.tables[name]).values(values))
        points = found.tables["charge_points"]
        given = {column.name: value_for(column) for column in points.columns if not column.nullable}
        for number, identity in enumerate(("Depot-1", "DEPOT-1", "gate", "Gate", "other", "other2")):
            await rows.execute(insert(points).values(given | {"id": f"cp-{number}", "identity": identity}))
    environ = {**os.environ, "HANDOVER_DATABASE_URL": url}
    program = [sys.executable, "handover", "migrate", "--no-search-attributes"]
    done = await asyncio.to_thread(
        subprocess.run, program, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "DEPOT-1 (cp-1) and Depot-1 (cp-0); Gate (cp-3) and gate (cp-2)." in done.stderr
    assert "(cp-4)" not in done.stderr
    assert not await current(url)
    async with db.writing() as rows:
        await rows.execute(text("DELETE FROM charge_points WHERE id IN ('cp-1', 'cp-3')"))
    await db.close()
    await migrate(url)
    assert await current(url)


@pytest.mark.parametrize(
    ("found", "oldest", "works"),
    [("0099", "0021", True), ("0099", None, True), ("0099", "0098", False), ("0001", "0001", False)],
    ids=["newer, and we still work", "newer, ours the oldest", "newer, and we do not", "older"],
)
async def test_a_release_works_with_newer_tables_as_long_as_those_say_so(
    url: str, found: str, oldest: str | None, works: bool
) -> None:
    """While a release is rolled out or taken back both are at work, and `migrate` of the older one changes nothing."""
    await migrate(url)
    db = Database(url)
    async with db.writing() as rows:
        await rows.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
        await rows.execute(update(Compatibility).values(oldest=oldest or newest_revision()))
    assert await fits(db) is works
    await db.close()
    if found > newest_revision():
        await migrate(url)
        assert await current(url) is works


def test_each_migration_says_which_releases_work_with_its_tables() -> None:
    files = sorted((ROOT / "persistence" / "migrations" / "versions").glob("[0-9]*.py"))
    said = {file.name[:4]: re.findall(r'^oldest = "(\d{4})"$', file.read_text(), re.MULTILINE) for file in files}
    since = {revision: "".join(found) for revision, found in said.items() if revision >= "0021"}
    assert all(oldest and "0021" <= oldest <= revision for revision, oldest in since.items())
    assert sorted(since.values()) == list(since.values()), "it never goes back"
