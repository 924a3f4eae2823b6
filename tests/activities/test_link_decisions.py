"""Decisions by a link: whose it is, and what it is good for, as it stands when they are written."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from activities.contracts.registry import Decided, DecisionRecord
from activities.registry import DatabaseRegistry
from domain.approval import Decision
from domain.errors import AlreadyDecided, HandoverError, NotAllowed, TooLate
from domain.ids import LinkId, TransferId, UserId
from domain.kinds import TransferKind
from domain.transfer import Acceptance
from persistence.links.approvals import make_link, owner_channel
from persistence.session import Database
from persistence.tables import Membership, Transfer
from persistence.vault import Vault
from tests.activities.test_registry import TO_BOB, change, keep, registry, row
from tests.orders import give

__all__ = ["registry"]

TO_SOUTH: dict[str, Any] = {
    "kind": TransferKind.MOVE_TO_GROUP,
    "group_id": "south",
    "acceptance": Acceptance.REQUIRED,
}


@dataclass
class Links:
    """A move to the south, of which Bob is asked; and his link."""

    registry: DatabaseRegistry
    database: Database
    vault: Vault
    transfer_id: TransferId

    async def make(self, transfer_id: TransferId | None = None, generation: int = 1, user: str = "bob") -> LinkId:
        async with self.database.writing() as rows:
            link = await make_link(
                rows,
                self.vault,
                transfer_id or self.transfer_id,
                channel=owner_channel(UserId(user)),
                generation=generation,
                now=datetime.now(UTC),
            )
        return link.id

    async def decide(self, link_id: LinkId, decision: Decision = Decision.ACCEPT) -> Decided:
        order_id = await give(self.database, self.transfer_id, decision.value, f"link:{link_id}", link_id=link_id)
        record = DecisionRecord(transfer_id=self.transfer_id, decision=decision, order_id=order_id)
        return await self.registry.decide(record)

    async def refused(self, link_id: LinkId, decision: Decision = Decision.ACCEPT) -> type[HandoverError]:
        with pytest.raises(HandoverError) as refusal:
            await self.decide(link_id, decision)
        return refusal.type


@pytest.fixture
async def links(registry: DatabaseRegistry, database: Database, vault: Vault) -> Links:
    run = await keep(database, vault, TO_SOUTH)
    await registry.reserve(run)
    return Links(registry, database, vault, run.transfer_id)


async def test_an_owner_of_the_target_group_decides_by_their_own_link(links: Links) -> None:
    assert (await links.decide(await links.make())).state == "transferring"
    found = await row(links.database, DecisionRecord(transfer_id=links.transfer_id, decision=Decision.ACCEPT))
    assert found.accepted_by == "bob"


async def test_who_is_no_owner_of_it_any_more_decides_nothing(links: Links) -> None:
    link = await links.make()
    gone = update(Membership).where(Membership.user_id == "bob", Membership.group_id == "south").values(role="admin")
    await change(links.database, gone)
    for decision in (Decision.ACCEPT, Decision.DECLINE):
        assert await links.refused(link, decision) is NotAllowed


async def test_a_link_decides_its_own_transfer_alone(
    links: Links, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    other = await keep(database, vault, TO_BOB)
    async with database.writing() as rows:
        await rows.execute(update(Transfer).values(active=False))
    await registry.reserve(other)
    assert await links.refused(await links.make(other.transfer_id)) is NotAllowed


async def test_a_link_that_was_replaced_decides_nothing_and_none_cancels(links: Links) -> None:
    old = await links.make()
    await change(links.database, update(Transfer).values(link_generation=2))
    assert await links.refused(old) is NotAllowed
    newest = await links.make(generation=2)
    assert await links.refused(newest, Decision.CANCEL) is NotAllowed
    assert (await links.decide(newest, Decision.DECLINE)).state == "declined"
    assert await links.refused(newest) is AlreadyDecided


async def test_a_link_is_good_until_the_request_expires(links: Links) -> None:
    link = await links.make()
    await change(links.database, update(Transfer).values(expires_at=datetime.now(UTC)))
    assert await links.refused(link) is TooLate
    assert (await links.decide(link, Decision.DECLINE)).state == "declined"
