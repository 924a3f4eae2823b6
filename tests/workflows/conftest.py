"""A worker of the real workflow on the real dev server, with a world of fakes behind it."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from domain.ids import NodeId, TransferId, workflow_id
from domain.policy import Policy
from engine.engine import TemporalEngine
from tests.details import details
from tests.workflows.world import World
from worker import gateway_worker, transfer_worker
from workflows.messages import TransferOutcome

HISTORIES = Path(__file__).resolve().parents[1] / "replay" / "histories"

#: How long a transfer may take to its end, in seconds: some wait for deadlines, and the machine may be busy.
_PATIENCE = 15
#: Everything that takes days in life takes a moment here.
POLICY = Policy(
    session_deadline=timedelta(seconds=2.2),
    offline_deadline=timedelta(seconds=2),
    proof_deadline=timedelta(seconds=30),
    reconnect_after=timedelta(milliseconds=250),
    restart_patience=timedelta(milliseconds=250),
    retries_used_up=timedelta(seconds=3),
    operator_retries_every=timedelta(hours=6),
    look_again=timedelta(milliseconds=300),
)


class Stage:
    """One transfer at a time, and the hands that reach into it."""

    def __init__(self, client: Client, world: World, request: pytest.FixtureRequest | None = None) -> None:
        self._request = request
        self.client = TemporalEngine(client)
        self.world = world
        self.transfer_id = TransferId(f"trf_{uuid.uuid4().hex}")
        self.handle: WorkflowHandle[object, TransferOutcome] = client.get_workflow_handle(
            workflow_id(self.transfer_id), result_type=TransferOutcome
        )

    async def start(self) -> None:
        """Start it; on a busy machine the answer may not come in time, and is asked for again."""
        async with asyncio.timeout(15):
            while not await self.client.start(self.transfer_id):
                pass

    async def page(self) -> str:
        """Give the current details, as the Temporal UI asks for them."""
        return await details(self.handle)

    async def outcome(self) -> str:
        """Give the state at the end; raises AssertionError once so many seconds have brought nothing new."""
        ended = asyncio.create_task(self.handle.result())
        events = -1
        try:
            while not (await asyncio.wait([ended], timeout=0 if events < 0 else _PATIENCE))[0]:
                before, events = events, (await self.handle.describe()).history_length
                if events == before:
                    raise AssertionError(f"{_PATIENCE} s without news: {self.world.state=}\n{await self.page()}")
            state = (await ended).state.value
        finally:
            ended.cancel()
        if self._request is not None:
            await keep_history(self._request, self.handle)
        return state


async def keep_history(request: pytest.FixtureRequest, handle: WorkflowHandle[Any, Any]) -> None:
    """Keep a history for the replay tests, where that is asked for and the test is marked `recorded`."""
    if request.config.getoption("--record-histories") and request.node.get_closest_marker("recorded"):
        file = HISTORIES / f"{request.node.name.removeprefix('test_')}.json"
        file.write_text(portable((await handle.fetch_history()).to_json()))


def portable(history: str) -> str:
    """Give a history without what belongs to the machine that recorded it."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(part) for key, part in value.items() if key not in {"stackTrace", "identity"}}
        return [clean(part) for part in value] if isinstance(value, list) else value

    return json.dumps(clean(json.loads(history)), separators=(",", ":")) + "\n"


class Set(Protocol):
    """Sets the stage for a world."""

    def __call__(self, world: World, policy: Policy = POLICY) -> Awaitable[Stage]: ...


@asynccontextmanager
async def staged(
    temporal: Client, world: World, policy: Policy = POLICY, request: pytest.FixtureRequest | None = None
) -> AsyncIterator[Stage]:
    """Have workers for one world inside the block; a transfer that is not over then is ended with them.

    Else it would go on in the world of a later test, and use up what that one is to fail with.
    """
    world.node = f"{world.node}-{uuid.uuid4().hex}" if world.node else None
    node = NodeId(world.node or f"gone-{uuid.uuid4().hex}")
    world.policy = policy
    async with transfer_worker(temporal, [world]), gateway_worker(temporal, world, node):
        transfer = Stage(temporal, world, request)
        try:
            yield transfer
        finally:
            with suppress(RPCError):  # most are over, and some were never started
                await transfer.handle.terminate("the test is over")


@pytest.fixture
async def stage(temporal: Client, request: pytest.FixtureRequest) -> AsyncIterator[Set]:
    """Give a function that starts workers for a world."""
    async with AsyncExitStack() as stack:

        async def make(world: World, policy: Policy = POLICY) -> Stage:
            return await stack.enter_async_context(staged(temporal, world, policy, request))

        yield make
