"""What goes wrong on the way: retries, operators, chargers that lie or vanish, nodes that die."""

import asyncio
import gc
import re
import sys
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.contracts.charger import NOT_CONNECTED
from domain.charger import CommandOutcome, KeyAnswer
from domain.errors import NotAllowed, NotPossible, TooLate
from domain.ids import OrderId
from domain.transfer import (
    Attention,
    Connection,
    IfOffline,
    OperatorAction,
    StepName,
    StepState,
    TransferState,
    TransferWarning,
)
from domain.transitions import Change, Progress, effect
from tests.workflows.conftest import POLICY, Set, Stage
from tests.workflows.world import World, plan
from worker import transfer_worker
from workflows.options import LOOK_UPS, WAKE_UPS

#: A charger that is away is waited for longer than any test lasts.
LONG = POLICY.model_copy(update={"offline_deadline": timedelta(days=7)})


class BrokenError(Exception):
    """Something that a retry may mend."""


def broken(times: int = 1000) -> list[BaseException]:
    return [BrokenError("broken")] * times


async def resolve(transfer: Stage, action: OperatorAction, request_id: str = "1") -> None:
    await transfer.client.resolve(transfer.transfer_id, action, OrderId(request_id))


async def parked(transfer: Stage) -> None:
    await transfer.world.until(lambda: transfer.world.attention is Attention.OPERATOR)


async def test_a_transaction_that_fails_for_a_moment_is_retried_locally(stage: Set) -> None:
    world = World()
    world.fail["reserve"] = broken(2)
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed"
    assert "registry.reserve" not in await scheduled(transfer)


@pytest.mark.recorded
async def test_a_transaction_whose_local_tries_are_used_up_becomes_an_ordinary_activity(stage: Set) -> None:
    world = World()
    world.fail["reserve"] = broken(5)
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed"
    assert "registry.reserve" in await scheduled(transfer)


async def scheduled(transfer: Stage) -> set[str]:
    """Give the steps that became ordinary activities."""
    events = [event async for event in transfer.handle.fetch_history_events()]
    return {event.activity_task_scheduled_event_attributes.activity_type.name for event in events}


@pytest.mark.recorded
async def test_used_up_retries_wait_for_an_operator_who_retries(stage: Set) -> None:
    world = World()
    world.fail["quiet"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    error, attempts = world.errors[StepName.QUIET_CHARGER]
    assert (error, attempts) == ("BrokenError: broken", world.reached["quiet"])
    world.fail["quiet"].clear()
    await resolve(transfer, OperatorAction.RETRY)
    assert await transfer.outcome() == "completed"


@pytest.mark.parametrize("way", ["forward", "back"])
async def test_the_page_of_a_parked_transfer_says_what_failed_how_often_and_what_each_action_does(
    stage: Set, way: str
) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.REJECTED]
    world.fail["replace_lists" if way == "forward" else "restore_ownership"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    page = await transfer.page()
    step, tries = (
        (StepName.REPLACE_LISTS, world.reached["replace_lists"])
        if way == "forward"
        else (StepName.CHANGE_OWNERSHIP, world.reached["restore_ownership"] - 4)  # the local ones don't count
    )
    assert f"step `{step.value}`" in page
    assert "**Needs an operator.**" in page
    assert f"Tried {tries} times; it failed with: BrokenError: broken" in page
    forward, back = TransferState.RECONFIGURING, TransferState.ROLLING_BACK
    progress = Progress(
        forward if way == "forward" else back,
        step,
        Attention.OPERATOR,
        change=Change.BEGUN,
        device_step=step if way == "forward" else None,
    )
    for action in OperatorAction:
        text = effect(action, progress)
        assert f"- `{action.value}`: {text}" in page
    assert re.search(r"Since 20\d\d-.*; until 20\d\d-", page)
    world.fail.clear()
    await resolve(transfer, OperatorAction.RETRY)
    assert await transfer.outcome() in {"completed", "rolled_back"}


async def test_an_operator_rolls_back(stage: Set) -> None:
    world = World()
    world.fail["replace_lists"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    await resolve(transfer, OperatorAction.ROLL_BACK)
    assert await transfer.outcome() == "rolled_back"
    assert (world.owner, world.reason) == ("before", "operator")
    assert world.steps[StepName.REPLACE_LISTS] is StepState.FAILED
    assert world.errors[StepName.REPLACE_LISTS][0] == "Rolled back: operator."


@pytest.mark.recorded
async def test_an_operator_leaves_a_device_step_undone(stage: Set) -> None:
    world = World()
    world.fail["replace_lists"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    await resolve(transfer, OperatorAction.COMPLETE)
    assert await transfer.outcome() == "completed_with_warnings"
    assert TransferWarning.LEFT_UNDONE_BY_OPERATOR in world.warnings


async def test_the_ownership_change_is_never_left_undone(stage: Set) -> None:
    world = World()
    world.fail["change_ownership"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    with pytest.raises(NotPossible):
        await resolve(transfer, OperatorAction.COMPLETE)
    await resolve(transfer, OperatorAction.ROLL_BACK, "2")
    assert await transfer.outcome() == "rolled_back"


@pytest.mark.recorded
async def test_a_failing_compensation_waits_for_an_operator_and_is_never_left_out(stage: Set) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.REJECTED]
    world.fail["restore_ownership"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    with pytest.raises(NotPossible):
        await resolve(transfer, OperatorAction.COMPLETE)
    world.fail["restore_ownership"].clear()
    await resolve(transfer, OperatorAction.ROLL_BACK, "2")  # during a roll-back it means retry
    assert await transfer.outcome() == "rolled_back"
    assert world.owner == "before"


async def test_it_tries_again_without_an_operator(stage: Set) -> None:
    world = World()
    world.fail["quiet"] = broken()
    transfer = await stage(world, POLICY.model_copy(update={"operator_retries_every": timedelta(seconds=2)}))
    await transfer.start()
    await parked(transfer)
    world.fail["quiet"].clear()
    assert await transfer.outcome() == "completed"


async def test_after_the_proof_there_is_no_way_back(stage: Set) -> None:
    world = World()
    world.fail["release"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    with pytest.raises(TooLate):
        await resolve(transfer, OperatorAction.ROLL_BACK)
    world.fail["release"].clear()
    await resolve(transfer, OperatorAction.RETRY, "2")
    assert await transfer.outcome() == "completed"


@pytest.mark.recorded
async def test_a_lost_answer_is_sent_again_until_the_charger_proves_a_key(stage: Set) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.UNKNOWN, KeyAnswer.ACCEPTED]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed"
    assert world.calls.count("rotate") == 2


async def test_a_charger_that_keeps_its_socket_open_is_made_to_come_back(stage: Set) -> None:
    world = World(proves=False)
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: "disconnect" in world.calls)
    world.proven = True
    assert await transfer.outcome() == "completed"


async def test_a_charger_that_lies_is_given_to_an_operator(stage: Set) -> None:
    world = World(proves=False, old_key_returns=3, quarantined=True)
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    await resolve(transfer, OperatorAction.ROLL_BACK)
    assert await transfer.outcome() == "rolled_back"
    assert "withdraw_credentials" in world.calls


async def test_a_quarantined_charger_is_left_to_the_gateway(stage: Set) -> None:
    world = World(quarantined=True)
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.steps.get(StepName.ROTATE_CREDENTIALS) is StepState.RUNNING)
    world.proven = True
    assert await transfer.outcome() == "completed"
    assert "rotate" not in world.calls


async def test_a_session_that_ends_lets_the_transfer_go_on(stage: Set) -> None:
    world = World(session_running=True)
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.attention is Attention.SESSION_RUNNING)
    world.session_running = False
    await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, "session_ended")
    assert await transfer.outcome() == "completed"


async def test_a_charger_that_comes_back_is_heard_at_once(stage: Set) -> None:
    world = World(plan=plan(quiet=False))
    long = POLICY.model_copy(
        update={"offline_deadline": POLICY.retries_used_up * 600, "look_again": POLICY.retries_used_up * 600}
    )
    transfer = await stage(world, long)
    node, world.node = world.node, None
    await transfer.start()
    await world.until(lambda: world.attention is Attention.CHARGER_OFFLINE)
    world.node = node
    await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, "connected")
    async with asyncio.timeout(15):
        assert await transfer.outcome() == "completed"


async def test_a_node_that_is_gone_counts_as_offline(stage: Set) -> None:
    world = World(plan=plan(quiet=False))
    transfer = await stage(world)
    world.node = "no-such-node"
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert TransferWarning.CREDENTIALS_DUE in world.warnings


async def test_a_step_that_takes_long_is_shown_as_retrying(stage: Set) -> None:
    world = World()
    world.gates["quiet"] = asyncio.Event()
    transfer = await stage(world, POLICY.model_copy(update={"retries_used_up": timedelta(minutes=2)}))
    await transfer.start()
    await world.until(lambda: world.attention is Attention.RETRYING)
    world.gates["quiet"].set()
    assert await transfer.outcome() == "completed"
    assert world.attention is Attention.NONE


async def test_a_change_that_is_being_made_is_never_left_undone(stage: Set) -> None:
    world = World()
    world.gates["change_ownership"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["change_ownership"])
    with pytest.raises(NotPossible):
        await resolve(transfer, OperatorAction.COMPLETE)
    world.gates["change_ownership"].set()
    assert await transfer.outcome() == "completed"
    assert world.warnings == ()


async def test_a_deleted_connection_whose_change_was_tried_is_never_rolled_back(stage: Set) -> None:
    world = World(plan=plan(connection=Connection.DELETE, rotate=False))
    world.fail["change_ownership"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await parked(transfer)
    with pytest.raises(TooLate):
        await resolve(transfer, OperatorAction.ROLL_BACK)
    world.fail["change_ownership"].clear()
    await resolve(transfer, OperatorAction.RETRY, "2")
    assert await transfer.outcome() == "completed"


async def test_a_revoked_charger_that_fails_is_closed_at_once(stage: Set) -> None:
    world = World(plan=plan(connection=Connection.DELETE, rotate=False))
    world.fail["replace_lists"] = broken()
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == (TransferWarning.LISTS_DUE,)
    assert world.calls[-2:] == ["disconnect", "finish"]


@pytest.mark.parametrize("name", ["replace_lists", "release"])
@pytest.mark.parametrize(
    ("kind", "text", "remark"),
    [
        ("unavailable", "The charger did not take the local list.", "The charger did not take the local list."),
        ("unavailable", "The charger did not answer Reset in time.", "The charger did not answer Reset in time."),
        (NOT_CONNECTED, "no socket here", "The charger is offline."),
        ("OperationalError", "postgres://…", "The gateway failed to tell the charger."),
    ],
)
async def test_what_a_revoked_charger_did_not_take_is_said_as_it_was(
    stage: Set, name: str, kind: str, text: str, remark: str
) -> None:
    world = World(plan=plan(connection=Connection.DELETE, rotate=False))
    world.fail[name] = [ApplicationError(text, type=kind, non_retryable=True) for _ in range(LOOK_UPS)]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    step = StepName.REPLACE_LISTS if name == "replace_lists" else StepName.RELEASE_CHARGER
    assert (world.steps[step], world.errors[step][0]) == (StepState.SKIPPED, remark)


async def test_a_revoked_charger_that_goes_after_it_refused_is_said_to_have_refused(stage: Set) -> None:
    """It is offline when the step ends, which is not why it was not done."""
    world = World(plan=plan(connection=Connection.DELETE, rotate=False))
    world.gates["replace_lists"] = asyncio.Event()
    world.fail["replace_lists"] = [ApplicationError("The charger refused.", type="unavailable", non_retryable=True)]
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["replace_lists"])
    world.node = None
    world.gates["replace_lists"].set()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.errors[StepName.REPLACE_LISTS][0] == "The charger refused."


async def test_a_revoked_charger_that_goes_before_it_is_back_in_service_is_due(stage: Set) -> None:
    world = World(plan=plan(connection=Connection.DELETE, rotate=False))
    world.fail["release"] = broken()
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == (TransferWarning.RELEASE_DUE,)


async def test_a_proof_that_nobody_told_of_leaves_no_way_back(stage: Set) -> None:
    world, days = World(proves=False), timedelta(days=7)
    transfer = await stage(world, LONG.model_copy(update={"reconnect_after": days, "proof_deadline": 2 * days}))
    await transfer.start()
    await world.until(lambda: "rotate" in world.calls)
    world.proven = True
    with pytest.raises(TooLate):
        await resolve(transfer, OperatorAction.ROLL_BACK)
    await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, "proved")
    assert await transfer.outcome() == "completed"


async def test_a_worker_that_stops_in_the_middle_leaves_nothing_behind_in_its_process(
    temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    world = World(plan=plan(quiet=False))
    world.fail["change_ownership"] = broken()
    world.policy = POLICY
    transfer = Stage(temporal, world)
    async with transfer_worker(temporal, [world]):
        await transfer.start()
        await parked(transfer)
    gc.collect()
    assert complaints == []
    await transfer.handle.terminate()


async def test_credentials_that_stay_due_are_left_to_the_gateway(stage: Set) -> None:
    world = World(plan=plan(quiet=False))
    transfer = await stage(world)
    world.node = None
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert "leave_credentials_due" in world.calls


async def test_a_charger_in_quarantine_is_sent_no_list_before_its_proof(stage: Set) -> None:
    world = World(quarantined=True)
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.steps.get(StepName.ROTATE_CREDENTIALS) is StepState.RUNNING)
    assert "replace_lists" not in world.calls
    world.proven = True
    assert await transfer.outcome() == "completed"
    assert "replace_lists" in world.calls


async def test_a_roll_back_waits_for_no_charger_that_was_never_told_anything(stage: Set) -> None:
    world = World()
    world.fail["change_ownership"] = [NotAllowed("No more.")]
    transfer = await stage(world, LONG)
    world.node = None
    await transfer.start()
    async with asyncio.timeout(15):
        assert await transfer.outcome() == "rolled_back"
    assert world.warnings == ()
    assert world.steps[StepName.CHANGE_OWNERSHIP] is StepState.FAILED
    assert "release" not in world.reached


async def test_a_roll_back_leaves_due_what_a_vanished_charger_cannot_take(stage: Set) -> None:
    world = World(proves=False)
    transfer = await stage(world, LONG)
    await transfer.start()
    await world.until(lambda: "rotate" in world.calls)
    world.node = None
    await resolve(transfer, OperatorAction.ROLL_BACK)
    async with asyncio.timeout(15):
        assert await transfer.outcome() == "rolled_back"
    assert world.owner == "before"
    assert world.warnings == (TransferWarning.LISTS_DUE, TransferWarning.RELEASE_DUE)
    undone = {step for step, state in world.steps.items() if state is StepState.COMPENSATED}
    assert undone == {StepName.QUIET_CHARGER, StepName.CHANGE_OWNERSHIP, StepName.REPLACE_LISTS}
    assert world.steps[StepName.ROTATE_CREDENTIALS] is StepState.FAILED


@pytest.mark.parametrize("if_offline", list(IfOffline))
async def test_a_proof_that_nobody_told_of_is_found_before_anything_is_given_up(
    stage: Set, if_offline: IfOffline
) -> None:
    world = World(plan=plan(if_offline=if_offline, lists=False), proves=False)
    transfer = await stage(world, POLICY.model_copy(update={"offline_deadline": timedelta(seconds=10)}))
    node = world.node
    await transfer.start()
    await world.until(lambda: "rotate" in world.calls)
    world.node = None
    await world.until(lambda: world.attention is Attention.CHARGER_OFFLINE)
    world.proven = True
    await world.until(lambda: world.reached["turn_back"] or world.reached["leave_credentials_due"])
    world.node = node
    assert await transfer.outcome() == "completed"
    assert world.owner == "after"


@pytest.mark.parametrize("rotate", [KeyAnswer.ACCEPTED, KeyAnswer.REJECTED])
@pytest.mark.parametrize("release", [CommandOutcome.REJECTED, CommandOutcome.NOT_SUPPORTED])
async def test_a_charger_that_refuses_to_be_released_is_no_silent_success(
    stage: Set, rotate: KeyAnswer, release: CommandOutcome
) -> None:
    world = World()
    world.answers["rotate"] = [rotate]
    world.answers["release"] = [release]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() in {"completed_with_warnings", "rolled_back"}
    assert world.warnings == (TransferWarning.RELEASE_DUE,)


async def test_a_long_wait_does_not_fill_the_history(stage: Set) -> None:
    often = POLICY.model_copy(update={"offline_deadline": timedelta(seconds=15), "look_again": timedelta(seconds=1)})
    transfer = await stage(World(plan=plan(quiet=False)), often)
    transfer.world.node = None
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    events = [event.event_type async for event in transfer.handle.fetch_history_events()]
    looks = events.count(EventType.EVENT_TYPE_TIMER_FIRED)
    assert looks <= 5  # after 1, 2, 4 and 8 s: each pause is twice the one before
    assert events.count(EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES) < 40


async def test_a_charger_that_keeps_coming_and_going_does_not_fill_the_history(stage: Set) -> None:
    world = World(plan=plan(quiet=False))
    transfer = await stage(world, LONG)
    world.node = None
    await transfer.start()
    await world.until(lambda: world.attention is Attention.CHARGER_OFFLINE)
    for _ in range(WAKE_UPS + 50):
        await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, "connected")
    seen = world.reached["locate"]
    assert seen <= WAKE_UPS + 10
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.COMPLETE, OrderId("1"))
    assert await transfer.outcome() == "completed_with_warnings"
