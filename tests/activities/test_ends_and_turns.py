"""What the register says when a step comes again, or late: a workflow task that was lost leads to nothing twice."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contracts.messages import ENDED, TransferRun
from activities.contracts.registry import Finish, TurnBack, WhileAbsent
from activities.registry import DatabaseRegistry
from domain.errors import TooLate
from domain.ids import NodeId, TransferId, rescue_workflow_id, workflow_id
from domain.keys import KnownTo
from domain.transfer import Connection, Reason, TransferState, TransferWarning
from persistence.chargers import present_connections
from persistence.importing.imports import import_lines
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, Credential, Transfer
from persistence.vault import Vault
from tests.activities.test_registry import BOB_OWNS, CP, keep, know_key
from tests.journeys.system import two_users

NODE = NodeId("node")
BACK = Reason.CHARGER_REJECTED


@pytest.fixture
async def registry(database: Database, vault: Vault) -> DatabaseRegistry:
    await import_lines(database, vault, [json.dumps(line).encode() for line in two_users(1)])
    await know_key(database, KnownTo.CHARGER)
    return DatabaseRegistry(database, vault)


async def reserved(registry: DatabaseRegistry, database: Database, vault: Vault, **more: Any) -> TransferRun:
    run = await keep(database, vault, BOB_OWNS | more)
    await registry.reserve(run)
    return run


def change(run: TransferRun, absent_after: int | None = None) -> WhileAbsent:
    return WhileAbsent(transfer_id=run.transfer_id, absent_after=absent_after)


def turn(run: TransferRun) -> TurnBack:
    return TurnBack(**run.model_dump(), reason=BACK)


def end(run: TransferRun, state: TransferState = TransferState.COMPLETED, absent_after: int | None = None) -> Finish:
    return Finish(transfer_id=run.transfer_id, state=state, absent_after=absent_after)


async def as_local(step: Callable[[Any], Awaitable[Any]], ask: Any) -> Any:
    """Run a step in a workflow task that may be lost."""
    environment = ActivityEnvironment()
    workflow = workflow_id(ask.transfer_id)
    environment.info = replace(environment.info, is_local=True, workflow_id=workflow)
    return await environment.run(step, ask)


async def connect(database: Database) -> int:
    async with database.writing() as rows:
        return await present_connections.claim(
            rows, CP, NODE, credential_id="key", address="192.0.2.1", quarantined=False, now=datetime.now(UTC)
        )


async def owner(database: Database) -> str:
    async with database.reading() as rows:
        return (await rows.get_one(ChargePoint, CP)).owner_id


async def state(database: Database, transfer_id: TransferId) -> str:
    async with database.reading() as rows:
        return (await rows.get_one(Transfer, transfer_id)).state


async def test_a_turn_before_the_change_lets_no_later_try_change_anything(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await reserved(registry, database, vault)
    for _ in range(2):
        turned = await registry.turn_back(turn(run))
        assert (turned.back, turned.changed) == (True, False)
    with pytest.raises(TooLate):
        await registry.change_ownership(change(run))
    assert await owner(database) == "ada"
    async with database.reading() as rows:
        wanted = select(AuditEvent.action).where(AuditEvent.subject == run.transfer_id)
        assert list(await rows.scalars(wanted.order_by(AuditEvent.sequence))) == ["reserved", "rolling_back"]


async def test_a_turn_after_the_change_says_so_and_withdraws_the_key(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await reserved(registry, database, vault)
    await registry.change_ownership(change(run))
    turned = await registry.turn_back(turn(run))
    assert (turned.back, turned.changed, turned.proven, turned.handed_out) == (True, True, False, False)
    async with database.reading() as rows:
        states = await rows.scalars(select(Credential.state).where(Credential.order_id == run.transfer_id))
        assert list(states) == ["revoked"]
    assert await state(database, run.transfer_id) == "rolling_back"


async def test_there_is_no_turn_after_the_connection_was_deleted(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await reserved(registry, database, vault, connection=Connection.DELETE)
    await registry.change_ownership(change(run))
    turned = await registry.turn_back(turn(run))
    assert (turned.back, turned.changed) == (False, True)
    assert await state(database, run.transfer_id) == "reconfiguring"


async def test_an_ended_transfer_takes_no_step_and_says_how_it_ended(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await reserved(registry, database, vault)
    await registry.change_ownership(change(run))
    assert (await registry.finish(end(run))).state is TransferState.COMPLETED
    again = end(run, TransferState.COMPLETED_WITH_WARNINGS)
    again = again.model_copy(update={"warnings": (TransferWarning.LISTS_DUE,)})
    assert (await registry.finish(again)).state is TransferState.COMPLETED, "what was written first stands"
    for tried in (
        registry.change_ownership(change(run)),
        registry.turn_back(turn(run)),
        registry.locate(run),
        registry.credentials(run),
        registry.block_sessions(run),
        registry.allow_sessions(run),
    ):
        with pytest.raises(ApplicationError) as refused:
            await tried
        assert (refused.value.type, refused.value.details) == (ENDED, ("completed",))
    assert await owner(database) == "bob"


@pytest.mark.parametrize("there", ["connected", "was connected"])
async def test_a_try_that_may_be_lost_does_nothing_where_the_charger_was_there_since(
    registry: DatabaseRegistry, database: Database, vault: Vault, there: str
) -> None:
    """Another worker may have the workflow task by now, and have told the charger something."""
    run = await reserved(registry, database, vault)
    seen = (await registry.locate(run)).generation
    generation = await connect(database)
    if there == "was connected":
        async with database.writing() as rows:
            await present_connections.release(rows, CP, generation, datetime.now(UTC))
    with pytest.raises(ApplicationError, match="was there since"):
        await as_local(registry.change_ownership, change(run, seen))
    assert await owner(database) == "ada"
    await registry.change_ownership(change(run, seen))  # on record
    with pytest.raises(ApplicationError, match="was there since"):
        await as_local(registry.finish, end(run, absent_after=seen))
    assert await state(database, run.transfer_id) == "reconfiguring"
    assert (await registry.finish(end(run, absent_after=seen))).state is TransferState.COMPLETED


async def test_a_try_that_may_be_lost_goes_by_an_absence_that_lasts(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await reserved(registry, database, vault)
    seen = (await registry.locate(run)).generation
    changed = await as_local(registry.change_ownership, change(run, seen))
    assert (changed.where.node, changed.where.generation) == (None, seen)
    assert (await as_local(registry.finish, end(run, absent_after=seen))).state is TransferState.COMPLETED


async def test_whoever_sees_to_the_charger_of_an_ended_transfer_is_told_where_it_is(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await reserved(registry, database, vault)
    await registry.change_ownership(change(run))
    await registry.finish(end(run))
    generation = await connect(database)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=rescue_workflow_id(run.transfer_id))
    assert (await environment.run(registry.locate, run)).generation == generation
    environment.info = replace(environment.info, workflow_id=workflow_id(run.transfer_id))
    with pytest.raises(ApplicationError, match="has ended"):
        await environment.run(registry.locate, run)


async def test_a_turn_says_whether_another_run_began(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await reserved(registry, database, vault)
    assert not (await registry.turn_back(turn(run))).again
    assert (await registry.turn_back(turn(run.model_copy(update={"run_id": "another"})))).again
