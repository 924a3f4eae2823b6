"""Where people may know the key in use, the transfer waits for one that the new owner types."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.charger import KeyAnswer
from domain.errors import TooLate, Unavailable
from domain.ids import OrderId
from domain.letters import Subject
from domain.transfer import Attention, IfOffline, OperatorAction, StepName, StepState, TransferWarning, UntilNewKey
from tests.workflows.conftest import POLICY, Set, Stage
from tests.workflows.world import World, plan
from workflows.messages import NEW_KEY

#: Long enough for what a test does while a transfer waits for a key.
PATIENT = POLICY.model_copy(update={"offline_deadline": timedelta(minutes=5)})


async def news(transfer: Stage) -> None:
    await transfer.client.tell_charger_news(transfer.transfer_id, transfer.world.plan.charge_point_id, "proved")


async def waits(transfer: Stage) -> None:
    await transfer.world.until(lambda: transfer.world.attention is Attention.NEW_KEY)


async def resolve(transfer: Stage, action: OperatorAction) -> None:
    await transfer.client.resolve(transfer.transfer_id, action, OrderId(action.value))


@pytest.mark.recorded
async def test_lists_and_release_come_first_no_key_is_sent_and_the_new_owners_completes_it(stage: Set) -> None:
    world = World(new_key=True)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    before = list(world.calls)
    steps = {"replace_lists", "allow_sessions", "release", "rotate"}
    in_order = list(dict.fromkeys(call for call in before if call in steps))  # a lost answer has one asked for again
    assert in_order == ["replace_lists", "allow_sessions", "release"]
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"
    assert "replace_lists" in world.calls[len(before) :], "the group may know its tags again"
    assert "release" in world.calls[len(before) :], "it may have been somebody else who was told"
    assert "rotate" not in world.calls
    assert world.steps[StepName.ROTATE_CREDENTIALS] is StepState.DONE
    assert [letter.subject for letter in world.letters] == [Subject.NEW_KEY]


@pytest.mark.recorded
async def test_in_quarantine_nothing_is_done_before_the_new_key(stage: Set) -> None:
    world = World(plan=plan(until_new_key=UntilNewKey.QUARANTINE), new_key=True)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    assert {"replace_lists", "release", "allow_sessions"}.isdisjoint(world.calls)
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"
    assert {"replace_lists", "release"} <= set(world.calls)


@pytest.mark.recorded
@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("if_offline", IfOffline)
async def test_at_the_deadline_it_ends_with_the_old_key_known_whether_or_not_it_is_connected(
    stage: Set, online: bool, if_offline: IfOffline
) -> None:
    world = World(plan=plan(if_offline=if_offline), new_key=True, node="node" if online else None)
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.owner == "after"
    [letter] = world.letters
    assert letter.subject is Subject.NEW_KEY
    assert letter.remind_at
    left = () if online else (TransferWarning.LISTS_DUE,)
    assert world.warnings == (TransferWarning.OLD_KEY_KNOWN, *left)


async def test_the_deadline_counts_from_the_change_however_long_that_was_tried(stage: Set) -> None:
    world = World(new_key=True)
    world.fail["change_ownership"] = [Unavailable("The database is away."), Unavailable("Still."), Unavailable("And.")]
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    assert world.changed_at
    assert world.waiting_until
    assert world.waiting_until >= world.changed_at + PATIENT.offline_deadline


async def test_one_that_takes_no_key_that_it_is_sent_is_not_waited_for_where_it_serves(stage: Set) -> None:
    world = World(new_key=True, rotates=False)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == (TransferWarning.OLD_KEY_KNOWN,)
    assert world.letters, "the new owner may type one all the same"


async def test_one_that_takes_no_key_is_waited_for_in_quarantine(stage: Set) -> None:
    world = World(plan=plan(until_new_key=UntilNewKey.QUARANTINE), new_key=True, rotates=False)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"


async def test_an_operator_may_roll_back_before_a_key_is_handed_out(stage: Set) -> None:
    world = World(new_key=True)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    await resolve(transfer, OperatorAction.ROLL_BACK)
    assert await transfer.outcome() == "rolled_back"
    assert world.owner == "before"
    assert "restore_lists" in world.calls


async def test_once_a_key_is_handed_out_there_is_no_way_back(stage: Set) -> None:
    world = World(new_key=True)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    looks, world.handed_out = world.reached["credentials"], True
    await news(transfer)
    await world.until(lambda: world.reached["credentials"] > looks)
    with pytest.raises(TooLate):
        await resolve(transfer, OperatorAction.ROLL_BACK)
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"


@pytest.mark.recorded
async def test_a_roll_back_that_crosses_the_handing_out_goes_on_instead(stage: Set) -> None:
    world = World(new_key=True)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    gate = world.gates["turn_back"] = asyncio.Event()
    await resolve(transfer, OperatorAction.ROLL_BACK)
    await world.until(lambda: world.reached["turn_back"])
    world.handed_out = True
    gate.set()
    await world.until(lambda: world.calls.count("turn_back") == 1)
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"
    assert world.owner == "after"


async def test_complete_ends_the_wait_with_the_old_key_known(stage: Set) -> None:
    world = World(new_key=True)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    await resolve(transfer, OperatorAction.COMPLETE)
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == (TransferWarning.LEFT_UNDONE_BY_OPERATOR, TransferWarning.OLD_KEY_KNOWN)


@pytest.mark.recorded
@pytest.mark.parametrize("answer", [KeyAnswer.REJECTED, KeyAnswer.NOT_SUPPORTED])
async def test_a_refusal_over_a_connection_that_proves_nothing_rolls_nothing_back(
    stage: Set, answer: KeyAnswer
) -> None:
    world = World(counts=False)
    world.answers["rotate"] = [answer]
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    assert "await_new_key" in world.calls
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"
    assert world.owner == "after"


async def test_a_key_handed_out_while_the_charger_is_waited_for_is_what_is_waited_for(stage: Set) -> None:
    world = World(proves=False)
    world.answers["rotate"] = [KeyAnswer.UNKNOWN] * 50
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await world.until(lambda: "rotate" in world.calls)
    world.handed_out = True
    await news(transfer)
    await waits(transfer)
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"


# --- an enrolment that is under way -------------------------------------------------------------------------------


@pytest.mark.recorded
async def test_a_key_that_was_just_sent_is_waited_for_before_the_change(stage: Set) -> None:
    world = World(enrolment_sent_at=datetime.now(UTC))
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await world.until(lambda: "quiet" in world.calls and world.reached["locate"])
    assert "change_ownership" not in world.calls
    world.enrolment_sent_at = None
    await news(transfer)
    assert await transfer.outcome() == "completed"


async def test_it_is_waited_for_no_longer_than_it_may_take(stage: Set) -> None:
    policy = POLICY.model_copy(update={"enrolment_patience": timedelta(seconds=1)})
    world = World(enrolment_sent_at=datetime.now(UTC))
    transfer = await stage(world, policy)
    await transfer.start()
    assert await transfer.outcome() == "completed"


async def test_a_transfer_may_be_cancelled_while_it_waits_for_an_enrolment(stage: Set) -> None:
    world = World(enrolment_sent_at=datetime.now(UTC))
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await world.until(lambda: world.reached["locate"])
    await transfer.handle.cancel()
    assert await transfer.outcome() == "rolled_back"
    assert "change_ownership" not in world.calls


async def test_a_roll_back_is_refused_once_the_key_is_on_record_whoever_says_so(stage: Set) -> None:
    """Before it has looked itself; and whoever says so to the workflow alone has said nothing."""
    world = World(new_key=True)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    world.handed_out = True
    with pytest.raises(TooLate):
        await resolve(transfer, OperatorAction.ROLL_BACK)
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"


async def test_that_a_key_was_handed_out_is_nothing_to_be_said_to_the_workflow(stage: Set) -> None:
    world = World(new_key=True)
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, NEW_KEY)
    await resolve(transfer, OperatorAction.ROLL_BACK)
    assert await transfer.outcome() == "rolled_back"


async def test_what_is_connected_with_a_known_key_holds_nothing_up_by_its_refusals(stage: Set) -> None:
    world = World(new_key=True)
    for step in ("replace_lists", "release"):
        world.fail[step] = [RuntimeError("refused")]
    transfer = await stage(world, PATIENT)
    await transfer.start()
    await waits(transfer)
    before = len(world.calls)
    world.proven = True
    await news(transfer)
    assert await transfer.outcome() == "completed"
    assert {"replace_lists", "release"} <= set(world.calls[before:])
    assert world.letters


async def test_nor_the_end(stage: Set) -> None:
    world = World(new_key=True)
    for step in ("replace_lists", "release"):
        world.fail[step] = [RuntimeError("refused")] * 2
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    left = {TransferWarning.LISTS_DUE, TransferWarning.RELEASE_DUE}
    assert set(world.warnings) == {TransferWarning.OLD_KEY_KNOWN, *left}
