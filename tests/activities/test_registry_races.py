"""Who has a charge point, against what goes on beside it: each sees the other whole, or comes before it."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from activities.contracts.messages import TransferRef
from activities.contracts.registry import Changed, Finish, WhileAbsent
from activities.registry import DatabaseRegistry
from domain.charger_clock import ChargerTime
from domain.errors import NotAllowed
from domain.kinds import TransferKind
from domain.transfer import Acceptance, TransferState
from persistence.chargers import charge_points, charging, charging_review
from persistence.chargers.charging import Over, Start, Started
from persistence.importing.imports import import_lines
from persistence.importing.problems import ImportRefused
from persistence.people import accounts
from persistence.session import PATIENT_LOCK_WAIT_SECONDS, Database
from persistence.tables import ChargingSession, Membership, OwnershipPeriod
from persistence.vault import Vault
from tests.activities.test_registry import BOB_OWNS, CP, keep
from tests.journeys.system import two_users
from tests.persistence.waiting import until_waiting

MOVE: dict[str, Any] = {
    "kind": TransferKind.MOVE_TO_GROUP, "group_id": "south", "acceptance": Acceptance.NOT_REQUIRED,
}  # fmt: skip
UNDER_WAY = "line 1: a transfer of theirs is under way and may be rolled back; import this after its end."


@pytest.fixture
def lock_wait() -> float:
    """Longer than it takes to see that somebody waits."""
    return PATIENT_LOCK_WAIT_SECONDS


@pytest.fixture
async def registry(database: Database, vault: Vault) -> DatabaseRegistry:
    await import_lines(database, vault, [json.dumps(line).encode() for line in two_users(1)])
    return DatabaseRegistry(database, vault)


async def reserved(registry: DatabaseRegistry, database: Database, vault: Vault, fields: dict[str, Any]) -> TransferRef:
    ref = await keep(database, vault, fields)
    await registry.reserve(ref)
    return ref


async def demote(database: Database, vault: Vault, user: str, group: str = "north") -> None:
    line = {"type": "membership", "group_id": group, "user_id": user, "role": "member"}
    await import_lines(database, vault, [json.dumps(line).encode()])


async def last_period(database: Database) -> OwnershipPeriod:
    async with database.reading() as rows:
        return (await rows.scalars(select(OwnershipPeriod).where(OwnershipPeriod.ended_at.is_(None)))).one()


@pytest.mark.parametrize("back", [False, True])
async def test_hands_change_after_every_session_that_was_booked_before(
    registry: DatabaseRegistry, database: Database, vault: Vault, back: bool
) -> None:
    ref = await reserved(registry, database, vault, BOB_OWNS)
    if back:
        await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    step = registry.restore_ownership if back else registry.change_ownership
    async with database.writing() as rows:
        now = datetime.now(UTC)
        started = await charging.start_session(rows, CP, Start(1, "X", 0, ChargerTime(now)), Over(1, now), now)
        changing = asyncio.create_task(step(WhileAbsent(transfer_id=ref.transfer_id)))
        await until_waiting(database, changing)
        booked_by = datetime.now(UTC)
    await changing

    async with database.reading() as rows:
        booked = await rows.get_one(ChargingSession, started.transaction_id)
    assert booked.owner_id == ("bob" if back else "ada")
    assert (await last_period(database)).started_at >= booked_by


async def test_a_session_that_starts_while_hands_change_waits_and_is_the_new_holders(
    registry: DatabaseRegistry, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await reserved(registry, database, vault, BOB_OWNS)

    async def start() -> Started:
        async with database.writing() as rows:
            now = datetime.now(UTC)
            return await charging.start_session(rows, CP, Start(1, "X", 0, ChargerTime(now)), Over(1, now), now)

    changed, starting = asyncio.Event(), asyncio.Event()

    async def change_hands(*_: object, **__: object) -> bool:
        changed.set()  # the change's transaction is open still
        await starting.wait()
        return False

    monkeypatch.setattr("persistence.chargers.credentials.change_hands", change_hands)
    changing = asyncio.create_task(registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id)))
    await changed.wait()
    task = asyncio.create_task(start())
    await until_waiting(database, task)
    starting.set()
    await changing

    async with database.reading() as rows:
        assert (await rows.get_one(ChargingSession, (await task).transaction_id)).owner_id == "bob"


async def test_a_role_that_is_being_taken_away_moves_nothing(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await reserved(registry, database, vault, MOVE)
    async with database.writing() as rows:
        await accounts.hold_roles(rows, to_change=True)
        role = update(Membership).where(Membership.user_id == "ada", Membership.group_id == "south")
        await rows.execute(role.values(role="member"))
        changing: asyncio.Task[Changed] = asyncio.create_task(
            registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
        )
        await until_waiting(database, changing)
    with pytest.raises(NotAllowed):
        await changing
    assert (await last_period(database)).group_id == "north"


async def test_who_is_just_becoming_an_owner_stays_an_admin(
    registry: DatabaseRegistry, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await reserved(registry, database, vault, BOB_OWNS)
    changed, importing = asyncio.Event(), asyncio.Event()

    async def change_hands(*_: object, **__: object) -> bool:
        changed.set()
        await importing.wait()
        return False

    monkeypatch.setattr("persistence.chargers.credentials.change_hands", change_hands)
    changing = asyncio.create_task(registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id)))
    await changed.wait()
    task = asyncio.create_task(demote(database, vault, "bob"))
    await until_waiting(database, task)
    importing.set()
    await changing
    with pytest.raises(ImportRefused, match="owns charge points of the group"):
        await task


async def test_who_a_roll_back_would_give_it_to_keeps_their_role_until_the_end(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await reserved(registry, database, vault, BOB_OWNS)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    with pytest.raises(ImportRefused) as refusal:
        await demote(database, vault, "ada")
    assert refusal.value.problems == [UNDER_WAY]
    await demote(database, vault, "ada", "south")  # she never had it there
    await registry.finish(Finish(transfer_id=ref.transfer_id, state=TransferState.COMPLETED))
    await demote(database, vault, "ada")


@pytest.mark.parametrize("act", ["settle", "end"])
async def test_what_operators_say_of_a_session_waits_for_hands_that_are_changing(
    registry: DatabaseRegistry, database: Database, act: str
) -> None:
    async with database.writing() as rows:
        now = datetime.now(UTC)
        started = await charging.start_session(rows, CP, Start(1, "X", 0, ChargerTime(now)), Over(1, now), now)
        (await rows.get_one(ChargingSession, started.transaction_id)).unsettled = True

    async def settle() -> None:
        async with database.writing() as rows:
            now = datetime.now(UTC)
            if act == "settle":
                await charging_review.settle(rows, CP, now, session_ids=None, stop_ids=None, owner_id=None)
            else:
                found = started.transaction_id
                await charging_review.end_by_hand(rows, CP, found, now, stop_id=None, power_limit=400)

    async with database.writing() as rows:
        await charge_points.lock(rows, CP)
        task = asyncio.create_task(settle())
        await until_waiting(database, task)
    await task
    async with database.reading() as rows:
        row = await rows.get_one(ChargingSession, started.transaction_id)
    assert (not row.unsettled) if act == "settle" else row.stopped_at
