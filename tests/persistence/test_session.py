"""A database that is there and can't serve now: away, not broken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from domain.errors import Unavailable
from persistence.session import Database


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


async def test_who_was_cut_off_in_a_transaction_lets_go_of_what_it_has_locked(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.session.ANSWER_WITHIN_SECONDS", 1.0)
    cut_off, other = Database(postgres_url), Database(postgres_url, lock_wait=10)
    locks = text("LOCK TABLE findings")

    async def be_cut_off() -> None:
        async with cut_off.writing() as rows:
            await rows.execute(locks)
            async with other.writing() as others:  # waits until the server has ended the first one
                await others.execute(locks)
            await rows.execute(locks)

    with pytest.raises(Unavailable):
        await be_cut_off()
    await cut_off.close()
    await other.close()
