"""An account opened by link: once, whole, with the address that was asked, and nothing that was typed is left."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities.accounts import DatabaseAccounts
from activities.contracts.accounts import OpenAccount
from activities.contracts.registry import DecisionRecord
from activities.registry import DatabaseRegistry
from domain.approval import Decision
from domain.contact import parse_address
from domain.errors import AlreadyDecided, InvalidRequest, NotAllowed, NotPossible, Refusal, TooLate
from domain.ids import LinkId, TransferId
from domain.recipient import Standing
from domain.transfer import TransferState
from persistence import tables
from persistence.links.approvals import make_link
from persistence.links.link_reads import LinkReads
from persistence.links.signups import Signups
from persistence.people import accounts
from persistence.session import Database
from persistence.vault import Vault
from tests.activities.notices.world import TRANSFER, World
from tests.orders import give

NOBODY = "nobody@example.net"


@pytest.fixture
async def world(database: Database, vault: Vault) -> World:
    made = World(database, vault)
    await made.fill()
    return made


async def link_of(world: World, transfer_id: TransferId = TRANSFER) -> tuple[LinkId, str]:
    """Give the link that a letter would carry, and its token."""
    async with world.database.writing() as rows:
        now = datetime.now(UTC)
        link = await make_link(rows, world.vault, transfer_id, channel="email", generation=1, now=now)
    return link.id, link.token


async def typed(world: World, link_id: LinkId, name: str = "Nora Nobody") -> OpenAccount:
    """Keep what somebody typed at the page of a link."""
    await Signups(world.database, world.vault).keep(link_id, name, "fr-FR")
    return OpenAccount(link_id=link_id)


async def opened(world: World) -> list[tables.User]:
    """Give the users that were not there at first."""
    return [user for user in await world.all(tables.User) if user.id.startswith("usr_")]


async def refused(world: World, link_id: LinkId) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await DatabaseAccounts(world.database, world.vault).open(await typed(world, link_id))
    assert await world.all(tables.AccountOpening) == []
    assert await opened(world) == []
    return caught.value


async def test_an_account_is_whole_and_its_owner_accepts(world: World) -> None:
    await world.to_user(NOBODY, to=None)
    link_id, token = await link_of(world)
    reads = LinkReads(world.database, world.vault)
    before = await reads.by_token(token)
    await DatabaseAccounts(world.database, world.vault).open(await typed(world, link_id))
    after = await reads.by_token(token)

    assert before is not None
    assert after is not None
    assert (before.standing, after.standing) == (Standing.NO_ACCOUNT, Standing.ACCOUNT)
    (user,) = await opened(world)
    assert (user.name, user.email, user.phone, user.locale, user.status) == (
        "Nora Nobody", NOBODY, None, "fr-FR", "active",
    )  # fmt: skip
    (group,) = [group for group in await world.all(tables.Group) if group.personal_of == user.id]
    assert [(one.user_id, one.role) for one in await world.all(tables.Membership) if one.group_id == group.id] == [
        (user.id, "owner")
    ]
    assert await world.trail() == [("system", "account_opened", {"link_id": link_id})]
    assert await world.all(tables.AccountOpening) == []
    accepted = await DatabaseRegistry(world.database, world.vault).decide(
        DecisionRecord(
            transfer_id=TRANSFER,
            decision=Decision.ACCEPT,
            order_id=await give(world.database, TRANSFER, "accept", f"link:{link_id}", link_id=link_id),
        )
    )
    assert accepted.state is TransferState.TRANSFERRING
    (row,) = await world.all(tables.Transfer)
    assert (row.accepted_by, row.to_owner_id, row.to_group_id) == (user.id, user.id, group.id)


async def test_a_repeat_opens_no_second_one(world: World) -> None:
    await world.to_user(NOBODY, to=None)
    link_id, _ = await link_of(world)
    activity = DatabaseAccounts(world.database, world.vault)
    order = await typed(world, link_id)
    await activity.open(order)
    await activity.open(order)
    await activity.open(await typed(world, link_id, "Another Name"))

    assert [user.name for user in await opened(world)] == ["Nora Nobody"]
    assert len(await world.trail()) == 1
    assert await world.all(tables.AccountOpening) == []


async def test_two_links_to_one_address_at_once_open_one_account(world: World) -> None:
    second = TransferId("tr-2")
    await world.to_user(NOBODY, to=None)
    await world.to_user(NOBODY, to=None, id=second, active=False)
    orders = [await typed(world, (await link_of(world, one))[0]) for one in (TRANSFER, second)]
    activity = DatabaseAccounts(world.database, world.vault)
    await asyncio.gather(*(activity.open(order) for order in orders))

    assert len(await opened(world)) == 1
    assert len(await world.trail()) == 1


async def test_an_account_that_was_opened_a_moment_ago_is_not_opened_again(world: World) -> None:
    """What the second of two at once does where the first is committed after it found the address free."""
    made = []
    for name in ("First", "Second"):
        async with world.database.writing() as rows:
            address, now = parse_address(NOBODY), datetime.now(UTC)
            made.append(await accounts.open_account(rows, world.vault, address, name=name, locale="fr", now=now))

    assert made[1] is None
    assert [(user.id, user.name) for user in await opened(world)] == [(made[0], "First")]


async def test_who_gave_an_address_up_keeps_their_account_apart(world: World) -> None:
    await world.to_user(NOBODY, to=None)
    link_id, _ = await link_of(world)
    activity = DatabaseAccounts(world.database, world.vault)
    await activity.open(await typed(world, link_id))
    (former,) = await opened(world)
    await world.change(tables.User, former.id, email="elsewhere@example.net")
    await world.to_user(NOBODY, to=None, id="tr-2", active=False)
    await activity.open(await typed(world, (await link_of(world, TransferId("tr-2")))[0], "Nils Next"))

    assert sorted((user.name, user.email) for user in await opened(world)) == [
        ("Nils Next", NOBODY), ("Nora Nobody", "elsewhere@example.net"),
    ]  # fmt: skip


async def test_an_address_that_has_a_usable_account_by_now_needs_none(world: World) -> None:
    await world.to_user("adam2@example.org", to=None)
    link_id, _ = await link_of(world)
    await world.change(tables.User, "adam", email="adam2@example.org")
    await DatabaseAccounts(world.database, world.vault).open(await typed(world, link_id))

    assert await opened(world) == []
    assert await world.trail() == []


@pytest.mark.parametrize("how", ["blocked", "deleted", "ambiguous", "blocked since the request"])
async def test_an_address_whose_account_is_of_no_use_is_told_what_to_do_and_no_more(world: World, how: str) -> None:
    await world.to_user("zoe@example.org", to="zoe" if how == "blocked since the request" else None)
    link_id, token = await link_of(world)
    if how == "ambiguous":
        await world.change(tables.User, "yann", email="zoe@example.org")
    else:
        await world.change(tables.User, "zoe", status="deleted" if how == "deleted" else "blocked")
    refusal = await refused(world, link_id)

    assert isinstance(refusal, NotPossible)
    assert refusal.message == "No account can be opened with this address; ask our support."
    seen = await LinkReads(world.database, world.vault).by_token(token)
    assert seen is not None
    assert seen.standing is Standing.UNUSABLE


async def test_a_code_sent_by_mail_opens_no_account_of_a_phone_number(world: World) -> None:
    """The number had an account with an e-mail address, to which link and code went; it has none any more."""
    await world.to_user("+33612345678", to=None)
    link_id, _ = await link_of(world)

    assert isinstance(await refused(world, link_id), NotPossible)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"state": "cancelled"}, AlreadyDecided),
        ({"expires_at": datetime.now(UTC) - timedelta(minutes=1)}, TooLate),
        ({"link_generation": 2}, NotAllowed),
    ],
)
async def test_a_link_that_decides_nothing_any_more_opens_no_account(
    world: World, changes: dict[str, object], refusal: type[Refusal]
) -> None:
    await world.to_user(NOBODY, to=None)
    link_id, _ = await link_of(world)
    await world.change(tables.Transfer, TRANSFER, **changes)

    assert isinstance(await refused(world, link_id), refusal)


async def test_what_is_sent_twice_at_once_is_kept_once(world: World) -> None:
    await world.to_user(NOBODY, to=None)
    link_id, _ = await link_of(world)
    await asyncio.gather(*(typed(world, link_id) for _ in range(4)))
    await typed(world, link_id, "Newest Name")
    await DatabaseAccounts(world.database, world.vault).open(OpenAccount(link_id=link_id))

    assert [user.name for user in await opened(world)] == ["Newest Name"]


async def test_what_was_typed_and_never_read_goes(world: World) -> None:
    await world.to_user(NOBODY, to=None)
    await world.to_user(NOBODY, to=None, id="tr-2", active=False)
    left, _ = await link_of(world)
    fresh, _ = await link_of(world, TransferId("tr-2"))
    await typed(world, left)
    await world.change(tables.AccountOpening, left, created_at=datetime.now(UTC) - timedelta(hours=2))
    await typed(world, fresh)

    assert [row.link_id for row in await world.all(tables.AccountOpening)] == [fresh]


async def test_a_name_that_is_none_is_not_kept(world: World) -> None:
    await world.to_user(NOBODY, to=None)
    with pytest.raises(InvalidRequest):
        await typed(world, (await link_of(world))[0], "two\nlines")
    assert await world.all(tables.AccountOpening) == []
