"""News to the owner of a charge point through the real engine: a day has one letter, however often it is seen."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from activities.contracts.messages import Done
from activities.contracts.notices import Notices, SendCode, TellOwner
from domain.errors import Unavailable
from domain.ids import ChargePointId, owner_news_workflow_id
from domain.news import OwnerNews
from engine.engine import TemporalEngine
from tests.workflows.conftest import keep_history
from worker import transfer_worker

POINT = ChargePointId("cp-1")


@dataclass
class Letters(Notices):
    """Keeps what is ordered; the first `away` tries fail."""

    away: int = 0
    orders: list[TellOwner] = field(default_factory=list)

    async def send_code(self, order: SendCode) -> Done:
        raise AssertionError

    async def tell_owner(self, order: TellOwner) -> Done:
        if self.away:
            self.away -= 1
            raise Unavailable("The mail server is away.")
        self.orders.append(order)
        return Done()


@pytest.mark.recorded
async def test_news_to_an_owner_is_one_letter_a_day(temporal: Client, request: pytest.FixtureRequest) -> None:
    client, letters, before = TemporalEngine(temporal), Letters(away=1), datetime.now(UTC).date()
    async with transfer_worker(temporal, [letters]):
        await client.tell_owner(POINT, OwnerNews.TWO_HOLDERS)
        await client.tell_owner(POINT, OwnerNews.TWO_HOLDERS)
        handle = temporal.get_workflow_handle(owner_news_workflow_id(POINT, "two_holders", before))
        await handle.result()
        await client.tell_owner(POINT, OwnerNews.TWO_HOLDERS)
        await handle.result()
        await keep_history(request, handle)

    assert len(letters.orders) > 1, "who started it before may have had nothing to tell: the letter's is to be once"
    [order] = set(letters.orders)
    assert (order.charge_point_id, order.news, order.occasion) == (POINT, OwnerNews.TWO_HOLDERS, "")
    assert order.day - before <= timedelta(days=1)


async def test_each_occasion_and_each_kind_is_a_letter_of_its_own(temporal: Client) -> None:
    client, letters = TemporalEngine(temporal), Letters()
    point, day = ChargePointId("cp-2"), datetime.now(UTC).date()
    wanted = [(OwnerNews.RESET, "a"), (OwnerNews.RESET, "b"), (OwnerNews.ENDED_KEY_TRIED, "")]
    async with transfer_worker(temporal, [letters]):
        for news, occasion in [*wanted, *wanted]:
            await client.tell_owner(point, news, occasion=occasion)
        for news, occasion in wanted:
            await temporal.get_workflow_handle(owner_news_workflow_id(point, news.value, day, occasion)).result()

    assert {(order.news, order.occasion) for order in letters.orders} == set(wanted)
