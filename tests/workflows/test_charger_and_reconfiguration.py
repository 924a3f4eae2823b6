"""What crosses on the way to the charger: news and answers, orders and steps, a socket that moves, time that passes."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.contracts.charger import NOT_CONNECTED
from activities.contracts.registry import Whereabouts
from domain.approval import Decision
from domain.charger import CommandOutcome, KeyAnswer
from domain.ids import NodeId, OrderId
from domain.transfer import REFUSED_BY_CHARGER, Attention, OperatorAction, StepName, StepState, TransferWarning
from tests.workflows.conftest import POLICY, Set
from tests.workflows.world import World, asked, plan
from worker import gateway_worker

DAYS = timedelta(days=7)


def gone() -> ApplicationError:
    return ApplicationError("no socket here", type=NOT_CONNECTED, non_retryable=True)


async def test_a_command_follows_a_socket_that_has_moved_to_another_node(stage: Set, temporal: Client) -> None:
    world, other, there = World(), World(), NodeId(f"other-{uuid.uuid4().hex}")
    transfer = await stage(world)
    here = world.node
    world.gates["replace_lists"], other.gates["replace_lists"] = asyncio.Event(), asyncio.Event()
    world.fail["replace_lists"] = [gone()]
    async with gateway_worker(temporal, other, there):
        await transfer.start()
        await world.until(lambda: world.reached["replace_lists"])
        world.node = there
        world.gates["replace_lists"].set()
        await other.until(lambda: other.reached["replace_lists"])
        world.node = here
        other.gates["replace_lists"].set()
        assert await transfer.outcome() == "completed"
    assert "replace_lists" in other.calls
    assert "replace_lists" not in world.calls


async def test_sessions_that_the_register_has_blocked_are_not_blocked_again(stage: Set) -> None:
    world = World(plan=plan(sessions_blocked=True, where=Whereabouts(node=None, generation=0)))
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed"
    assert "block_sessions" not in world.calls
    assert "quiet" not in world.calls, "the plan says that it is away"
    assert "allow_sessions" in world.calls


async def test_a_step_at_the_charger_shows_from_its_beginning(stage: Set) -> None:
    world = World()
    steps = {"quiet": StepName.QUIET_CHARGER, "replace_lists": StepName.REPLACE_LISTS}
    steps |= {"rotate": StepName.ROTATE_CREDENTIALS, "release": StepName.RELEASE_CHARGER}
    world.gates |= {name: asyncio.Event() for name in steps}
    transfer = await stage(world)
    await transfer.start()
    for name, step in steps.items():
        await world.until(lambda name=name: world.reached[name])
        await world.until(lambda step=step: world.steps.get(step) is StepState.RUNNING)
        assert f"step `{step.value}`" in await transfer.page()
        world.gates[name].set()
    assert await transfer.outcome() == "completed"
    steps |= {"tell": StepName.TELL_PARTIES}
    assert {world.steps[step] for step in steps.values()} == {StepState.DONE}


async def test_what_a_charger_rejects_is_said_with_its_step(stage: Set) -> None:
    world = World()
    world.answers["replace_lists"] = [CommandOutcome.REJECTED]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.errors == {StepName.REPLACE_LISTS: (REFUSED_BY_CHARGER, 0)}
    assert world.steps[StepName.REPLACE_LISTS] is StepState.DONE


async def test_what_was_done_while_a_key_is_awaited_is_not_done_again_where_none_comes(stage: Set) -> None:
    world = World(new_key=True)
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert (world.calls.count("replace_lists"), world.calls.count("release")) == (1, 1)


async def test_who_takes_the_key_over_what_may_be_anybodys_connection_is_to_prove_it(stage: Set) -> None:
    world = World(counts=False)
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "completed"
    assert world.reached["await_new_key"] == 0


async def test_a_move_waits_for_no_charger_that_is_away(stage: Set) -> None:
    world = World(plan=plan(quiet=False, rotate=False), node=None)
    transfer = await stage(world, POLICY.model_copy(update={"offline_deadline": DAYS}))
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.warnings == (TransferWarning.LISTS_DUE,)


async def test_a_release_that_an_operator_left_undone_while_a_key_is_awaited_is_not_tried_again(stage: Set) -> None:
    world = World(new_key=True)
    world.gates["release"] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["release"])
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.COMPLETE, OrderId("c-1"))
    world.gates["release"].set()
    assert await transfer.outcome() == "completed_with_warnings"
    assert world.reached["release"] == 1


async def test_a_cancel_that_is_being_written_comes_before_the_change(stage: Set) -> None:
    world = World()
    world.gates["quiet"], world.gates["decide:cancel:c-1"] = asyncio.Event(), asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["quiet"])
    cancel = asyncio.create_task(transfer.client.decide(transfer.transfer_id, Decision.CANCEL, OrderId("c-1")))
    await world.until(lambda: world.reached["decide:cancel:c-1"])
    world.gates["quiet"].set()
    looks = world.reached["locate"]
    await world.until(lambda: world.reached["locate"] > looks)  # the last of the step before the change
    world.gates["decide:cancel:c-1"].set()
    await cancel
    assert await transfer.outcome() == "rolled_back"
    assert (world.reason, world.owner, world.reached["change_ownership"]) == ("cancelled", "before", 0)


async def test_a_restart_waits_for_a_session_that_began_before_it(stage: Set) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.REBOOT_REQUIRED]
    world.gates["rotate"] = asyncio.Event()
    transfer = await stage(world, POLICY.model_copy(update={"session_deadline": DAYS}))
    await transfer.start()
    await world.until(lambda: world.reached["rotate"])
    blocked = world.reached["block_sessions"]
    world.session_running = True
    world.gates["rotate"].set()
    await world.until(lambda: world.attention is Attention.SESSION_RUNNING)
    assert "reset" not in world.calls
    assert world.reached["block_sessions"] == blocked + 1, "no other one begins meanwhile"
    world.session_running = False
    await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, "session_ended")
    assert await transfer.outcome() == "completed"
    assert "reset" in world.calls


@pytest.mark.parametrize("answer", [KeyAnswer.REJECTED, KeyAnswer.NOT_SUPPORTED])
@pytest.mark.parametrize("counts", [True, False])
async def test_a_proof_that_crosses_a_refusal_counts(stage: Set, answer: KeyAnswer, counts: bool) -> None:
    """The charger uses its new key: nothing is taken back, nothing is due, and nobody types another one."""
    refused = "turn_back" if answer is KeyAnswer.REJECTED else "withdraw_credentials"
    world, calls_off = World(counts=counts), refused if counts else "await_new_key"
    world.answers["rotate"] = [answer]
    world.gates[calls_off] = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached[calls_off])
    world.proven = True
    world.gates[calls_off].set()
    assert await transfer.outcome() == "completed"
    assert (world.owner, world.warnings) == ("after", ())


async def test_a_proof_that_comes_as_the_charger_is_given_up_counts(stage: Set) -> None:
    world = World(plan=plan(quiet=False))
    transfer = await stage(world)
    node, world.node = world.node, None
    world.gates["leave_credentials_due"] = asyncio.Event()
    await transfer.start()
    await world.until(lambda: world.reached["leave_credentials_due"])
    world.node, world.proven = node, True
    world.gates["leave_credentials_due"].set()
    assert await transfer.outcome() == "completed"
    assert world.warnings == ()


async def test_the_time_that_it_was_offline_is_not_held_against_its_proof(stage: Set) -> None:
    world = World(plan=plan(quiet=False, lists=False), proves=False)
    short = {"proof_deadline": timedelta(seconds=2), "offline_deadline": DAYS, "reconnect_after": timedelta(seconds=1)}
    transfer = await stage(world, POLICY.model_copy(update=short))
    node, world.node = world.node, None
    await transfer.start()
    await world.until(lambda: world.reached["locate"] >= 5)  # by then it was away for longer than that
    world.node = node
    await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, "connected")
    await world.until(lambda: "rotate" in world.calls)
    world.proven = True
    await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, "proved")
    assert await transfer.outcome() == "completed"
    assert Attention.OPERATOR not in world.attentions


async def test_a_session_is_waited_for_until_its_own_deadline(stage: Set) -> None:
    """And not until that of a charger that is away."""
    world = World(session_running=True)
    transfer = await stage(world, POLICY.model_copy(update={"offline_deadline": DAYS}))
    await transfer.start()
    assert await transfer.outcome() == "rolled_back"
    assert world.reason == "session_deadline"


async def test_a_charger_that_is_away_is_waited_for_until_its_own_deadline(stage: Set) -> None:
    world = World(plan=plan(quiet=False))
    transfer = await stage(world, POLICY.model_copy(update={"session_deadline": DAYS, "proof_deadline": DAYS}))
    world.node = None
    await transfer.start()
    assert await transfer.outcome() == "completed_with_warnings"
    assert TransferWarning.CREDENTIALS_DUE in world.warnings


async def test_a_charger_that_was_made_inoperative_is_due_after_a_roll_back_too(stage: Set) -> None:
    world = World()
    world.answers["rotate"] = [KeyAnswer.REJECTED]
    world.answers["release"] = [CommandOutcome.REJECTED]
    transfer = await stage(world)
    await transfer.start()
    assert await transfer.outcome() == "rolled_back"
    assert world.warnings == (TransferWarning.RELEASE_DUE,)


async def test_an_acceptance_says_which_steps_are_taken(stage: Set) -> None:
    """Who accepts may be another than who was asked: what follows is decided then."""
    world = World(plan=asked(), decided={"quiet": False, "lists": False, "rotate": True})
    transfer = await stage(world)
    await transfer.start()
    await transfer.client.decide(transfer.transfer_id, Decision.ACCEPT, OrderId("a-1"))
    assert await transfer.outcome() == "completed"
    assert "rotate" in world.calls
    assert not {"quiet", "replace_lists", "release"} & set(world.calls)


async def test_what_two_operators_say_of_one_step_does_not_reach_the_next(stage: Set) -> None:
    """The second one says so while the try that the first one has given up comes to its end."""
    world = World()
    world.gates["replace_lists"] = world.held = asyncio.Event()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.reached["replace_lists"])
    for order in ("r-1", "r-2"):
        await transfer.client.resolve(transfer.transfer_id, OperatorAction.COMPLETE, OrderId(order))
    assert world.calls[-1] != "rotate", "the first try has not ended"
    world.held.set()
    assert await transfer.outcome() == "completed_with_warnings"
    assert "rotate" in world.calls
    assert world.warnings.count(TransferWarning.LEFT_UNDONE_BY_OPERATOR) == 1
    assert "release" in world.calls


async def test_a_charger_that_restarts_for_its_key_keeps_its_connection_meanwhile(stage: Set) -> None:
    """Its socket is not closed after the time of one that only has to come back."""
    world = World(proves=False)
    world.answers["rotate"] = [KeyAnswer.REBOOT_REQUIRED]
    transfer = await stage(world, POLICY.model_copy(update={"restart_patience": DAYS}))
    await transfer.start()
    await world.until(lambda: world.reached["reset"] == 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(world.until(lambda: world.reached["disconnect"]), 2)
    world.proven = True
    await transfer.client.tell_charger_news(transfer.transfer_id, world.plan.charge_point_id, "proved")
    assert await transfer.outcome() == "completed"
    assert (world.reached["rotate"], world.reached["reset"]) == (1, 1)
