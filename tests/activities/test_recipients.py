"""Whom an address leads to: looked up as they are asked and as they act, and told to nobody else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from activities.accounts import DatabaseAccounts
from activities.contracts.accounts import OpenAccount
from activities.contracts.messages import TransferRun
from activities.contracts.registry import Decided, DecisionRecord
from activities.parties import find_asked, find_told_of_end
from activities.registry import DatabaseRegistry
from domain.approval import Decision
from domain.contact import Channel
from domain.errors import NotAllowed, NotPossible
from domain.ids import LinkId
from domain.recipient import Standing
from domain.rights import Scope
from domain.transfer import Acceptance, TransferState
from notices.letters import Addressee
from persistence.links.approvals import make_link
from persistence.links.link_reads import LinkReads, LinkView
from persistence.links.signups import Signups
from persistence.session import Database
from persistence.tables import Group, Membership, User
from persistence.transfers.parties import read_facts
from persistence.vault import Vault
from tests.activities.test_registry import TO_BOB, change, decide, keep, registry, row
from tests.orders import give

__all__ = ["registry"]

PHONE = "+33612345678"
OWNERS = {"mail": TO_BOB | {"recipient": "ada@example.com"},
          "phone": TO_BOB | {"recipient": PHONE, "recipient_channel": Channel.PHONE}}  # fmt: skip
NOBODYS = TO_BOB | {"recipient": "nobody@example.net"}


async def set_user(database: Database, name: str, **values: Any) -> None:
    await change(database, update(User).where(User.id == name).values(**values))


async def add_user(database: Database, name: str) -> None:
    """Add somebody with their personal group."""
    async with database.writing() as rows:
        rows.add(User(id=name, name=name, locale="en", status="active", created_at=datetime.now(UTC)))
        await rows.flush()
        rows.add(Group(id=f"personal-{name}", name=name, personal_of=name))
        await rows.flush()
        rows.add(Membership(group_id=f"personal-{name}", user_id=name, role="owner"))


async def link_of(database: Database, vault: Vault, run: TransferRun) -> tuple[LinkId, LinkView]:
    """Give the link that a letter would carry, as its page reads it."""
    asked_at = (await row(database, run)).requested_at
    async with database.writing() as rows:
        link = await make_link(rows, vault, run.transfer_id, channel="email", generation=1, now=asked_at)
    view = await LinkReads(database, vault).by_token(link.token)
    assert view is not None
    return link.id, view


async def by_link(database: Database, vault: Vault, run: TransferRun, decision: Decision) -> Decided:
    link_id, _ = await link_of(database, vault, run)
    order_id = await give(database, run.transfer_id, decision.value, f"link:{link_id}", link_id=link_id)
    record = DecisionRecord(transfer_id=run.transfer_id, decision=decision, order_id=order_id)
    return await DatabaseRegistry(database, vault).decide(record)


async def standing(database: Database, vault: Vault, run: TransferRun) -> Standing:
    """Say how the recipient stands, as the letter and the page tell them alike."""
    _, view = await link_of(database, vault, run)
    async with database.reading() as rows:
        facts = await read_facts(rows, run.transfer_id)
        assert facts is not None
        (asked,) = await find_asked(rows, vault, facts)
    assert asked.standing is view.standing
    return view.standing


async def told(database: Database, run: TransferRun) -> dict[str, Addressee]:
    async with database.reading() as rows:
        facts = await read_facts(rows, run.transfer_id)
        assert facts is not None
        return {person.user_id: person.addressee for person in await find_told_of_end(rows, facts.transfer)}


# --- the present owner's ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [*OWNERS.values(), NOBODYS], ids=[*OWNERS, "nobody's"])
async def test_an_owner_of_the_group_learns_of_no_address_whether_it_is_the_present_owners(
    registry: DatabaseRegistry, database: Database, vault: Vault, request_: dict[str, Any]
) -> None:
    await set_user(database, "ada", phone=PHONE)
    run = await keep(database, vault, request_, "bob")
    await registry.reserve(run)
    found = await row(database, run)
    assert (found.state, found.to_owner_id, found.to_group_id, found.asked_over_owner) == (
        "awaiting_acceptance", None, None, True,
    )  # fmt: skip


@pytest.mark.parametrize("by", OWNERS)
async def test_the_present_owner_is_told_that_there_is_nothing_to_accept(
    registry: DatabaseRegistry, database: Database, vault: Vault, by: str
) -> None:
    await set_user(database, "ada", phone=PHONE)
    run = await keep(database, vault, OWNERS[by], "bob")
    await registry.reserve(run)
    assert await standing(database, vault, run) is Standing.OWNER
    with pytest.raises(NotPossible, match="yours already"):
        await by_link(database, vault, run, Decision.ACCEPT)
    with pytest.raises(NotAllowed):  # whether it is their address, or another's
        await decide(database, vault, "ada", Decision.ACCEPT, run)
    assert (await row(database, run)).state == "awaiting_acceptance"
    assert (await by_link(database, vault, run, Decision.DECLINE)).state is TransferState.DECLINED


async def test_where_nobody_is_asked_the_present_owner_is_refused_at_once(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    unasked = OWNERS["mail"] | {"acceptance": Acceptance.NOT_REQUIRED}
    run = await keep(database, vault, unasked, "bob", Scope.WITHOUT_ACCEPTANCE)
    with pytest.raises(NotPossible, match="owns the charge point already"):
        await registry.reserve(run)


@pytest.mark.parametrize("shared", [False, True])
async def test_ones_own_address_is_refused_whoever_else_has_it(
    registry: DatabaseRegistry, database: Database, vault: Vault, shared: bool
) -> None:
    """Else somebody would learn whether another account has theirs."""
    if shared:
        await set_user(database, "ada", email="bob@example.com")
    run = await keep(database, vault, TO_BOB, "bob")
    with pytest.raises(NotPossible, match="to yourself"):
        await registry.reserve(run)


# --- accounts that can't accept -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["shared", "blocked", "deleted"])
@pytest.mark.parametrize("since", ["the ask", "the request"])
async def test_what_is_promised_at_the_ask_is_what_follows(
    registry: DatabaseRegistry, database: Database, vault: Vault, how: str, since: str
) -> None:
    """Of an account that two have, or none can use, no new one is promised."""
    request = TO_BOB if since == "the ask" else TO_BOB | {"recipient": "later@example.com"}
    run = await keep(database, vault, request)
    await registry.reserve(run)
    if since == "the request":
        await set_user(database, "bob", email="later@example.com")
    if how == "shared":
        await add_user(database, "carl")
        await set_user(database, "carl", email=request["recipient"])
    else:
        await set_user(database, "bob", status=how)

    bound = since == "the ask" and how == "shared"  # they were found before another account had the address, too
    link_id, view = await link_of(database, vault, run)
    assert view.standing is (Standing.ACCOUNT if bound else Standing.UNUSABLE)
    if not bound:
        await Signups(database, vault).keep(link_id, "Nora", "fr")
        with pytest.raises(NotPossible):
            await DatabaseAccounts(database, vault).open(OpenAccount(link_id=link_id))
        with pytest.raises(NotPossible):
            await by_link(database, vault, run, Decision.ACCEPT)


async def test_an_address_that_two_accounts_have_is_told_so_at_the_ask(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    await add_user(database, "carl")
    await set_user(database, "carl", email="bob@example.com")
    run = await keep(database, vault, TO_BOB)
    await registry.reserve(run)
    assert await standing(database, vault, run) is Standing.UNUSABLE


async def test_an_address_without_an_account_is_promised_one(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await keep(database, vault, NOBODYS)
    await registry.reserve(run)
    assert await standing(database, vault, run) is Standing.NO_ACCOUNT


# --- who may not give it any more ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["key", "link"])
@pytest.mark.parametrize("lost", ["account", "role"])
@pytest.mark.parametrize("found", ["at the request", "later"])
async def test_an_acceptance_that_can_lead_to_nothing_ends_the_transfer(
    registry: DatabaseRegistry, database: Database, vault: Vault, by: str, lost: str, found: str
) -> None:
    """Ada owns the charge point; Bob, an owner of its group, gives it to Carl, and loses what that takes."""
    await add_user(database, "carl")
    address = "carl@example.com"
    if found == "at the request":
        await set_user(database, "carl", email=address)
    run = await keep(database, vault, TO_BOB | {"recipient": address}, "bob")
    await registry.reserve(run)
    await set_user(database, "carl", email=address)
    if lost == "account":
        await set_user(database, "bob", status="blocked")
    else:
        role = update(Membership).where(Membership.user_id == "bob", Membership.group_id == "north")
        await change(database, role.values(role="admin"))

    for _ in range(2):
        accept = by_link(database, vault, run, Decision.ACCEPT) if by == "link" else (
            decide(database, vault, "carl", Decision.ACCEPT, run)
        )  # fmt: skip
        assert (await accept).state is TransferState.CANCELLED
    ended = await row(database, run)
    assert (ended.state, ended.reason, ended.active, ended.accepted_by) == ("cancelled", "rights_lost", False, None)
    expected = {"carl": Addressee.RECIPIENT, "ada": Addressee.OWNER, "bob": Addressee.SENDER}
    if lost == "account":  # who is blocked is written to of nothing
        expected.pop("bob")
    assert await told(database, run) == expected


async def test_the_present_owner_may_cancel_whatever_has_become_of_the_sender(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    run = await keep(database, vault, NOBODYS, "bob")
    await registry.reserve(run)
    await set_user(database, "bob", status="blocked")
    assert (await decide(database, vault, "ada", Decision.CANCEL, run)).state is TransferState.CANCELLED


# --- accounts that come later -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decision", "state"), [(Decision.ACCEPT, "transferring"), (Decision.DECLINE, "declined")])
async def test_who_has_got_the_number_since_decides_by_their_key_and_is_the_recipient_from_then_on(
    registry: DatabaseRegistry, database: Database, vault: Vault, decision: Decision, state: str
) -> None:
    run = await keep(database, vault, OWNERS["phone"])
    await registry.reserve(run)
    with pytest.raises(NotAllowed):
        await decide(database, vault, "bob", decision, run)
    await set_user(database, "bob", phone=PHONE)
    for _ in range(2):
        assert (await decide(database, vault, "bob", decision, run)).state == state
    assert (await row(database, run)).to_owner_id == "bob"
