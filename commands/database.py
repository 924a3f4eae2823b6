"""The database of the settings, for the verbs that work on it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from commands.ends import Wrong, plainly
from persistence import schema
from persistence.session import Database
from settings import read_settings


def do(work: Coroutine[Any, Any, None]) -> None:
    """Do a verb's work; what is wrong is said in plain words."""
    with plainly():
        asyncio.run(work)


@asynccontextmanager
async def database() -> AsyncIterator[Database]:
    """Open the database, which must be up to date."""
    db = Database(read_settings().database_url)
    try:
        if not await schema.fits(db):
            raise Wrong(f"Not done: {schema.UNFIT}")
        yield db
    finally:
        await db.close()
