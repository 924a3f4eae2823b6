"""A database that is there and can't serve now: away, not broken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from sqlalchemy import make_url, text

from domain.errors import Unavailable
from persistence import session
from persistence.session import Database
from tools.chaos.links import Link


@asynccontextmanager
async def refusing(sqlstate: str) -> AsyncIterator[str]:
    """Run what refuses every connection as PostgreSQL does; gives its URL."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while length := int.from_bytes(await reader.readexactly(4)):
            asked = await reader.readexactly(length - 4)
            if asked[:4] != (80877103).to_bytes(4):  # anything but the question for TLS
                break
            writer.write(b"N")
        fields = f"SFATAL\0VFATAL\0C{sqlstate}\0Mnot now\0\0".encode()
        writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield f"postgresql+asyncpg://test@127.0.0.1:{server.sockets[0].getsockname()[1]}/postgres"


@pytest.mark.parametrize(
    ("sqlstate", "what"),
    [
        ("57P03", "starting up"),
        ("57P02", "crashed"),
        ("57P01", "shutting down"),
        ("53300", "out of connections"),
        ("40P01", "in a deadlock"),
        ("57014", "tired of a statement"),
        ("25P03", "tired of a pause in a transaction"),
    ],
)
async def test_a_server_that_can_not_serve_now_is_unavailable(sqlstate: str, what: str) -> None:
    async with refusing(sqlstate) as url:
        db = Database(url)
        with pytest.raises(Unavailable):
            async with db.reading() as rows:
                await rows.execute(text("SELECT 1"))
        with pytest.raises(Unavailable):
            async with db.writing() as rows:
                await rows.execute(text("SELECT 1"))
        await db.close()


async def backend_of(db: Database) -> int:
    async with db.reading() as rows:
        return int((await rows.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def test_a_connection_that_died_at_rest_is_replaced_before_it_is_used(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.session.RESTED_SECONDS", 0.0)
    db, other = Database(postgres_server), Database(postgres_server)
    resting = await backend_of(db)
    async with other.writing() as rows:
        await rows.execute(text(f"SELECT pg_terminate_backend({resting})"))
    assert await backend_of(db) != resting
    await db.close()
    await other.close()


async def test_a_connection_that_was_used_just_now_is_not_asked_whether_it_lives(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, pings = Database(postgres_server), list[object]()
    monkeypatch.setattr(db.engine.dialect, "do_ping", pings.append)
    first = await backend_of(db)
    assert (await backend_of(db), pings) == (first, [])
    monkeypatch.setattr("persistence.session.RESTED_SECONDS", 0.0)
    await backend_of(db)
    assert len(pings) == 1
    await db.close()


async def test_the_server_lets_go_of_a_statement_that_takes_too_long(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.session.ANSWER_WITHIN_SECONDS", 1.0)
    db = Database(postgres_server)
    before = await backend_of(db)
    with pytest.raises(Unavailable) as away:
        async with db.writing() as rows:
            await rows.execute(text("SELECT pg_sleep(20)"))
    assert "statement timeout" in str(away.value.__cause__)
    assert await backend_of(db) == before, "the connection is of use still"
    await db.close()


_LOCK = text("SELECT pg_advisory_xact_lock(1)")


async def lock_and_go_on(db: Database, locked: asyncio.Event, go_on: asyncio.Event) -> None:
    async with db.writing() as rows:
        await rows.execute(_LOCK)
        locked.set()
        await go_on.wait()
        await rows.execute(text("SELECT 1"))


async def test_what_a_transaction_has_locked_is_let_go_where_its_machine_is_cut_off(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever wants the same row waits until the server's TCP gives up: two hours, as it comes."""
    url, locked, go_on = make_url(postgres_url), asyncio.Event(), asyncio.Event()
    direct = Database(postgres_url, lock_wait=10)
    monkeypatch.setattr(session, "ANSWER_WITHIN_SECONDS", 1.0)
    async with Link("database", [url.port or 0], Random(1)).listening() as link:  # noqa: S311 - it has one target
        behind = Database(url.set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False))
        cut_off = asyncio.create_task(lock_and_go_on(behind, locked, go_on))
        await locked.wait()
        link.hold()
        async with direct.writing() as rows:
            await rows.execute(_LOCK)
        link.heal()
        go_on.set()
        with pytest.raises(Unavailable):
            await cut_off
        await behind.close()
    await direct.close()


async def test_a_server_looks_whether_a_silent_machine_is_there(postgres_url: str) -> None:
    """Else the connections of one that lost its power count for hours."""
    db = Database(postgres_url)
    async with db.reading() as rows:
        found = {name: await rows.scalar(text(f"SHOW {name}")) for name in session.LOOKS_FOR_US}
    await db.close()
    assert found == dict(session.LOOKS_FOR_US)
