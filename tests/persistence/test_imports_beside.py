"""What goes on beside an import: nobody waits long, nobody sees half of it, and what changes meanwhile is found."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Unavailable
from persistence import session
from persistence.chargers.charger_keys import PURPOSE
from persistence.importing import applying, imports
from persistence.importing.applying import Imported
from persistence.importing.imports import import_lines
from persistence.importing.problems import ImportRefused
from persistence.people.accounts import hold_roles
from persistence.session import Apart, Database
from persistence.tables import ChargePoint, Credential, Membership, OwnershipPeriod, User
from persistence.vault import Vault
from tests.persistence.test_imports import ALICE, ALL, BOB, DEPOT, FIRST, HELPS, OWNS, TAG
from tools.bench.importing import lines as many_lines

SECOND = FIRST | {"id": "cp-2", "identity": "CP2", "password": "a-password-of-its-own"}
SHARED = "line 1: another charge point has this password, too; give each its own."
TAKEN = "line 1: another charge point has this identity already; identities are unique, whatever their case."

ON_SQLITE = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'staged%'"
ON_SERVER = "SELECT count(*) FROM pg_class WHERE relname LIKE 'staged%'"

Meddle = Callable[[], Awaitable[None]]


async def take(database: Database, vault: Vault, *lines: dict[str, Any]) -> Imported:
    return await import_lines(database, vault, [json.dumps(line).encode() for line in lines])


async def count(database: Database, table: type[Any]) -> int:
    async with database.reading() as rows:
        return await rows.scalar(select(func.count()).select_from(table)) or 0


def once_compared(patch: pytest.MonkeyPatch, meddle: Meddle) -> None:
    """Do something once all of the file is staged and compared, before the transaction that takes it."""
    writing = Apart.writing

    @asynccontextmanager
    async def after(self: Apart) -> AsyncIterator[AsyncSession]:
        await meddle()
        async with writing(self) as rows:
            yield rows

    patch.setattr(Apart, "writing", after)


def once_added(patch: pytest.MonkeyPatch, meddle: Meddle) -> None:
    """Do something once what is new was added, before the roles are held."""

    async def after(rows: AsyncSession, *, to_change: bool) -> None:
        await meddle()
        await hold_roles(rows, to_change=to_change)

    patch.setattr(imports, "hold_roles", after)


def before_adding(patch: pytest.MonkeyPatch, meddle: Meddle) -> None:
    """Do something once it is marked what is new."""
    add = applying.add

    async def after(rows: AsyncSession, *more: Any) -> Imported:
        await meddle()
        return await add(rows, *more)

    patch.setattr(applying, "add", after)


async def rely_on_roles(database: Database) -> None:
    """Do what a change of ownership does that rests on a role."""
    async with database.writing() as rows:
        await hold_roles(rows)
        await rows.execute(update(ChargePoint).values(owner_id="alice", version=1))


async def test_hands_change_while_a_file_is_staged_and_compared(
    database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(database, vault, *ALL)
    once_compared(monkeypatch, lambda: rely_on_roles(database))
    done = await take(database, vault, *ALL, SECOND)
    assert done.new == {"charge point": 1}
    async with database.reading() as rows:
        assert (await rows.get_one(ChargePoint, "cp-1")).owner_id == "alice"


async def test_hands_change_while_rows_are_added_which_nobody_sees(
    postgres_url: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres_url)
    seen: list[int] = []

    async def change_hands_and_look() -> None:
        await rely_on_roles(database)
        seen.extend([await count(database, table) for table in (User, ChargePoint, Credential, OwnershipPeriod)])

    await take(database, vault, *ALL)
    once_added(monkeypatch, change_hands_and_look)
    await take(database, vault, *ALL, SECOND, {"type": "user", "id": "carol", "name": "Carol"})
    assert seen == [2, 1, 1, 1]
    assert [await count(database, table) for table in (User, ChargePoint, Credential)] == [3, 2, 2]
    await database.close()


async def no_role(database: Database, _vault: Vault) -> None:
    async with database.writing() as rows:
        await rows.execute(update(Membership).where(Membership.user_id == "bob").values(role="member"))


async def no_membership(database: Database, _vault: Vault) -> None:
    async with database.writing() as rows:
        bobs = await rows.get_one(Membership, ("depot", "bob"))
        await rows.delete(bobs)


async def same_password(database: Database, vault: Vault) -> None:
    mac = vault.mac(PURPOSE, SECOND["password"].encode())
    async with database.writing() as rows:
        await rows.execute(update(Credential).values(mac=mac))


async def same_identity(database: Database, _vault: Vault) -> None:
    values: dict[str, Any] = {"name": "x", "owner_id": "bob", "group_id": "depot", "version": 0, "ocpp": "1.6"}
    async with database.writing() as rows:
        rows.add(ChargePoint(id="cp-3", identity="cP2", **values))


MEANWHILE = {
    "a role is taken away": (no_role, "the owner must be an owner or admin of the group"),
    "a membership ends": (no_membership, "the owner must be an owner or admin of the group"),
    "a password is given": (same_password, SHARED),
    "an identity is taken": (same_identity, TAKEN),
}


async def found_meanwhile(database: Database, vault: Vault, patch: pytest.MonkeyPatch, moment: Any, what: str) -> None:
    meddle, says = MEANWHILE[what]
    await take(database, vault, *ALL)
    moment(patch, lambda: meddle(database, vault))
    with pytest.raises(ImportRefused, match=says) as refusal:
        await take(database, vault, SECOND)
    assert len(refusal.value.problems) == 1
    assert await count(database, OwnershipPeriod) == 1


@pytest.mark.parametrize("what", MEANWHILE)
async def test_what_changes_after_it_was_compared_is_found(
    what: str, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    await found_meanwhile(database, vault, monkeypatch, once_compared, what)


@pytest.mark.parametrize(
    ("what", "moment"),
    [  # whoever takes an identity that was added waits for the import's end
        *((what, before_adding) for what in MEANWHILE),
        *((what, once_added) for what in MEANWHILE if what != "an identity is taken"),
    ],
)
async def test_what_changes_while_rows_are_added_is_found(
    what: str, moment: Any, postgres_url: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres_url)
    await found_meanwhile(database, vault, monkeypatch, moment, what)
    await database.close()


async def test_a_row_of_a_line_that_went_away_meanwhile_is_not_forgotten(
    postgres_url: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres_url)
    await take(database, vault, *ALL)
    once_added(monkeypatch, lambda: no_membership(database, vault))
    with pytest.raises(Unavailable, match="import it again"):
        await take(database, vault, HELPS, SECOND)
    monkeypatch.undo()
    assert (await take(database, vault, HELPS, SECOND)).new == {"membership": 1, "charge point": 1}
    await database.close()


async def test_of_two_imports_of_one_file_at_once_one_takes_it_and_the_other_finds_it_taken(
    database: Database, vault: Vault
) -> None:
    both = await asyncio.gather(take(database, vault, *ALL), take(database, vault, *ALL))
    new = sorted(sum(done.new.values()) for done in both)
    assert new == [0, len(ALL) + 4]
    assert not any(done.changed for done in both)
    assert await count(database, Credential) == await count(database, OwnershipPeriod) == 1


async def test_of_two_imports_at_once_that_contradict_each_other_one_is_taken_and_the_other_told(
    database: Database, vault: Vault
) -> None:
    await take(database, vault, *ALL)
    twin = SECOND | {"id": "cp-3", "identity": "cp2", "password": "yet-another-password"}
    both = await asyncio.gather(take(database, vault, SECOND), take(database, vault, twin), return_exceptions=True)
    [refused] = [one for one in both if isinstance(one, BaseException)]
    assert isinstance(refused, ImportRefused)
    assert refused.problems == [TAKEN]
    assert await count(database, ChargePoint) == 2


async def test_an_import_waits_for_another_ones_end_and_says_so_if_that_does_not_come(
    postgres_url: str, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_TURN_WITHIN", 0.2)
    database = Database(postgres_url)
    async with database.writing() as rows:
        await rows.execute(select(func.pg_advisory_xact_lock(imports._TURN)))
        with pytest.raises(Unavailable, match="Another import is under way"):
            await take(database, vault, *ALL)
    await take(database, vault, *ALL)
    await database.close()


@pytest.mark.parametrize("moment", [once_compared, once_added])
async def test_an_import_that_is_broken_off_leaves_nothing(
    moment: Callable[..., None], database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def stay() -> None:
        reached.set()
        await asyncio.Event().wait()

    moment(monkeypatch, stay)
    task = asyncio.create_task(take(database, vault, *ALL))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()

    left = text(ON_SQLITE if database.is_sqlite else ON_SERVER)
    async with asyncio.timeout(5), database.reading() as rows:
        while await rows.scalar(left):  # the server drops them once it sees that the connection is gone
            await rows.rollback()
            await asyncio.sleep(0.05)
    assert await count(database, User) == await count(database, ChargePoint) == 0
    assert sum((await take(database, vault, *ALL)).new.values()) == len(ALL) + 4


async def test_an_import_that_is_broken_off_while_it_is_read_ends_at_once(postgres_url: str, vault: Vault) -> None:
    for seconds in (0.3, 0.5, 0.7):
        database = Database(postgres_url)
        task = asyncio.create_task(import_lines(database, vault, many_lines(40_000)))
        await asyncio.sleep(seconds)
        assert not task.done()
        task.cancel()
        ended, _ = await asyncio.wait({task}, timeout=5)
        assert ended
        assert task.cancelled()
        assert await count(database, User) == 0
        await database.close()


async def test_many_lines_take_no_more_statements_than_few(database: Database, vault: Vault) -> None:
    sent: list[str] = []
    await take(database, vault, ALICE, BOB, DEPOT, OWNS, HELPS, TAG)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    found = []
    for number in (1, 500):
        sent.clear()
        event.listen(database.engine_apart.sync_engine, "before_cursor_execute", note)
        ids = [f"{number}-{place}" for place in range(number)]
        points = [FIRST | {"id": f"cp-{one}", "identity": one, "password": f"a-password-of-{one}"} for one in ids]
        await take(database, vault, *points)
        event.remove(database.engine_apart.sync_engine, "before_cursor_execute", note)
        found.append(len(sent))
    assert found[0] == found[1]
    assert await count(database, Credential) == 501


async def test_a_statement_of_an_import_may_take_longer_than_any_other(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_WITHIN_SECONDS", 0.5)
    database = Database(postgres_url)
    async with database.apart() as apart, apart.writing() as rows:
        await rows.execute(text("SELECT pg_sleep(1)"))
    await database.close()
