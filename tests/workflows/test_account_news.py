"""News of an account through the real engine: each change has one letter, however long the mail server is away."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from temporalio.client import Client

from activities.contracts.account_news import AccountNews, TellOfPasskey
from activities.contracts.messages import Done
from domain.errors import Unavailable
from domain.ids import PasskeyId, UserId, passkey_news_workflow_id
from domain.passkeys import PasskeyChange
from engine.engine import TemporalEngine
from tests.workflows.conftest import keep_history
from worker import transfer_worker

BOB, PASSKEY = UserId("bob"), PasskeyId("pky_1")


@dataclass
class Letters(AccountNews):
    """Keeps what is ordered; the first try fails."""

    away: bool = True
    orders: list[TellOfPasskey] = field(default_factory=list)

    async def tell_of_passkey(self, order: TellOfPasskey) -> Done:
        if self.away:
            self.away = False
            raise Unavailable("The mail server is away.")
        self.orders.append(order)
        return Done()


@pytest.mark.recorded
async def test_each_change_of_a_passkey_is_told_once(temporal: Client, request: pytest.FixtureRequest) -> None:
    client, letters, before = TemporalEngine(temporal), Letters(), datetime.now(UTC)
    async with transfer_worker(temporal, [letters]):
        for change in PasskeyChange:
            for _ in range(2):
                await client.tell_of_passkey(BOB, PASSKEY, change)
            handle = temporal.get_workflow_handle(passkey_news_workflow_id(PASSKEY, change.value))
            await handle.result()
            await keep_history(request, handle)
    assert [(one.user_id, one.passkey_id, one.change) for one in letters.orders] == [
        (BOB, PASSKEY, change) for change in PasskeyChange
    ]
    assert all(before <= one.at <= datetime.now(UTC) for one in letters.orders)
