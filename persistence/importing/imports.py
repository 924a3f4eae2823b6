"""Takes a file of accounts, groups and charge points into the database: all or nothing, and the same when repeated.

What is slow is done beside everybody else: each line is read, staged and checked, and what is new is added where nobody
sees it yet. The roles are held for the end alone: until it is checked that all of it still holds, and committed.
"""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotPossible, Unavailable
from persistence.importing import applying
from persistence.importing.applying import Imported
from persistence.importing.filling import fill
from persistence.importing.import_accounts import ACCOUNTS, GROUP, ROLES, add_personal_groups, forget_marks
from persistence.importing.import_charge_points import CHARGE_POINT
from persistence.importing.problems import ImportRefused, Problems
from persistence.people.accounts import hold_roles
from persistence.session import Database
from persistence.vault import Vault

#: The advisory lock of the import whose turn it is (an arbitrary number, the same for ever).
_TURN: Final = 7_203_413
#: How often it is asked whether the turn is free, in seconds, and for how long.
_ASK_EVERY: Final = 0.1
_TURN_WITHIN: Final = 600.0


async def import_lines(db: Database, vault: Vault, source: Iterable[bytes]) -> Imported:
    """Take every line in one transaction; raises ImportRefused, which names all wrong lines, and then takes none.

    Of a charge point that is there already only name and location follow the file: the rest is its transfers' business.
    Raises Unavailable where the database does not answer, and where another import does not end; NotPossible where a
    pooler is before it: what is staged is the connection's.
    """
    if db.is_pooled:
        raise NotPossible("An import wants a connection of its own: let HANDOVER_DATABASE_URL name PostgreSQL itself.")
    async with db.apart() as apart:
        async with apart.staging() as rows:
            problems = Problems()
            await fill(rows, vault, source, problems)
            await _compare(rows, problems)
        try:
            async with apart.writing() as rows:
                done, since = await _take(rows)
        except IntegrityError as clash:  # with what was written since it was compared
            async with apart.staging() as rows:
                await _compare(rows, Problems())
            raise _changed() from clash
    done.held = time.monotonic() - since
    return done


async def _compare(rows: AsyncSession, problems: Problems) -> None:
    """Compare what is staged with the database as it is; raises ImportRefused, also for `problems` that are known."""
    await _mark(rows, problems)
    await _check(rows, problems)
    _refuse(problems)


async def _take(rows: AsyncSession) -> tuple[Imported, float]:
    """Take what is staged in this transaction; also give since when others wait for its end, by the monotonic clock."""
    since = time.monotonic()
    await _await_turn(rows)
    problems = Problems()
    await _mark(rows, problems)
    _refuse(problems)
    done = await applying.add(rows, datetime.now(UTC))
    await hold_roles(rows, to_change=True)
    if rows.get_bind().dialect.name == "postgresql":
        since = time.monotonic()
    await GROUP.note(rows, problems)
    await _check(rows, problems)
    _refuse(problems)
    if await applying.went_away(rows):
        raise _changed()
    await applying.follow(rows, done)
    return done, since


async def _await_turn(rows: AsyncSession) -> None:
    """Let other imports end first: no other one writes until this transaction ends. SQLite has one writer anyway."""
    if rows.get_bind().dialect.name != "postgresql":
        return
    until = time.monotonic() + _TURN_WITHIN
    while not await rows.scalar(select(func.pg_try_advisory_xact_lock(_TURN))):
        if time.monotonic() > until:
            raise Unavailable("Another import is under way; import this file after its end.")
        await asyncio.sleep(_ASK_EVERY)


async def _mark(rows: AsyncSession, problems: Problems) -> None:
    """Mark what of the stage is new, and stage what comes with users by itself; notes what is wrong with groups."""
    await forget_marks(rows)
    await applying.mark_new(rows)
    await GROUP.note(rows, problems)
    await add_personal_groups(rows)


async def _check(rows: AsyncSession, problems: Problems) -> None:
    """Note what is wrong with everything but groups, whether what is new was added yet or not."""
    for check in (*ACCOUNTS, CHARGE_POINT, *ROLES):
        await check.note(rows, problems)


def _refuse(problems: Problems) -> None:
    if problems:
        raise ImportRefused(problems)


def _changed() -> Unavailable:
    return Unavailable("What the file speaks of was changed at this moment; nothing was taken, import it again.")
