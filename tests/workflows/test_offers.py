"""What the API offers is what the workflow takes, and what either refuses it refuses in the same words."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.contracts.registry import Plan
from api.actions import actions, progress_of
from domain.approval import Decision
from domain.charge_point import Holding
from domain.errors import Refusal
from domain.ids import GroupId, OrderId, TransferId, UserId
from domain.kinds import TransferKind
from domain.rights import Scope
from domain.transfer import Acceptance, Attention, Connection, OperatorAction, StepName, StepState
from domain.transitions import Action, Progress, refusal
from persistence.people.callers import Caller
from persistence.views.transfer_views import StepView, TransferView
from tests.workflows.conftest import POLICY, Stage, staged
from tests.workflows.world import CHARGE_POINT, World, asked, plan

LATER = timedelta(days=7)
#: Nothing runs out while somebody looks.
CALM = POLICY.model_copy(update={"session_deadline": LATER, "offline_deadline": LATER, "retries_used_up": LATER})
HASTY = CALM.model_copy(update={"retries_used_up": timedelta(milliseconds=100)})
#: How often a step that hangs is tried before it is an ordinary activity.
LOCAL_TRIES = 2
BROKEN = ApplicationError("broken", non_retryable=True)
CALLER = Caller(UserId("sender"), "Sender", None, None, "en", frozenset({Scope.OPERATOR}))
ALL = frozenset(UserId(name) for name in ("sender",))


@dataclass(frozen=True)
class Point:
    """A place on the way of a transfer: how its world is set up, and what shows that it is there."""

    sets: Callable[[World], None]
    there: Callable[[World], Any]
    asked: bool = False
    keeps: bool = False
    """Only where the connection is kept."""
    then: Callable[[Stage], Awaitable[Any]] | None = None
    """Done once it is there, to be at the point."""
    at: Callable[[World], Any] = lambda _: True


def gate(name: str) -> Callable[[World], None]:
    def shut(world: World) -> None:
        world.gates[name] = asyncio.Event()

    return shut


def breaks(name: str) -> Callable[[World], None]:
    def fail(world: World) -> None:
        world.fail[name] = [BROKEN] * 1000

    return fail


def set_to(**values: Any) -> Callable[[World], None]:
    def put(world: World) -> None:
        for name, value in values.items():
            setattr(world, name, value)

    return put


def enrols(world: World) -> None:
    world.enrolment_sent_at = datetime.now(UTC)


def both(*each: Callable[[World], None]) -> Callable[[World], None]:
    def do(world: World) -> None:
        for one in each:
            one(world)

    return do


async def roll_back(transfer: Stage) -> None:
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.ROLL_BACK, OrderId("back"))


def parked(world: World) -> bool:
    return world.attention is Attention.OPERATOR


POINTS = {
    "asked": Point(set_to(), lambda world: world.reached["reserve"], asked=True),
    "being made quiet": Point(gate("quiet"), lambda world: world.steps.get(StepName.QUIET_CHARGER)),
    "waits for a session": Point(
        set_to(session_running=True), lambda world: world.attention is Attention.SESSION_RUNNING
    ),
    "waits for an enrolment": Point(
        enrols,
        lambda world: world.steps.get(StepName.QUIET_CHARGER) is StepState.DONE,
        keeps=True,
    ),
    "in the change": Point(  # and its local tries are over
        gate("change_ownership"), lambda world: world.reached["change_ownership"] > LOCAL_TRIES
    ),
    "the change fails": Point(breaks("change_ownership"), parked),
    "the lists fail": Point(breaks("replace_lists"), parked, keeps=True),
    "the lists are sent": Point(gate("replace_lists"), lambda world: world.steps.get(StepName.REPLACE_LISTS)),
    "away": Point(set_to(node=None), lambda world: world.attention is Attention.CHARGER_OFFLINE, keeps=True),
    "a new key is awaited": Point(set_to(new_key=True), lambda world: world.attention is Attention.NEW_KEY, keeps=True),
    "a new key is handed out": Point(
        set_to(new_key=True, handed_out=True), lambda world: world.attention is Attention.NEW_KEY, keeps=True
    ),
    "the release fails": Point(breaks("release"), parked, keeps=True),
    "about to end": Point(
        gate("finish"),
        lambda world: world.reached["finish"] and world.steps.get(StepName.RELEASE_CHARGER) is StepState.DONE,
    ),
    "back, and that fails": Point(
        both(gate("replace_lists"), breaks("restore_ownership")),
        lambda world: world.reached["replace_lists"],
        then=roll_back,
        at=parked,
        keeps=True,
    ),
}
#: Of a kind follows who may do what, not when; each point is tried with one.
CASES = [
    pytest.param(point, kind, connection, id=f"{name}, {connection.value}")
    for (name, point), kind in zip(POINTS.items(), itertools.cycle(TransferKind), strict=False)
    for connection in Connection
    if connection is Connection.KEEP or not point.keeps
]


def view_of(transfer: Stage, given: Plan) -> TransferView:
    """Show the world's record as the API reads it."""
    world, now = transfer.world, datetime.now(UTC)
    steps = tuple(
        StepView(name, world.steps.get(name, StepState.PENDING), attempts=world.errors.get(name, ("", 0))[1])
        for name in StepName
    )
    holding = Holding(UserId("sender"), GroupId("theirs"))
    return TransferView(
        id=TransferId(transfer.transfer_id),
        kind=given.kind,
        state=world.state,
        charge_point_id=CHARGE_POINT,
        connection=given.connection,
        acceptance=Acceptance.REQUIRED if given.expires_at else Acceptance.NOT_REQUIRED,
        running_session=given.running_session,
        if_offline=given.if_offline,
        until_new_key=given.until_new_key,
        origin=holding,
        target=holding,
        requested_by=UserId("sender"),
        requested_at=now,
        steps=steps,
        attention=world.attention,
        expires_at=given.expires_at,
        deciders=ALL,
        key_settled=world.proven or world.handed_out,
    )


async def send(transfer: Stage, act: Action) -> Refusal | None:
    """Have it done at the workflow; gives its refusal."""
    order, name = OrderId(act.value), transfer.transfer_id
    try:
        if act is Action.RESEND:
            await transfer.client.resend(name, order)
        elif act.value in set(OperatorAction):
            await transfer.client.resolve(name, OperatorAction(act.value), order)
        else:
            await transfer.client.decide(name, Decision(act.value), order)
    except Refusal as refused:
        return refused
    return None


@pytest.mark.parametrize(("place", "kind", "connection"), CASES)
async def test_what_is_offered_is_taken_and_what_is_not_is_refused_alike(
    temporal: Client, place: Point, kind: TransferKind, connection: Connection
) -> None:
    """The caller has every right."""
    how: dict[str, Any] = {"kind": kind, "connection": connection, "rotate": connection is Connection.KEEP}
    async with at(temporal, place, asked(**how) if place.asked else plan(**how)) as (transfer, offered, progress):
        for act in set(Action) - set(offered):
            said, expected = await send(transfer, act), refusal(act, progress)
            assert said is not None, (act, progress)
            assert expected is not None, (act, progress)
            assert (type(said), said.message) == (type(expected), expected.message), progress
    for act in offered:
        async with at(temporal, place, asked(**how) if place.asked else plan(**how)) as (transfer, _, progress):
            assert await send(transfer, act) is None, (act, progress)


@asynccontextmanager
async def at(temporal: Client, place: Point, given: Plan) -> AsyncIterator[tuple[Stage, list[Action], Progress]]:
    """Have a transfer at a point inside the block; gives what the API offers there, and how far that says it is."""
    world = World(plan=given)
    place.sets(world)
    async with staged(temporal, world, HASTY if any(world.fail.values()) else CALM) as transfer:
        try:
            await transfer.start()
            await world.until(lambda: place.there(world))
            if place.then is not None:
                await place.then(transfer)
                await world.until(lambda: place.at(world))
            tried = await transfer.client.step_attempts(transfer.transfer_id)
            view = view_of(transfer, given)
            yield transfer, actions(view, CALLER, tried), progress_of(view, tried)
        finally:
            world.fail.clear()
            for shut in world.gates.values():
                shut.set()
