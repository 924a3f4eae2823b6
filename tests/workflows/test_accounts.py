"""An account opened through the real engine: the caller hears what became of it, and histories hold nothing typed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities.accounts import DatabaseAccounts
from activities.contracts.accounts import OpenAccount
from activities.contracts.messages import Done
from domain.errors import NotPossible, Unavailable
from domain.ids import LinkId, account_workflow_id
from engine.engine import TemporalEngine
from persistence import tables
from persistence.links.approvals import make_link
from persistence.links.signups import Signups
from persistence.session import Database
from persistence.vault import Vault
from tests.activities.notices.world import TRANSFER, World
from tests.workflows.conftest import keep_history
from worker import transfer_worker


@pytest.fixture
async def world(sqlite_url: str, vault: Vault) -> AsyncIterator[World]:
    """One kind of database is enough: the activity's own tests have both."""
    database = Database(sqlite_url)
    made = World(database, vault)
    await made.fill()
    await made.to_user("nobody@example.net", to=None)
    yield made
    await database.close()


@pytest.fixture
async def link_id(world: World) -> LinkId:
    async with world.database.writing() as rows:
        now = datetime.now(UTC)
        link = await make_link(rows, world.vault, TRANSFER, channel="email", generation=1, now=now)
    return link.id


def client_of(temporal: Client, world: World) -> TemporalEngine:
    return TemporalEngine(temporal, signups=Signups(world.database, world.vault))


@pytest.mark.recorded
async def test_an_account_is_opened_once_and_no_history_knows_whose(
    temporal: Client, world: World, link_id: LinkId, request: pytest.FixtureRequest
) -> None:
    client = client_of(temporal, world)
    async with transfer_worker(temporal, [DatabaseAccounts(world.database, world.vault)]):
        await client.open_account(link_id, name="Nora Nobody", locale="fr")
        handle = temporal.get_workflow_handle(account_workflow_id(link_id))
        history = await handle.fetch_history()
        await keep_history(request, handle)
        await client.open_account(link_id, name="Nora Nobody", locale="fr")

    assert [user.name for user in await world.all(tables.User) if user.email == "nobody@example.net"] == ["Nora Nobody"]
    assert "Nora" not in history.to_json()
    assert "nobody@" not in history.to_json()
    assert link_id in str(history.workflow_id)


class Impatient(DatabaseAccounts):
    """Somebody types their name again while their account is being opened, after the activity has read it."""

    async def open(self, order: OpenAccount) -> Done:
        try:
            return await super().open(order)
        finally:
            await Signups(self._db, self._vault).keep(order.link_id, "Nora Nobody", "fr")


@pytest.mark.parametrize("refused", [False, True], ids=["opened", "refused"])
async def test_no_name_is_left_behind_that_was_typed_twice(
    temporal: Client, world: World, link_id: LinkId, refused: bool
) -> None:
    client = client_of(temporal, world)
    if refused:
        await world.change(tables.User, "gone", email="nobody@example.net")
    async with transfer_worker(temporal, [Impatient(world.database, world.vault)]):
        with pytest.raises(NotPossible) if refused else contextlib.nullcontext():
            await client.open_account(link_id, name="Nora Nobody", locale="fr")
    assert await world.all(tables.AccountOpening) == []


async def test_no_name_is_left_behind_where_the_opening_was_terminated(
    temporal: Client, world: World, link_id: LinkId
) -> None:
    """Nobody works here: who opens waits until an operator ends the run."""
    opening = asyncio.create_task(client_of(temporal, world).open_account(link_id, name="Nora Nobody", locale="fr"))
    handle = temporal.get_workflow_handle(account_workflow_id(link_id))
    async with asyncio.timeout(15):
        while not await started(handle):
            await asyncio.sleep(0.05)
    await handle.terminate("test")
    with pytest.raises(Unavailable, match="not open yet"):
        await opening
    assert await world.all(tables.AccountOpening) == []


async def started(handle: WorkflowHandle[Any, Any]) -> bool:
    try:
        return (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False


async def test_a_refusal_reaches_the_page_and_may_come_out_otherwise_later(
    temporal: Client, world: World, link_id: LinkId
) -> None:
    client = client_of(temporal, world)
    async with transfer_worker(temporal, [DatabaseAccounts(world.database, world.vault)]):
        await world.change(tables.User, "gone", email="nobody@example.net")
        with pytest.raises(NotPossible, match="ask our support"):
            await client.open_account(link_id, name="Nora Nobody", locale="fr")
        await world.change(tables.User, "gone", email=None)
        await client.open_account(link_id, name="Nora Nobody", locale="fr")

    assert "Nora Nobody" in {user.name for user in await world.all(tables.User)}
