"""What somebody tries who reaches Temporal's port, on the real register: nothing is done in another's name."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

import worker
from activities.charge_points import DatabaseChargePoints
from activities.contracts.messages import TransferRun
from activities.contracts.registry import DecisionRecord
from activities.registry import DatabaseRegistry
from domain.approval import Decision
from domain.errors import AlreadyDecided, Refusal
from domain.ids import TASK_QUEUE, OrderId, TransferId
from domain.transfer import Acceptance, OperatorAction
from persistence.session import Database
from persistence.tables import AuditEvent, Order, Request, Transfer, User
from persistence.vault import Vault
from tests.journeys.requests import keep_a_request
from tests.orders import give
from tests.troubles.hall import Hall

SOMEBODYS = OrderId("ord_made_up")


@pytest.fixture
async def hall(temporal: Client, database: Database, vault: Vault) -> AsyncIterator[Hall]:
    made = Hall(temporal, database, vault)
    async with worker.transfer_worker(temporal, (*made.steps, DatabaseChargePoints(database))):
        yield made


async def refusal(hall: Hall, update: str, argument: Any, update_id: str | None = None) -> str | None:
    """Send an update as anybody may; gives the code that it is refused with, None where it is not."""
    try:
        await hall.handle.execute_update(update, argument, id=update_id or uuid.uuid4().hex)
    except WorkflowUpdateFailedError as failed:
        return getattr(failed.cause, "type", None)
    return None


async def entries(hall: Hall, transfer_id: TransferId | None = None) -> list[tuple[str, str, dict[str, Any]]]:
    query = select(AuditEvent).where(AuditEvent.subject == (transfer_id or hall.transfer_id))
    async with hall.database.reading() as rows:
        found = (await rows.scalars(query.order_by(AuditEvent.sequence))).all()
    return [(event.actor, event.action, event.detail) for event in found]


@pytest.mark.parametrize("act", ["accept", "decline", "resend"])
async def test_without_an_order_of_its_own_it_is_refused_and_on_record_once(hall: Hall, act: str) -> None:
    """None, one that is none, another act's, another transfer's, and all that used to be believed."""
    await hall.ask()
    others = await give(hall.database, TransferId("trf_other"), act, "user:bob")
    cancels = await give(hall.database, hall.transfer_id, "cancel", "user:bob")
    forged = {"actor": "user:bob", "actor_id": "bob", "request_id": "1"}
    none = ("", "\u0000", "x" * 9999, "ord_\u0000", SOMEBODYS, cancels, others)
    for order in ({}, *({"order_id": one} for one in none), forged):
        assert await refusal(hall, act, order) == "not_allowed"
    assert (await hall.row()).state == "awaiting_acceptance"
    assert (await hall.row()).link_generation == 1
    assert (await entries(hall))[1:] == [("temporal-ui", "unproven", {"act": act})]
    assert await hall.accept() == "transferring"


async def test_an_order_is_its_givers_and_their_right_is_looked_at(hall: Hall) -> None:
    await hall.ask()
    strangers = await give(hall.database, hall.transfer_id, "accept", "user:ada")
    await give(hall.database, hall.transfer_id, "accept", "user:bob")
    assert await refusal(hall, "accept", {"order_id": strangers, "actor": "user:bob"}) is None, "ada is an owner, too"
    assert (await entries(hall))[-1][0] != "user:bob"


async def test_an_order_that_was_refused_is_over_and_given_again_it_is_another_one(hall: Hall) -> None:
    """Whoever keeps its id can't have it carried out once its giver may."""
    await hall.ask()
    async with hall.database.writing() as rows:
        (await rows.get_one(User, "bob")).status = "blocked"
    kept = await give(hall.database, hall.transfer_id, "accept", "user:bob")
    with pytest.raises(Refusal):
        await hall.client.decide(hall.transfer_id, Decision.ACCEPT, kept)
    async with hall.database.writing() as rows:
        (await rows.get_one(User, "bob")).status = "active"
    assert await refusal(hall, "accept", {"order_id": kept}) in {"not_allowed", "not_possible"}
    assert (await hall.row()).state == "awaiting_acceptance"
    assert await hall.accept() == "transferring"
    with pytest.raises(AlreadyDecided):  # it may have ended by now
        await hall.client.decide(hall.transfer_id, Decision.ACCEPT, kept)


async def test_what_is_refused_to_somebody_else_takes_nothing_from_an_order(hall: Hall) -> None:
    """A cancel of one transfer, sent with an order of another one."""
    await hall.ask()
    await hall.decide(Decision.DECLINE)
    await hall.handle.result()
    other = await give(hall.database, TransferId("trf_other"), "cancel", "user:ada")
    cancel = DecisionRecord(transfer_id=hall.transfer_id, decision=Decision.CANCEL, order_id=other)
    with pytest.raises(Refusal):
        await DatabaseRegistry(hall.database, hall.vault).decide(cancel)
    async with hall.database.reading() as rows:
        assert (await rows.get_one(Order, other)).refusal is None


@pytest.mark.parametrize("update_id", ["x" * 900, "a\u0000b"])
async def test_an_update_by_any_id_leaves_the_run_able_to_end(hall: Hall, update_id: str) -> None:
    await hall.ask()
    with contextlib.suppress(RPCError, ValueError):  # what the server does not take is no update
        assert await refusal(hall, "resolve", {"action": "retry"}, update_id) is None
        assert [who for who, did, _ in await entries(hall) if did == "resolved_retry"] == ["temporal-ui"]
        assert update_id not in str(await entries(hall))
    await hall.decide(Decision.DECLINE)
    await hall.handle.result()


async def test_an_operators_order_proves_one_act_and_a_second_one_is_the_temporal_uis(hall: Hall) -> None:
    await hall.ask()
    order_id = await give(hall.database, hall.transfer_id, "retry", "operator:op", request_id="1", reason="he called")
    await hall.client.resolve(hall.transfer_id, OperatorAction.RETRY, order_id)
    await hall.client.resolve(hall.transfer_id, OperatorAction.RETRY, order_id)
    assert [who for who, did, _ in await entries(hall) if did == "resolved_retry"] == ["operator:op"]
    for action in ("retry", "roll_back"):
        assert await refusal(hall, "resolve", {"action": action, "order_id": order_id, "actor": "operator:op"}) is None
    await hall.until("cancelled")
    acts = {(who, did) for who, did, _ in await entries(hall)}
    assert acts >= {
        ("temporal-ui", "resolved_retry"),
        ("temporal-ui", "resolved_roll_back"),
        ("temporal-ui", "cancelled"),
    }
    assert [detail for _, _, detail in await entries(hall) if "he called" in str(detail)] == []


async def test_fifty_at_once_of_whom_half_are_forged_have_one_outcome(hall: Hall) -> None:
    await hall.ask()
    genuine = [hall.accept() for _ in range(5)]  # so many updates are let in at once
    forged = [refusal(hall, "decline", {"order_id": SOMEBODYS}) for _ in range(5)]
    answers: list[Any] = []
    for _ in range(5):
        answers += await asyncio.gather(*genuine, *forged, return_exceptions=True)
        genuine = [hall.accept() for _ in range(5)]
        forged = [refusal(hall, "decline", {"order_id": SOMEBODYS}) for _ in range(5)]
    for left in (*genuine, *forged):
        left.close()
    assert answers.count("transferring") == 25
    trail = await hall.trail()
    assert (trail.count("transferring"), trail.count("unproven")) == (1, 1)


# --- starts -----------------------------------------------------------------------------------------------------------


async def start(hall: Hall, name: str, transfer_id: TransferId, **more: Any) -> dict[str, Any]:
    """Start a transfer's workflow as anybody may, under any name; gives what it came to."""
    answer: dict[str, Any] = await hall.temporal.execute_workflow(
        "transfer",
        {"transfer_id": transfer_id, **more},
        id=name,
        task_queue=TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    return answer


async def test_a_start_that_nobody_asked_for_comes_to_nothing(hall: Hall) -> None:
    made_up = TransferId("trf_made_up")
    assert (await start(hall, f"transfer-{made_up}", made_up))["state"] == "refused"
    assert (await start(hall, "another", TransferId("charge_point:cp-1")))["state"] == "refused"
    assert await entries(hall, made_up) == await entries(hall, TransferId("charge_point:cp-1")) == []
    async with hall.database.reading() as rows:
        assert (await rows.scalars(select(Transfer.id))).all() == []


async def test_a_request_that_waits_to_be_started_is_not_refused_by_another_workflow(hall: Hall) -> None:
    hall.transfer_id = await keep_a_request(hall.database, hall.vault, Acceptance.REQUIRED)
    assert (await start(hall, "anything", hall.transfer_id))["state"] == "refused"
    assert await entries(hall) == [("temporal-ui", "unproven", {"act": "start"})]
    assert await hall.client.start(hall.transfer_id)
    assert (await hall.row()).state == "awaiting_acceptance"


async def test_how_long_it_waits_is_the_requests_whoever_starts_it(hall: Hall) -> None:
    hall.transfer_id = await keep_a_request(hall.database, hall.vault, Acceptance.REQUIRED)
    async with hall.database.writing() as rows:
        (await rows.get_one(Request, hall.transfer_id)).policy = {"offline_deadline": "P3D"}
    await hall.temporal.start_workflow(
        "transfer",
        {"transfer_id": hall.transfer_id, "policy": {"offline_deadline": "PT0S"}, "again": True},
        id=hall.handle.id,
        task_queue=TASK_QUEUE,
    )
    assert await hall.client.start(hall.transfer_id)
    assert await hall.accept() == "transferring"
    run = TransferRun(transfer_id=hall.transfer_id, workflow_id=hall.handle.id, run_id="any")
    plan = await DatabaseRegistry(hall.database, hall.vault).reserve(run)
    assert plan.policy.offline_deadline == timedelta(days=3)


async def test_an_ended_transfer_that_is_started_anew_stays_as_it_ended(hall: Hall) -> None:
    await hall.ask()
    await hall.decide(Decision.DECLINE)
    await hall.handle.result()
    before = await hall.trail()
    assert (await start(hall, hall.handle.id, hall.transfer_id))["state"] == "declined"
    assert await hall.trail() == [*before, "taken_up"]
    assert (await hall.row()).state == "declined"


async def test_a_second_workflow_of_a_transfer_under_way_is_none(hall: Hall) -> None:
    await hall.ask()
    assert (await start(hall, "a-second-one", hall.transfer_id))["state"] == "refused"
    assert (await hall.row()).state == "awaiting_acceptance"
    assert await hall.accept() == "transferring"


async def test_an_order_to_a_charger_that_nobody_gave_is_refused(hall: Hall) -> None:
    await hall.ask()
    ask = {"charge_point_id": "cp-1", "order": "identify", "order_id": SOMEBODYS, "actor": "user:ada"}
    with pytest.raises(WorkflowFailureError) as failed:
        await hall.temporal.execute_workflow("identify", ask, id=f"forged-{uuid.uuid4()}", task_queue=TASK_QUEUE)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "not_allowed"
    assert await entries(hall, TransferId("charge_point:cp-1")) == [("temporal-ui", "unproven", {"act": "identify"})]
