"""A request becomes a transfer while somebody reads: they see the one or the other, and never that there is none."""

from typing import Any

import pytest

from activities.registry import DatabaseRegistry
from domain.ids import TransferId, UserId
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.vault import Vault
from persistence.views.transfer_filter import TransferFilter
from persistence.views.transfer_reads import TransferReads
from tests.activities.test_registry import run_of
from tests.journeys.requests import keep_a_request

ADA = Caller(UserId("ada"), "Ada", "ada@example.com", None, "en", frozenset())


class Overtaken(TransferReads):
    """Reads between whose statements a worker reserves the charge point."""

    def __init__(self, db: Database, vault: Vault, transfer_id: TransferId) -> None:
        super().__init__(db, vault)
        self.transfer_id = transfer_id
        self._registry = DatabaseRegistry(db, vault)

    async def _overtake(self) -> None:
        await self._registry.reserve(run_of(self.transfer_id))

    async def _transfers(self, *given: Any, **named: Any) -> Any:
        found = await super()._transfers(*given, **named)
        await self._overtake()
        return found

    async def _requests(self, *given: Any, **named: Any) -> Any:
        await self._overtake()
        return await super()._requests(*given, **named)


@pytest.fixture
async def reads(database: Database, vault: Vault) -> Overtaken:
    return Overtaken(database, vault, await keep_a_request(database, vault))


async def test_one_is_found_while_it_becomes_a_transfer(reads: Overtaken) -> None:
    assert (await reads.one(ADA, reads.transfer_id)).requested_by == "ada"


async def test_its_trail_is_found_while_it_becomes_a_transfer(reads: Overtaken) -> None:
    await reads.events(ADA, reads.transfer_id, after=0, limit=10)


async def test_a_page_has_it_once_while_it_becomes_a_transfer(reads: Overtaken) -> None:
    assert [view.requested_by for view in await reads.page(ADA, TransferFilter(), 10)] == ["ada"]
