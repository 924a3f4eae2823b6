"""Decisions on the real server: one wins, each caller hears that one, and a cancel never leaves anything half done."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from activities.contracts.registry import DecisionRecord
from domain.approval import Decision
from domain.charger import KeyAnswer
from domain.errors import AlreadyDecided, NotAllowed, TooLate
from domain.ids import OrderId, UserId
from domain.transfer import Attention, OperatorAction, TransferState
from tests.workflows.conftest import Set, Stage
from tests.workflows.world import ENDS, World, asked
from workflows.messages import TransferOutcome

RECIPIENT, SENDER = UserId("recipient"), UserId("sender")


async def decide(transfer: Stage, decision: Decision, user: UserId) -> str:
    state = await transfer.client.decide(transfer.transfer_id, decision, OrderId(f"user:{user}"))
    return state.value


@pytest.mark.recorded
async def test_an_accepted_transfer_goes_on(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    await transfer.world.until(lambda: transfer.world.reached["reserve"])
    assert await decide(transfer, Decision.ACCEPT, RECIPIENT) == "transferring"
    assert await transfer.outcome() == "completed"


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("decision", "user", "state"),
    [(Decision.DECLINE, RECIPIENT, "declined"), (Decision.CANCEL, SENDER, "cancelled")],
)
async def test_a_transfer_that_is_not_wanted_ends(stage: Set, decision: Decision, user: UserId, state: str) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    assert await decide(transfer, decision, user) == state
    assert await transfer.outcome() == state
    assert "change_ownership" not in transfer.world.calls


async def test_a_decision_sent_again_is_answered_alike_also_after_the_end(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    assert await decide(transfer, Decision.DECLINE, RECIPIENT) == "declined"
    await transfer.outcome()
    assert await decide(transfer, Decision.DECLINE, RECIPIENT) == "declined"
    with pytest.raises(AlreadyDecided):
        await decide(transfer, Decision.ACCEPT, RECIPIENT)


@pytest.mark.recorded
async def test_a_transfer_nobody_decides_expires(stage: Set) -> None:
    transfer = await stage(World(plan=asked(seconds=2)))
    await transfer.start()
    assert await transfer.outcome() == "expired"
    assert "change_ownership" not in transfer.world.calls


async def test_decisions_at_the_same_moment_have_one_winner(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    answers = await asyncio.gather(
        *(decide(transfer, decision, user) for decision, user in [
            (Decision.ACCEPT, RECIPIENT), (Decision.DECLINE, RECIPIENT), (Decision.DECLINE, UserId("other")),
        ]),
        return_exceptions=True,
    )  # fmt: skip
    outcome = await transfer.outcome()
    told = [answer for answer in answers if isinstance(answer, str)]
    assert told == ["transferring" if outcome == "completed" else outcome]
    assert sum(isinstance(answer, AlreadyDecided) for answer in answers) == 2
    assert sum(call.startswith("decide:") for call in transfer.world.calls) == 1


async def test_decisions_that_waited_for_a_refused_one_still_have_one_winner(stage: Set) -> None:
    world, stranger = World(plan=asked()), "decide:decline:user:stranger"
    world.gates[stranger], world.fail[stranger] = asyncio.Event(), [NotAllowed("Not yours.")] * 9
    transfer = await stage(world)
    await transfer.start()
    refused = asyncio.create_task(decide(transfer, Decision.DECLINE, UserId("stranger")))
    await world.until(lambda: world.reached[stranger])
    waiting = [asyncio.create_task(decide(transfer, one, RECIPIENT)) for one in (Decision.ACCEPT, Decision.DECLINE)]
    async with asyncio.timeout(15):
        while await accepted_updates(transfer) < 4:  # the opening one and these three
            await asyncio.sleep(0.1)  # the server's doing: there is nothing here to wait on
    world.gates[stranger].set()
    answers = await asyncio.gather(refused, *waiting, return_exceptions=True)
    outcome = await transfer.outcome()
    assert [answer for answer in answers if isinstance(answer, str)] == [
        {"completed": "transferring", "declined": "declined"}[outcome]
    ]
    assert sum(call.startswith("decide:") for call in world.calls) == 1


async def accepted_updates(transfer: Stage) -> int:
    events = [event async for event in transfer.handle.fetch_history_events()]
    return sum(event.HasField("workflow_execution_update_accepted_event_attributes") for event in events)


async def test_a_decision_that_the_register_refuses_can_be_tried_again(stage: Set) -> None:
    world = World(plan=asked())
    world.fail["decide:accept:user:recipient"] = [NotAllowed("Not yours."), NotAllowed("Not yours.")]
    transfer = await stage(world)
    await transfer.start()
    with pytest.raises(NotAllowed, match="Not yours"):
        await decide(transfer, Decision.ACCEPT, RECIPIENT)
    assert await decide(transfer, Decision.ACCEPT, RECIPIENT) == "transferring"
    await transfer.outcome()


@pytest.mark.recorded
async def test_a_cancel_while_a_session_is_waited_for_rolls_back(stage: Set) -> None:
    transfer = await stage(World(session_running=True))
    await transfer.start()
    await transfer.world.until(lambda: transfer.world.attention is Attention.SESSION_RUNNING)
    assert await decide(transfer, Decision.CANCEL, SENDER) == "rolling_back"
    assert await transfer.outcome() == "rolled_back"
    assert transfer.world.reason == "cancelled"
    assert transfer.world.calls[-3:] == ["allow_sessions", "release", "finish"]


async def test_a_cancel_after_the_change_has_begun_is_too_late(stage: Set) -> None:
    world = World()
    world.gates["change_ownership"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["change_ownership"])
    with pytest.raises(TooLate):
        await decide(transfer, Decision.CANCEL, SENDER)
    world.gates["change_ownership"].set()
    assert await transfer.outcome() == "completed"


async def test_a_cancel_from_the_temporal_ui_cancels_while_it_can(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    await transfer.world.until(lambda: transfer.world.attention is Attention.RECIPIENT)
    await transfer.handle.cancel()
    assert await transfer.outcome() == "cancelled"
    assert "decide:cancel:temporal-ui" in transfer.world.calls


async def cancelled_while(transfer: Stage, compensation: str) -> None:
    """Cancel the workflow itself, twice, while a roll-back is at one of its compensations."""
    world = transfer.world
    world.answers["rotate"] = [KeyAnswer.REJECTED]
    world.gates[compensation] = asyncio.Event()
    await transfer.start()
    await world.until(lambda: world.reached[compensation])
    for _ in range(2):
        await transfer.handle.cancel()
    world.gates[compensation].set()


@pytest.mark.recorded
async def test_a_cancel_from_the_temporal_ui_interrupts_no_compensation(stage: Set) -> None:
    transfer = await stage(World())
    await cancelled_while(transfer, "restore_ownership")
    assert await transfer.outcome() == "rolled_back"
    assert transfer.world.calls[-4:] == ["restore_ownership", "allow_sessions", "release", "finish"]


@pytest.mark.parametrize("compensation", ["withdraw_credentials", "restore_lists", "release"])
async def test_nor_does_it_any_other_one(stage: Set, compensation: str) -> None:
    transfer = await stage(World())
    await cancelled_while(transfer, compensation)
    assert await transfer.outcome() == "rolled_back"
    assert transfer.world.calls[-5:] == [
        "withdraw_credentials", "restore_ownership", "allow_sessions", "release", "finish",
    ]  # fmt: skip


async def test_one_plain_shield_would_not_do(stage: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant that the tests above must find: a cancel ends the run, and the former owner stays robbed."""

    async def shielded_once(
        story: Coroutine[Any, Any, TransferOutcome], _on_cancel: Callable[[], None]
    ) -> TransferOutcome:
        return await asyncio.shield(story)

    monkeypatch.setattr("workflows.transfer.to_the_end", shielded_once)
    transfer = await stage(World())
    await cancelled_while(transfer, "restore_lists")
    with pytest.raises(WorkflowFailureError):
        await transfer.outcome()
    assert "restore_ownership" not in transfer.world.calls


async def test_an_operator_rolls_back_an_unanswered_transfer_as_cancelled(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    state = await transfer.client.resolve(transfer.transfer_id, OperatorAction.ROLL_BACK, OrderId("1"))
    assert state == "cancelled"
    assert await transfer.outcome() == "cancelled"


def test_the_record_of_a_decision_holds_ids_only() -> None:
    assert set(DecisionRecord.model_fields) == {"transfer_id", "decision", "order_id"}


async def test_an_acceptance_that_can_lead_to_nothing_ends_it_before_the_charger_is_told_anything(stage: Set) -> None:
    world = World(plan=asked(), ends=ENDS | {Decision.ACCEPT: TransferState.CANCELLED})
    transfer = await stage(world)
    await transfer.start()
    state = await transfer.client.decide(transfer.transfer_id, Decision.ACCEPT, OrderId("a-1"))
    assert (state, await transfer.outcome()) == ("cancelled", "cancelled")
    assert "quiet" not in world.calls


async def test_a_decision_goes_before_what_nobody_waits_for(stage: Set) -> None:
    transfer = await stage(World(plan=asked()))
    await transfer.start()
    await transfer.client.decide(transfer.transfer_id, Decision.DECLINE, OrderId("user:recipient"))
    await transfer.outcome()
    given = [
        event.activity_task_scheduled_event_attributes.priority.priority_key
        async for event in transfer.handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert given == [1]
