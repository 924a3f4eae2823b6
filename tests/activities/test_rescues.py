"""What ended transfers leave due, on both databases: done when it can be done, and settled once."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from activities.contracts.messages import TransferRef
from activities.contracts.registry import Finish, WhileAbsent
from activities.contracts.rescues import Rescued
from activities.registry import DatabaseRegistry
from activities.rescues import DatabaseRescues
from domain.approval import Decision
from domain.charger import Shortfall
from domain.ids import ChargePointId, NodeId
from domain.transfer import TransferState, TransferWarning
from persistence.chargers import present_connections
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, LocalList, Transfer
from persistence.transfers import rescues
from persistence.vault import Vault
from tests.activities.test_registry import BOB_OWNS, CP, TO_BOB, decide, keep, registry, row

__all__ = ["registry"]
LATER = datetime.now(UTC) + timedelta(hours=1)


async def left(registry: DatabaseRegistry, database: Database, vault: Vault, *warnings: TransferWarning) -> TransferRef:
    """End a transfer with warnings; its charger was away."""
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    if TransferWarning.CREDENTIALS_DUE in warnings:
        await registry.leave_credentials_due(ref)
    else:
        await registry.withdraw_credentials(ref)
    end = Finish(transfer_id=ref.transfer_id, state=TransferState.COMPLETED_WITH_WARNINGS, warnings=warnings)
    await registry.finish(end)
    return ref


async def connect(database: Database, *, quarantined: bool = False) -> None:
    async with database.writing() as rows:
        await present_connections.claim(
            rows,
            CP,
            NodeId("node"),
            credential_id="key",
            address="192.0.2.1",
            quarantined=quarantined,
            now=datetime.now(UTC),
        )


async def waiting(database: Database) -> list[str]:
    async with database.reading() as rows:
        return [*await rescues.waiting(rows, LATER)]


async def test_what_is_due_waits_for_its_charger_and_is_settled_once(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    steps = DatabaseRescues(database)
    due = (TransferWarning.LISTS_DUE, TransferWarning.RELEASE_DUE, TransferWarning.LEFT_UNDONE_BY_OPERATOR)
    ref = await left(registry, database, vault, *due)
    assert not (await steps.begin(ref)).ready
    assert await waiting(database) == []
    await connect(database)
    assert await waiting(database) == [ref.transfer_id]
    found = await steps.begin(ref)
    assert (found.ready, found.lists, found.release) == (True, True, True)
    async with database.reading() as rows:
        assert await rescues.waiting(rows, datetime.now(UTC)) == [], "it was tried just now"
    lists = Rescued(transfer_id=ref.transfer_id, lists=True, release=False)
    assert not (await steps.settle(lists)).done
    assert not (await steps.settle(lists)).done
    assert (await row(database, ref)).warnings == ["release_due", "left_undone_by_operator"]
    both = Rescued(transfer_id=ref.transfer_id, lists=True, release=True)
    assert (await steps.settle(both)).done
    assert (await steps.settle(both)).done
    after = await row(database, ref)
    assert (after.due, after.warnings) == (False, ["left_undone_by_operator"])
    assert not (await steps.begin(ref)).ready
    async with database.reading() as rows:
        settled = select(AuditEvent.detail).where(AuditEvent.action == "settled")
        assert (await rows.scalars(settled)).all() == [
            {"cleared": "lists_due"}, {"cleared": "release_due"},
        ]  # fmt: skip


async def test_what_somebody_else_with_the_old_key_may_have_been_told_is_done_again_once_that_is_over(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    steps = DatabaseRescues(database)
    ref = await left(registry, database, vault, TransferWarning.OLD_KEY_KNOWN)
    await connect(database)
    async with database.writing() as rows:
        (await rows.get_one(ChargePoint, CP)).until_new_key = "serve"
        (await rows.get_one(Transfer, ref.transfer_id)).from_group_id = "south"
    assert not (await steps.begin(ref)).ready
    async with database.writing() as rows:
        (await rows.get_one(ChargePoint, CP)).until_new_key = None
    found = await steps.begin(ref)
    assert (found.ready, found.lists, found.release) == (True, True, True)
    assert not (await steps.settle(Rescued(transfer_id=ref.transfer_id, lists=False, release=False))).done
    assert (await row(database, ref)).warnings == ["lists_due", "release_due"]
    assert (await steps.settle(Rescued(transfer_id=ref.transfer_id, lists=True, release=True))).done


async def test_a_key_that_was_due_and_was_refused_is_the_new_owners_to_type(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await left(registry, database, vault, TransferWarning.CREDENTIALS_DUE)
    await connect(database)
    async with database.writing() as rows:
        (await rows.get_one(ChargePoint, CP)).until_new_key = "serve"
    steps = DatabaseRescues(database)
    assert not (await steps.settle(Rescued(transfer_id=ref.transfer_id, lists=True, release=True))).done
    assert (await row(database, ref)).warnings == ["old_key_known"]


@pytest.mark.parametrize("due", [TransferWarning.OLD_KEY_KNOWN, TransferWarning.LISTS_DUE])
async def test_that_it_takes_no_list_is_what_the_charger_itself_said_last(
    registry: DatabaseRegistry, database: Database, vault: Vault, due: TransferWarning
) -> None:
    steps = DatabaseRescues(database)
    ref = await left(registry, database, vault, TransferWarning.LISTS_NOT_SUPPORTED, due, TransferWarning.RELEASE_DUE)
    ref_only = {"transfer_id": ref.transfer_id, "release": False}
    await steps.settle(Rescued(**ref_only, lists=True, lists_not_supported=True))
    assert (await row(database, ref)).warnings == ["release_due", "lists_not_supported"]
    await steps.settle(Rescued(**ref_only, lists=True))
    assert (await row(database, ref)).warnings == ["release_due"], "whoever said otherwise had the old key"


async def test_what_a_list_that_is_sent_again_leaves_is_what_stays_a_warning(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    steps = DatabaseRescues(database)
    before = (TransferWarning.FORMER_TAGS_MAY_CHARGE_OFFLINE, TransferWarning.LISTS_DUE, TransferWarning.RELEASE_DUE)
    ref = await left(registry, database, vault, *before)
    rescued = {"transfer_id": ref.transfer_id, "release": False, "lists": True}
    await steps.settle(Rescued(**rescued, left=(Shortfall.CACHE_NOT_CLEARED,)))
    assert (await row(database, ref)).warnings == ["release_due", "cache_not_cleared"]


async def test_a_list_that_was_sent_while_the_key_was_known_is_sent_again(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await left(registry, database, vault, TransferWarning.OLD_KEY_KNOWN)
    async with database.writing() as rows:
        transfer = await rows.get_one(Transfer, ref.transfer_id)
        transfer.to_group_id = transfer.from_group_id
        assert not await rescues.has_unsure_list(rows, transfer)
        rows.add(LocalList(charge_point_id=CP, version=1, entries=[], order_id="a later move", replaced=[]))
        assert await rescues.has_unsure_list(rows, transfer)
        assert not rescues.has_unsure_release(transfer)


async def test_a_charger_is_told_nothing_before_it_has_its_new_key(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await left(registry, database, vault, TransferWarning.CREDENTIALS_DUE, TransferWarning.LISTS_DUE)
    await connect(database)
    assert not (await DatabaseRescues(database).begin(ref)).ready


async def test_a_quarantined_charger_is_told_nothing(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await left(registry, database, vault, TransferWarning.LISTS_DUE)
    await connect(database, quarantined=True)
    assert await waiting(database) == []
    assert not (await DatabaseRescues(database).begin(ref)).ready


async def test_a_transfer_under_way_is_not_disturbed(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await left(registry, database, vault, TransferWarning.RELEASE_DUE)
    await connect(database)
    async with database.reading() as rows:
        assert await rescues.due_on(rows, CP) == [ref.transfer_id]
        assert await rescues.due_on(rows, ChargePointId("cp_9")) == []
    registry = DatabaseRegistry(database, vault, timedelta(0))
    offered = await keep(database, vault, TO_BOB | {"recipient": "ada@example.com"}, sender="bob")
    await registry.reserve(offered)
    assert (await DatabaseRescues(database).begin(ref)).ready, "one that waits for its recipient is not at work there"
    await decide(database, vault, "ada", Decision.ACCEPT, offered)
    async with database.reading() as rows:
        assert await rescues.due_on(rows, CP) == []
    assert not (await DatabaseRescues(database).begin(ref)).ready


@pytest.mark.parametrize("warning", [TransferWarning.LISTS_NOT_SUPPORTED, TransferWarning.LEFT_UNDONE_BY_OPERATOR])
async def test_what_nobody_can_do_later_is_not_due(
    registry: DatabaseRegistry, database: Database, vault: Vault, warning: TransferWarning
) -> None:
    ref = await left(registry, database, vault, warning)
    assert not (await row(database, ref)).due


async def test_a_warning_that_only_a_newer_release_knows_stays(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    """It may have written it, and was taken back since."""
    ref = await left(registry, database, vault, TransferWarning.LISTS_DUE)
    async with database.writing() as rows:
        (await rows.get_one(Transfer, ref.transfer_id)).warnings = ["a_newer_word", "lists_due"]
    await connect(database)
    steps = DatabaseRescues(database)
    assert (await steps.settle(Rescued(transfer_id=ref.transfer_id, lists=True, release=True))).done
    assert (await row(database, ref)).warnings == ["a_newer_word"]
