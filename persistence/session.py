"""Connects to the database, and opens the transactions of everybody else."""

import asyncio
import math
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Dialect, NullPool, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.util import await_only

from domain.errors import Unavailable

AWAY: Final = "The database does not answer; try again in a moment."
#: How long a statement waits for a lock before it fails, to be retried: shorter than a local activity's time.
LOCK_WAIT_SECONDS = 1.5
#: The same where nothing retries by itself: the API, and the gateway's sockets.
PATIENT_LOCK_WAIT_SECONDS = 10.0
#: The same for a migration, which lets another one finish first.
MIGRATION_WAIT_SECONDS = 60.0
#: How long a server may be silent before it counts as away, as behind a cut link: longer than any wait for a lock.
ANSWER_WITHIN_SECONDS = 15.0
#: The same where one statement does the work of many.
LONG_ANSWER_WITHIN_SECONDS = 600.0
#: The part of that after which the server itself lets go of a statement, so that the connection is still of use.
STATEMENT_SHARE = 0.8
#: After how long without use a connection is asked whether it still lives, before it is used.
RESTED_SECONDS = 5.0
#: What PostgreSQL takes a page that an index leads to to cost, where the next one costs 1: it is in memory, or on a
#: solid-state disk. By its own 4, of a disk that turns, it reads all that a user has and sorts it, though an index has
#: the latest in order.
RANDOM_PAGE_COST = "1.1"
#: How a server finds out that a machine is gone that said nothing when it went, and closes its connections: by itself
#: it looks after two hours, and what was locked there is locked until then.
LOOKS_FOR_US: Final = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
#: SQLSTATEs after which the same may go well in a moment (PostgreSQL's manual, appendix A): a lock that was not had in
#: time, a deadlock, a statement or a pause in a transaction that took too long, a server that shuts down, has crashed
#: or is starting up, one that has no connection left.
_NOT_NOW = frozenset({"55P03", "40P01", "57014", "25P03", "57P01", "57P02", "57P03", "53300"})


#: What a URL says of a pooler by.
_POOLER: Final = "pooler"
#: What a transaction through a pooler says itself, as the one before it may have been somebody else's.
_OF_EACH: Final = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
_TELL: Final = text("SELECT " + ", ".join(f"set_config('{name}', :{name}, true)" for name in _OF_EACH))


class Database:
    """The engine of one process. SQLite and PostgreSQL behave alike behind it.

    Source of the SQLite settings: SQLAlchemy's `pysqlite` page on transactions; every writer begins IMMEDIATE, so that
    nothing is read that another writer is about to change.
    """

    def __init__(
        self, url: str, *, pool_size: int = 20, lock_wait: float = LOCK_WAIT_SECONDS, migrates: bool = False
    ) -> None:
        """Take a SQLAlchemy URL: `sqlite+aiosqlite:///file` or `postgresql+asyncpg://…`. Connects at first use.

        With `?pooler=transaction` there is a pooler between: each transaction may have another connection of it.

        `migrates`: SQLite changes a table by making it anew, and what points at it is checked only afterwards.
        """
        self.is_sqlite = url.startswith("sqlite")
        self.is_pooled = _is_pooled(url)
        #: readers wait for a connection here, in turn and for as long as it takes: the pool would give up on them; some
        #: connections are left to writers
        self._readers = asyncio.Semaphore(max(1, pool_size * 3 // 4))
        self._turn: AbstractAsyncContextManager[None] = asyncio.Lock() if self.is_sqlite else nullcontext()
        engine = partial(_engine, url, lock_wait, foreign_keys=not migrates)
        answer_within = None if migrates else ANSWER_WITHIN_SECONDS
        self.engine = engine(answer_within, pool_size=pool_size, max_overflow=0, pool_use_lifo=True)
        self.engine_apart = engine(LONG_ANSWER_WITHIN_SECONDS, poolclass=NullPool)
        if not self.is_sqlite:
            event.listen(self.engine.sync_engine, "checkin", _note_rest)
            event.listen(self.engine.sync_engine, "checkout", partial(_ping_after_rest, self.engine.dialect))
        # each statement of READ COMMITTED has a snapshot of its own anyway: without a BEGIN, two round trips less
        reads = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reader = async_sessionmaker(reads, expire_on_commit=False)
        self._writer = async_sessionmaker(self.engine.execution_options(handover_writes=True), expire_on_commit=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session that only reads. Raises Unavailable where the database does not answer."""
        with _Unavailable():
            async with self._readers, self._reader() as rows:
                yield rows

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Open one writing transaction: committed at the end of the block, rolled back by any exception.

        Raises Unavailable where the database does not answer or a lock is not had in time. SQLite has one writer at a
        time, and lets those who wait race for it: within a process they take turns instead.
        """
        with _Unavailable():
            async with self._turn, self._writer.begin() as rows:
                yield rows

    @asynccontextmanager
    async def apart(self) -> AsyncIterator["Apart"]:
        """Open a connection for what takes long, and close it at the end of the block: its temporary tables go with it.

        Behind a pooler they do not: each transaction may have another connection. Raises Unavailable as `reading` and
        `writing` do.
        """
        with _Unavailable():
            async with self.engine_apart.connect() as connection:
                yield Apart(connection, self._turn)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


class Apart:
    """One connection, and its transactions one after the other."""

    def __init__(self, connection: AsyncConnection, turn: AbstractAsyncContextManager[None]) -> None:
        """Take the connection, and what writers to SQLite in this process wait for."""
        self._connection, self._turn = connection, turn

    @asynccontextmanager
    async def staging(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that writes to no more than the connection's own temporary tables."""
        await self._connection.execution_options(handover_writes=False)
        async with AsyncSession(self._connection) as rows, rows.begin():
            yield rows

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Open a writing transaction, like Database.writing."""
        async with self._turn:
            await self._connection.execution_options(handover_writes=True)
            async with AsyncSession(self._connection) as rows, rows.begin():
                yield rows


def _engine(url: str, lock_wait: float, answer_within: float | None, *, foreign_keys: bool, **pool: Any) -> AsyncEngine:
    """Make an engine whose connections wait so many seconds for a lock, and for an answer of a server."""
    options: dict[str, Any] = {"hide_parameters": True, **pool}
    pooled = _is_pooled(url)
    said = _said(lock_wait, answer_within)
    if not url.startswith("sqlite"):
        settings = {"application_name": "handover", **({} if pooled else said)}
        options["connect_args"] = {"timeout": 5, "command_timeout": answer_within, "server_settings": settings}
    engine = create_async_engine(make_url(url).difference_update_query([_POOLER]), **options)
    if pooled:
        event.listen(engine.sync_engine, "begin", partial(_begin_pooled, {name: said[name] for name in _OF_EACH}))
    if url.startswith("sqlite"):
        event.listen(engine.sync_engine, "connect", partial(_prepare_sqlite, lock_wait, foreign_keys))
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _is_pooled(url: str) -> bool:
    """Whether there is a pooler in transaction mode before a database; raises ValueError for one in another mode."""
    mode = make_url(url).query.get(_POOLER)
    if mode not in {None, "transaction"}:
        raise ValueError(f"{_POOLER} is transaction, or left out")
    return mode is not None


def _said(lock_wait: float, answer_within: float | None) -> dict[str, str]:
    """Give what PostgreSQL is told as a connection opens; through a pooler its own configuration says the like."""
    return {
        "lock_timeout": _milliseconds(lock_wait),
        "statement_timeout": _milliseconds((answer_within or 0) * STATEMENT_SHARE),
        # who was cut off in the middle of a transaction lets go of what it has locked
        "idle_in_transaction_session_timeout": _milliseconds(answer_within or 0),
        "random_page_cost": RANDOM_PAGE_COST,
        **LOOKS_FOR_US,
    }


def _begin_pooled(told: dict[str, str], connection: Connection) -> None:
    """Say what holds in this transaction; statement by statement (Database.reading) there is none."""
    if "isolation_level" not in connection.get_execution_options():
        connection.execute(_TELL, told)


def _milliseconds(seconds: float) -> str:
    """Write a time as PostgreSQL takes it; 0 is for ever."""
    return f"{int(seconds * 1000)}"


class _Unavailable:
    """Turns a database that is away or locked into Unavailable."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OperationalError | InterfaceError | PoolTimeout | OSError) or (
            isinstance(error, DBAPIError)
            and (error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _NOT_NOW)
        ):
            raise Unavailable(AWAY) from error


def _note_rest(_connection: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _ping_after_rest(dialect: Dialect, connection: Any, record: Any, _proxy: object) -> None:
    """Ask a connection that has rested whether it still lives: one that was used just now most likely does.

    Where it does not, the pool drops every connection that is as old, and opens another.
    """
    if time.monotonic() - record.info.get("rests_since", math.inf) < RESTED_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error:
        raise DisconnectionError from None


def _prepare_sqlite(lock_wait: float, foreign_keys: bool, connection: Any, _record: object) -> None:
    """Give SQLite's transactions into SQLAlchemy's hands, and wait for locks."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {int(lock_wait * 1000)}",
        "synchronous = FULL",
        f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    _use_wal(cursor, time.monotonic() + lock_wait)
    cursor.close()


def _use_wal(cursor: Any, until: float) -> None:
    """Switch to the write-ahead log: of two who do so at once SQLite refuses one without waiting."""
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            await_only(asyncio.sleep(0.02))
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """Begin a writing transaction with the write lock."""
    writes = connection.get_execution_options().get("handover_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
