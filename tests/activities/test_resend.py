"""A resend in the register, on both databases: older links are dead at once, and what it races has one outcome."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities.contracts.notices import SendCode
from activities.contracts.registry import DecisionRecord, ResendRecord
from activities.notices import Notices
from activities.registry import DatabaseRegistry
from activities.transfer_letters import TransferLetters
from domain.approval import Decision
from domain.errors import AlreadyDecided, NotAllowed, Refusal, TooLate
from domain.ids import LinkId
from persistence import tables
from persistence.links.link_reads import LinkReads, LinkState
from persistence.session import Database
from persistence.vault import Vault
from tests.activities.notices.letters import ORIGIN, asked, token_in
from tests.activities.notices.world import TRANSFER, World
from tests.activities.test_registry import run_of
from tests.notices.mailbox import open_mailbox, text_of
from tests.orders import give


@pytest.fixture
async def world(database: Database, vault: Vault) -> World:
    made = World(database, vault)
    await made.fill()
    await made.to_user()
    return made


@pytest.fixture
def registry(world: World) -> DatabaseRegistry:
    return DatabaseRegistry(world.database, world.vault)


async def wish(world: World, request: str = "1", actor: str = "user:amelie") -> ResendRecord:
    order_id = await give(world.database, TRANSFER, "resend", actor, request_id=request)
    return ResendRecord(transfer_id=TRANSFER, order_id=order_id)


async def accept(world: World, link_id: LinkId) -> DecisionRecord:
    order_id = await give(world.database, TRANSFER, "accept", f"link:{link_id}", link_id=link_id)
    return DecisionRecord(transfer_id=TRANSFER, decision=Decision.ACCEPT, order_id=order_id)


async def test_links_and_codes_sent_before_are_dead_and_the_new_link_opens(
    world: World, registry: DatabaseRegistry
) -> None:
    reads = LinkReads(world.database, world.vault)
    with open_mailbox() as mailbox:
        notices = Notices(world.database, world.vault, mailbox.sender(), ORIGIN)
        letters = TransferLetters(world.database, world.vault, mailbox.sender(), ORIGIN)
        await letters.send(asked())
        first = token_in(text_of(mailbox.letters[0]))
        old = await reads.by_token(first)
        assert old is not None
        assert old.state is LinkState.OPEN
        await registry.resend(await wish(world))
        replaced = await reads.by_token(first)
        assert replaced is not None
        assert replaced.state is LinkState.REPLACED, "before the new one is made"
        await world.change(tables.ApprovalLink, old.id, codes_asked=1)
        await notices.send_code(SendCode(link_id=old.id, number=1))
        (queued,) = await world.all(tables.OutboxLetter)
        assert (queued.subject, queued.generation, queued.reminder) == ("asked", 2, 0)
        await letters.send(queued)
        second = token_in(text_of(mailbox.letters[-1]))
        assert len(mailbox.letters) == 2, "no code for the old one"
    new = await reads.by_token(second)
    assert new is not None
    assert new.state is LinkState.OPEN
    with pytest.raises(NotAllowed, match="use the newest one"):
        await registry.decide(await accept(world, old.id))
    assert (await registry.decide(await accept(world, new.id))).state == "transferring"


async def test_a_repeat_raises_nothing_and_is_one_entry(world: World, registry: DatabaseRegistry) -> None:
    for one in ("1", "1", "2", "1"):
        await registry.resend(await wish(world, one))
    assert sorted(letter.generation for letter in await world.all(tables.OutboxLetter)) == [2, 3]
    assert await world.trail() == [
        ("user:amelie", "resent", {"generation": 2}), ("user:amelie", "resent", {"generation": 3}),
    ]  # fmt: skip
    taken_up = await registry.take_up(run_of(TRANSFER))
    orders = [order.id for order in await world.all(tables.Order)]
    assert sorted(taken_up.resent) == sorted(orders)


async def test_it_is_the_senders_and_operators(world: World, registry: DatabaseRegistry) -> None:
    for stranger in ("bruno", "zoe", "mia"):
        with pytest.raises(NotAllowed, match="who asked for the transfer"):
            await registry.resend(await wish(world, actor=f"user:{stranger}"))
    await registry.resend(await wish(world, actor="operator:op"))
    assert [entry[:2] for entry in await world.trail()] == [("operator:op", "resent")]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [({"state": "declined"}, AlreadyDecided), ({"expires_at": datetime.now(UTC) - timedelta(minutes=1)}, TooLate)],
)
async def test_where_nobody_is_asked_any_more_nothing_is_resent(
    world: World, registry: DatabaseRegistry, changes: dict[str, object], refusal: type[Refusal]
) -> None:
    await world.change(tables.Transfer, TRANSFER, **changes)
    with pytest.raises(refusal):
        await registry.resend(await wish(world))
    assert await world.trail() == []


async def test_a_link_that_is_replaced_while_it_accepts_has_one_outcome(
    world: World, registry: DatabaseRegistry
) -> None:
    with open_mailbox() as mailbox:
        await TransferLetters(world.database, world.vault, mailbox.sender(), ORIGIN).send(asked())
    (link,) = await world.all(tables.ApprovalLink)
    told = await asyncio.gather(
        registry.decide(await accept(world, link.id)), registry.resend(await wish(world)), return_exceptions=True
    )
    (row,) = await world.all(tables.Transfer)
    accepted, resent = (not isinstance(answer, BaseException) for answer in told)
    assert accepted != resent
    assert (row.state, row.link_generation) == (("transferring", 1) if accepted else ("awaiting_acceptance", 2))
    assert [type(answer) for answer in told if isinstance(answer, BaseException)] == [
        AlreadyDecided if accepted else NotAllowed
    ]


async def test_an_order_that_was_refused_stays_refused_and_given_again_it_is_another_one(
    world: World, registry: DatabaseRegistry
) -> None:
    """What was answered `not_allowed` is not carried out later by itself, because roles have changed."""
    refused = await wish(world, actor="user:zoe")
    with pytest.raises(NotAllowed):
        await registry.resend(refused)
    await world.change(tables.Transfer, TRANSFER, requested_by="zoe")
    with pytest.raises(NotAllowed):
        await registry.resend(refused)
    again = await wish(world, actor="user:zoe")
    assert again.order_id != refused.order_id
    await registry.resend(again)
    assert [entry[1] for entry in await world.trail()][-1] == "resent"
