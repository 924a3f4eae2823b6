"""What a charger is told outside any transfer, through the real engine: once for each request, and never too late."""

import asyncio
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.contracts.charge_points import (
    ChargePoints,
    ChargerOnDemand,
    KeyTold,
    PointAsk,
    PointOrder,
    PointPlace,
    RestartTold,
)
from activities.contracts.charger import NOT_CONNECTED
from activities.contracts.messages import Done
from domain.charger import KeyAnswer, RestartAnswer
from domain.errors import HandoverError, NotPossible, TransferInProgress, Unavailable
from domain.ids import ChargePointId, NodeId, OrderId, charger_order_workflow_id
from engine.engine import TemporalEngine
from tests.workflows.conftest import keep_history
from worker import gateway_worker, transfer_worker

POINT = ChargePointId("cp-1")


@dataclass
class Yard(ChargePoints, ChargerOnDemand):
    """One charger and its node. `fail[name]` holds what its next calls raise, in order; `nodes` where it is found."""

    nodes: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    fail: dict[str, list[BaseException]] = field(default_factory=lambda: defaultdict(list))
    key_answer: KeyAnswer = KeyAnswer.ACCEPTED
    restart_answer: RestartAnswer = RestartAnswer.ACCEPTED
    asks: list[PointAsk] = field(default_factory=list)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.fail[name]:
            raise self.fail[name].pop(0)

    async def find_charger(self, ask: PointAsk) -> PointPlace:
        self.asks.append(ask)
        self._call("find")
        return PointPlace(node=NodeId(self.nodes.pop(0) if len(self.nodes) > 1 else self.nodes[0]))

    async def note_order(self, ask: PointAsk) -> Done:
        self._call("note")
        return Done()

    async def take_own_key(self, order: PointOrder) -> KeyTold:
        self._call("key")
        return KeyTold(answer=self.key_answer)

    async def identify(self, order: PointOrder) -> RestartTold:
        self._call("restart")
        return RestartTold(answer=self.restart_answer)


class StepRunner:
    """Who asks, each time by one order."""

    def __init__(self, temporal: Client) -> None:
        self._client = TemporalEngine(temporal)
        self.order = OrderId(uuid.uuid4().hex)

    async def rotate(self) -> KeyAnswer:
        return await self._client.rotate_key(POINT, self.order)

    async def identify(self) -> RestartAnswer:
        return await self._client.identify(POINT, self.order)


@pytest.fixture
def runner(temporal: Client) -> StepRunner:
    return StepRunner(temporal)


@pytest.fixture
def yard() -> Yard:
    return Yard(nodes=[f"node-{uuid.uuid4().hex}"])


def gone() -> ApplicationError:
    return ApplicationError("no socket here", type=NOT_CONNECTED, non_retryable=True)


@pytest.mark.recorded
async def test_a_key_is_sent_once_for_each_request_and_noted_before(
    temporal: Client, yard: Yard, runner: StepRunner, request: pytest.FixtureRequest
) -> None:
    async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[0])):
        assert await runner.rotate() is KeyAnswer.ACCEPTED
        yard.key_answer = KeyAnswer.REJECTED
        assert await runner.rotate() is KeyAnswer.ACCEPTED, "a repeat: the same answer"
    assert yard.calls == ["find", "note", "find", "key"]
    assert {(ask.order_id, ask.order) for ask in yard.asks} == {(runner.order, "rotate_key")}
    handle = temporal.get_workflow_handle(charger_order_workflow_id(POINT, "rotate_key", runner.order))
    await keep_history(request, handle)


@pytest.mark.recorded
async def test_a_restart_is_noted_once_it_is_certain(
    temporal: Client, yard: Yard, runner: StepRunner, request: pytest.FixtureRequest
) -> None:
    async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[0])):
        assert [await runner.identify() for _ in range(2)] == [RestartAnswer.ACCEPTED] * 2
    assert yard.calls == ["find", "restart", "note"]
    handle = temporal.get_workflow_handle(charger_order_workflow_id(POINT, "identify", runner.order))
    await keep_history(request, handle)


@pytest.mark.parametrize("answer", RestartAnswer)
async def test_only_a_restart_that_comes_is_in_the_trail(
    temporal: Client, yard: Yard, runner: StepRunner, answer: RestartAnswer
) -> None:
    yard.restart_answer = answer
    async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[0])):
        assert await runner.identify() is answer
    assert ("note" in yard.calls) is (answer in {RestartAnswer.ACCEPTED, RestartAnswer.SCHEDULED})


@pytest.mark.parametrize("refusal", [NotPossible("It is not connected."), TransferInProgress("Wait for its end.")])
async def test_a_refusal_reaches_the_caller_as_what_it_is_and_may_come_out_otherwise_later(
    temporal: Client, yard: Yard, runner: StepRunner, refusal: HandoverError
) -> None:
    async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[0])):
        for ask in (runner.rotate, runner.identify):
            yard.fail["find"], yard.calls = [refusal], []
            with pytest.raises(type(refusal), match=refusal.message):
                await ask()
            assert yard.calls == ["find"]
            assert (await ask()).value == "accepted"


async def test_a_node_that_refuses_because_the_key_changed_meanwhile_is_heard(
    temporal: Client, yard: Yard, runner: StepRunner
) -> None:
    yard.fail["key"] = [NotPossible("The charger's key changed.")]
    async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[0])):
        with pytest.raises(NotPossible, match="key changed"):
            await runner.rotate()


async def test_a_charger_that_moves_is_looked_up_again(temporal: Client, yard: Yard, runner: StepRunner) -> None:
    """The first node is dead and takes nothing; at the second the charger has just left."""
    yard.nodes = [f"dead-{uuid.uuid4().hex}", yard.nodes[0]]
    yard.fail["restart"] = [gone()]
    async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[-1])):
        assert await runner.identify() is RestartAnswer.ACCEPTED
    assert yard.calls == ["find", "find", "restart", "find", "restart", "note"]


async def test_one_that_is_nowhere_is_given_up_and_may_be_asked_for_again(
    temporal: Client, yard: Yard, runner: StepRunner
) -> None:
    yard.fail["restart"] = [gone() for _ in range(3)]
    async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[0])):
        with pytest.raises(Unavailable, match="could not be told"):
            await runner.identify()
        assert yard.calls.count("restart") == 3
        assert await runner.identify() is RestartAnswer.ACCEPTED


async def test_what_may_have_been_told_is_not_told_again(
    temporal: Client, yard: Yard, runner: StepRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its node dies in the middle: nothing beats, and nobody answers."""
    hung = asyncio.Event()

    async def hang(_order: PointOrder) -> RestartTold:
        yard.calls.append("restart")
        await hung.wait()
        return RestartTold(answer=RestartAnswer.ACCEPTED)

    monkeypatch.setattr(yard, "identify", hang)
    try:
        async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[0])):
            assert await runner.identify() is RestartAnswer.UNKNOWN
            hung.set()
    finally:
        hung.set()
    assert yard.calls == ["find", "restart"]


async def test_what_nobody_took_in_time_is_not_done_later(
    temporal: Client, yard: Yard, runner: StepRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker runs: who asked hears that; once one does, nobody stands before the charger any more."""
    monkeypatch.setattr("workflows.charger_orders.ORDER_HOLDS_FOR", timedelta(seconds=1))
    hasty = TemporalEngine(temporal, timedelta(seconds=0.5))
    with pytest.raises(Unavailable, match="Send the same request again"):
        await hasty.rotate_key(POINT, runner.order)
    async with transfer_worker(temporal, [yard]), gateway_worker(temporal, yard, NodeId(yard.nodes[0])):
        with pytest.raises(Unavailable, match="could not be told"):
            await runner.rotate()
        assert yard.calls == ["find"]
