"""What the Temporal UI says of a transfer that waits: what for, since when, until when, what then, what to do."""

import asyncio
import re
import types
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.ids import OrderId, TransferId
from domain.transfer import Attention, OperatorAction, TransferState
from tests.workflows.conftest import POLICY, Set
from tests.workflows.test_trouble import broken
from tests.workflows.world import World, asked
from workflows.search_attributes import STATE
from workflows.status import StatusBoard

TIME = "%Y-%m-%d %H:%M:%S UTC"
WAITS: dict[Attention, tuple[Callable[[], World], str, str]] = {
    Attention.RECIPIENT: (lambda: World(plan=asked()), "then it expires", "Nothing to do"),
    Attention.SESSION_RUNNING: (lambda: World(session_running=True), "then it is rolled back", "end it at the charger"),
    Attention.CHARGER_OFFLINE: (lambda: World(node=None), "then it goes on without it", "See to its power"),
}


@types.coroutine
def _never() -> Iterator[None]:
    yield


@pytest.mark.parametrize("put_away", [False, True])
def test_a_workflow_that_is_put_away_shows_nothing(monkeypatch: pytest.MonkeyPatch, put_away: bool) -> None:
    """It may be put away while another workflow runs, which would take what is shown for its own."""
    shown: list[str] = []
    board = StatusBoard(TransferId("trf_1"))
    monkeypatch.setattr(board, "_show_details", lambda expected="": shown.append(expected[:9] or board.attention.value))
    monkeypatch.setattr("workflows.status.asyncio.create_task", lambda soon: soon.close())
    monkeypatch.setattr("workflows.status.workflow.now", lambda: datetime.now(UTC))

    async def story() -> None:
        with board.waiting(Attention.CHARGER_OFFLINE, None), board.expecting("The proof", datetime.now(UTC)):
            await _never()

    coroutine = story()
    coroutine.send(None)
    if put_away:
        coroutine.close()
    else:
        with pytest.raises(StopIteration):
            coroutine.send(None)
    assert shown == ["charger_offline", "The proof", *([] if put_away else ["charger_offline", ""])]


@pytest.mark.parametrize("attention", WAITS)
async def test_a_wait_says_what_for_since_when_until_when_what_then_and_what_to_do(
    stage: Set, attention: Attention
) -> None:
    world, then, to_do = WAITS[attention]
    transfer = await stage(world())
    began = datetime.now(UTC)
    await transfer.start()
    await transfer.world.until(lambda: transfer.world.attention is attention)
    page = await transfer.page()
    times = re.search(r"^Since (.*); until (.*), (then .*)\.$", page, re.MULTILINE)
    assert times, page
    since, until = (datetime.strptime(times[at], TIME).replace(tzinfo=UTC) for at in (1, 2))
    assert began - timedelta(seconds=1) <= since <= datetime.now(UTC) < until
    assert times[3].startswith(then)
    assert to_do in page


async def test_the_wait_for_the_proof_says_so(stage: Set) -> None:
    transfer = await stage(World(proves=False))
    await transfer.start()
    async with asyncio.timeout(10):
        while "is to come back with them" not in await transfer.page():
            await asyncio.sleep(0.05)  # nothing else tells: it is no attention's matter


async def test_operators_find_a_transfer_that_waits_for_its_proof_under_its_state(stage: Set) -> None:
    transfer = await stage(World(proves=False), POLICY.model_copy(update={"proof_deadline": timedelta(hours=1)}))
    await transfer.start()
    async with asyncio.timeout(10):
        while (await transfer.handle.describe()).typed_search_attributes.get(STATE) != TransferState.RECONFIGURING:
            await asyncio.sleep(0.05)  # nothing else tells
    assert transfer.world.attention is Attention.NONE


async def test_what_was_expected_is_gone_from_the_page_when_it_has_come(stage: Set) -> None:
    world = World()
    world.fail["release"] = broken()
    transfer = await stage(world)
    await transfer.start()
    await world.until(lambda: world.attention is Attention.OPERATOR)
    assert "is to come back with them" not in await transfer.page()
    await transfer.client.resolve(transfer.transfer_id, OperatorAction.COMPLETE, OrderId("1"))
    assert await transfer.outcome() == "completed_with_warnings"
