"""What the reconciler finds in the register, and what it does about it, on both databases and a real engine."""

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update
from temporalio.client import Client, WorkflowExecutionStatus

from activities.contracts.messages import TransferRef
from activities.contracts.reconciler import Look, Place, Settlement, Suspicion, Suspicions
from activities.contracts.registry import Finish, WhileAbsent
from activities.reconciler import DatabaseReconciler
from activities.registry import DatabaseRegistry
from domain.actors import SYSTEM
from domain.ids import owner_news_workflow_id
from domain.news import OwnerNews
from domain.reconciliation import TAKE_UPS, UNCERTAIN, Finding
from domain.trail import TrailAction, of_charge_point, told_of_news
from domain.transfer import Reason, TransferState
from engine.engine import TemporalEngine
from persistence import tables
from persistence.intake.requests import Requests
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, ChargingSession, Credential, OwnershipPeriod, Transfer
from persistence.transfers import audit, findings, inconsistencies
from persistence.vault import Vault
from tests.activities.test_registry import BOB_OWNS, CP, change, keep, registry, row
from tests.troubles.hall import OwnRuns

__all__ = ["registry"]


@pytest.fixture
def reconciler(
    registry: DatabaseRegistry,
    database: Database,
    vault: Vault,
    temporal: Client,
) -> DatabaseReconciler:
    engine = TemporalEngine(temporal, timedelta(seconds=1))
    return DatabaseReconciler(database, vault, Requests(database, vault), engine, OwnRuns(temporal, set))


async def found(reconciler: DatabaseReconciler) -> dict[Finding, str]:
    return {one.kind: one.subject for one in (await reconciler.look(Look())).items}


async def settle(reconciler: DatabaseReconciler) -> dict[Finding, Settlement]:
    """Settle what is found now."""
    seen = await reconciler.look(Look())
    return {one.kind: one.settlement for one in (await reconciler.settle(seen)).items}


async def parked(database: Database) -> list[tuple[str, str]]:
    async with database.reading() as rows:
        return [(one.kind, one.subject) for one in await findings.parked(rows)]


async def ended(
    registry: DatabaseRegistry, database: Database, vault: Vault, state: TransferState = TransferState.COMPLETED
) -> TransferRef:
    """Give a transfer of CP to Bob that ended before its new key was proven: as it never should."""
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    if state is TransferState.ROLLED_BACK:
        await registry.restore_ownership(ref)
        await change(database, update(Transfer).values(state="rolling_back"))
    reason = Reason.OPERATOR if state is TransferState.ROLLED_BACK else None
    await registry.finish(Finish(transfer_id=ref.transfer_id, state=state, reason=reason))
    return ref


async def key(database: Database, ref: TransferRef) -> Credential:
    async with database.reading() as rows:
        return (await rows.scalars(select(Credential).where(Credential.order_id == ref.transfer_id))).one()


async def test_where_all_agrees_nothing_is_found(
    reconciler: DatabaseReconciler, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    assert await found(reconciler) == {}
    ref = await ended(registry, database, vault)
    async with database.writing() as rows:
        await rows.execute(update(Credential).where(Credential.state == "current").values(state="revoked"))
    await change(
        database,
        update(Credential)
        .where(Credential.order_id == ref.transfer_id)
        .values(state="current", proved_at=datetime.now(UTC), sealed_key=None),
    )
    assert await found(reconciler) == {}
    assert (await reconciler.look(Look())).whole


@pytest.mark.parametrize("state", [TransferState.COMPLETED, TransferState.ROLLED_BACK])
async def test_new_credentials_that_nobody_attends_to_are_left_due_or_withdrawn(
    reconciler: DatabaseReconciler, registry: DatabaseRegistry, database: Database, vault: Vault, state: TransferState
) -> None:
    ref = await ended(registry, database, vault, state)
    await change(database, update(Credential).where(Credential.order_id == ref.transfer_id).values(maybe_taken=True))
    assert (await found(reconciler))[Finding.KEY_LEFT_PENDING] == ref.transfer_id
    assert (await settle(reconciler))[Finding.KEY_LEFT_PENDING] is Settlement.MENDED
    left = await key(database, ref)
    if state is TransferState.COMPLETED:
        assert (left.unattended, left.quarantines_old, left.withdrawn_at) == (True, True, None)
    else:
        assert left.withdrawn_at is not None
    assert Finding.KEY_LEFT_PENDING not in await found(reconciler)


async def test_sessions_that_an_ended_transfer_blocks_are_allowed_again(
    reconciler: DatabaseReconciler, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await change(database, update(ChargePoint).values(sessions_blocked_by=ref.transfer_id))
    assert Finding.SESSIONS_BLOCKED not in await found(reconciler), "it is under way"
    await change(database, update(Transfer).values(active=False, state="cancelled"))
    assert (await settle(reconciler))[Finding.SESSIONS_BLOCKED] is Settlement.MENDED
    async with database.reading() as rows:
        assert (await rows.get_one(ChargePoint, CP)).sessions_blocked_by is None


async def test_a_charger_with_its_former_owners_key_is_parked_until_it_has_another(
    reconciler: DatabaseReconciler, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await ended(registry, database, vault)
    await change(database, update(Credential).where(Credential.order_id == ref.transfer_id).values(state="revoked"))
    assert await settle(reconciler) == {Finding.FORMER_OWNERS_KEY: Settlement.PARKED}
    assert await settle(reconciler) == {Finding.FORMER_OWNERS_KEY: Settlement.PARKED}
    assert await parked(database) == [("former_owners_key", CP)]
    await change(database, update(Transfer).values(warnings=["credentials_cannot_be_rotated"]))
    assert await settle(reconciler) == {}, "it says so itself"
    assert await parked(database) == []


@pytest.mark.parametrize("what", [{"owner_id": "bob"}, {"group_id": "south"}, {"version": 7}, "no period", "two"])
async def test_a_charge_point_that_its_ledger_contradicts_is_parked(
    reconciler: DatabaseReconciler, database: Database, what: Any
) -> None:
    if isinstance(what, dict):
        await change(database, update(ChargePoint).values(what))
    elif what == "no period":
        await change(database, update(OwnershipPeriod).values(ended_at=datetime.now(UTC)))
    else:
        async with database.writing() as rows:
            rows.add(OwnershipPeriod(
                charge_point_id=CP, version=9, owner_id="bob", group_id="north", started_at=datetime.now(UTC),
                change="transfer", transfer_id="trf_9",
            ))  # fmt: skip
    assert await settle(reconciler) == {Finding.LEDGER_DISAGREES: Settlement.PARKED}
    assert await parked(database) == [("ledger_disagrees", CP)]


async def test_each_charge_point_is_held_against_its_own_ledger(
    reconciler: DatabaseReconciler, database: Database
) -> None:
    async with database.writing() as rows:
        point = await rows.get_one(ChargePoint, CP)
        of_both = {"owner_id": point.owner_id, "group_id": point.group_id}
        rows.add(ChargePoint(id="cp_9", identity="CP-9", name="Nine", version=4, ocpp="1.6", **of_both))
        await rows.flush()
        now = datetime.now(UTC)
        rows.add(OwnershipPeriod(charge_point_id="cp_9", version=4, started_at=now, change="import", **of_both))
    assert await found(reconciler) == {}


async def test_a_request_is_started_once_it_is_old_enough(
    reconciler: DatabaseReconciler, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    assert await found(reconciler) == {}
    monkeypatch.setattr("activities.reconciler.LEFT_AFTER", timedelta())
    assert await settle(reconciler) == {Finding.NOT_STARTED: Settlement.NOT_YET}, "there is no worker"
    assert await found(reconciler) == {Finding.NOT_STARTED: ref.transfer_id}


async def test_a_reservation_of_which_the_engine_knows_nothing_is_a_lost_run(
    reconciler: DatabaseReconciler, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await Requests(database, vault).mark_started(ref.transfer_id)
    assert await found(reconciler) == {Finding.RUN_LOST: ref.transfer_id}, "not even reserved"
    await registry.reserve(ref)
    assert await found(reconciler) == {Finding.RUN_LOST: ref.transfer_id}
    await change(database, update(Transfer).values(active=False, state="cancelled", finished_at=datetime.now(UTC)))
    assert await found(reconciler) == {}
    lost = Suspicion(kind=Finding.RUN_LOST, subject=ref.transfer_id)
    done = await reconciler.settle(Suspicions(items=(lost,)))
    assert [one.settlement for one in done.items] == [Settlement.UNFOUNDED], "it ended meanwhile"


async def test_how_ended_ones_stand_is_told_where_it_is_asked_for(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await ended(registry, database, vault)
    async with database.reading() as rows:
        assert await inconsistencies.states(rows, []) == {}
        assert await inconsistencies.states(rows, [ref.transfer_id]) == {ref.transfer_id: TransferState.COMPLETED}


async def test_a_run_that_was_lost_again_and_again_is_an_operators(
    reconciler: DatabaseReconciler, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await Requests(database, vault).mark_started(ref.transfer_id)
    await registry.reserve(ref)
    async with database.writing() as rows:
        for _ in range(TAKE_UPS):
            await audit.append(rows, ref.transfer_id, actor=SYSTEM, action=TrailAction.TAKEN_UP)
    assert await settle(reconciler) == {Finding.RUN_LOST: Settlement.PARKED}


@pytest.mark.parametrize("kind", sorted(UNCERTAIN))
async def test_what_is_uncertain_is_parked_and_told_once(
    reconciler: DatabaseReconciler,
    registry: DatabaseRegistry,
    database: Database,
    vault: Vault,
    kind: Finding,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    of_charge_points = {Finding.FORMER_OWNERS_KEY, Finding.LEDGER_DISAGREES, Finding.SESSION_LEFT_OPEN}
    subject = CP if kind in of_charge_points else ref.transfer_id
    once = Suspicions(items=(Suspicion(kind=kind, subject=subject),))
    for _ in range(2):
        assert [one.settlement for one in (await reconciler.settle(once)).items] == [Settlement.PARKED]
    assert await parked(database) == [(kind.value, subject)]
    assert caplog.text.count("an operator is needed") == 1
    if subject == ref.transfer_id:
        assert (await row(database, ref)).attention == "operator"
    await reconciler.settle(Suspicions())
    assert await parked(database) == [(kind.value, subject)], "that look was not whole"
    await reconciler.settle(Suspicions(whole=True))
    assert await parked(database) == []
    async with database.reading() as rows:
        assert [one.times for one in await findings.every(rows)] == [1]


async def add_points(database: Database, *ids: str) -> None:
    """Write charge points that no ledger knows."""
    async with database.writing() as rows:
        point = await rows.get_one(ChargePoint, CP)
        of_both = {"owner_id": point.owner_id, "group_id": point.group_id}
        rows.add_all(ChargePoint(id=one, identity=one, name=one, version=0, ocpp="1.6", **of_both) for one in ids)


async def test_what_is_too_much_for_one_look_is_gone_through_by_several(
    reconciler: DatabaseReconciler, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.reconciler.POINTS_AT_ONCE", 2)
    monkeypatch.setattr("activities.reconciler.REQUESTS_AT_ONCE", 1)
    await add_points(database, "z1", "z2", "z3")  # behind all others
    asked = [(await keep(database, vault, BOB_OWNS)).transfer_id for _ in range(2)]
    for one in asked:
        await Requests(database, vault).mark_started(one)

    seen, places, place = Counter[tuple[Finding, str]](), list[Place](), Place()
    for _ in range(12):
        look = await reconciler.look(Look(place=place))
        seen.update((one.kind, one.subject) for one in look.items)
        places.append(place := look.next)

    assert set(seen) == {
        *((Finding.LEDGER_DISAGREES, point) for point in ("z1", "z2", "z3")),
        *((Finding.RUN_LOST, one) for one in asked),
    }
    assert all(2 <= times <= 6 for times in seen.values()), "each now and then, and none at each look"
    assert Place() in {Place(charge_point=one.charge_point) for one in places}, "it begins anew"


async def test_what_is_parked_is_looked_at_each_time_so_that_only_what_has_settled_is_closed(
    reconciler: DatabaseReconciler, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.reconciler.POINTS_AT_ONCE", 1)
    await add_points(database, "z1", "z2")
    far = Place(charge_point="z1")
    await reconciler.settle(await reconciler.look(Look(place=far)))
    assert await parked(database) == [("ledger_disagrees", "z2")]

    near = await reconciler.look(Look())  # at the first charge point alone
    assert near.whole
    await reconciler.settle(near)
    assert await parked(database) == [("ledger_disagrees", "z2")], "it still disagrees"

    async with database.writing() as rows:
        point = await rows.get_one(ChargePoint, "z2")
        of_both = {"owner_id": point.owner_id, "group_id": point.group_id}
        rows.add(
            OwnershipPeriod(charge_point_id="z2", version=0, started_at=datetime.now(UTC), change="import", **of_both)
        )
    await reconciler.settle(await reconciler.look(Look()))
    assert await parked(database) == []


async def test_an_unknown_transfer_is_no_reason_to_stop(reconciler: DatabaseReconciler) -> None:
    nobody = Suspicion(kind=Finding.STATES_DISAGREE, subject=f"trf_{uuid.uuid4().hex}")
    done = await reconciler.settle(Suspicions(items=(nobody,)))
    assert [one.settlement for one in done.items] == [Settlement.PARKED]


async def test_a_look_that_finds_too_much_says_so_and_closes_nothing(
    reconciler: DatabaseReconciler,
    registry: DatabaseRegistry,
    database: Database,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await registry.reserve(await keep(database, vault, BOB_OWNS))
    await change(database, update(ChargePoint).values(version=7))
    assert len((await reconciler.look(Look())).items) == 2
    monkeypatch.setattr("activities.reconciler.AT_ONCE", 1)
    seen = await reconciler.look(Look())
    assert (len(seen.items), seen.whole) == (1, False)


async def test_a_look_takes_out_of_trails_where_somebody_was_once_that_is_kept_long_enough(
    reconciler: DatabaseReconciler, database: Database
) -> None:
    now, places = datetime.now(UTC), {"address": "203.0.113.9"}
    for sequence, days in enumerate((91, 89), 1):
        values = {"at": now - timedelta(days=days), "actor": "system", "action": "key_sent", "tells_place": True}
        async with database.writing() as rows:
            rows.add(AuditEvent(subject=of_charge_point(CP), sequence=sequence, detail=places, **values))

    await reconciler.look(Look())

    async with database.reading() as rows:
        kept = (await rows.scalars(select(AuditEvent.detail).order_by(AuditEvent.sequence))).all()
    assert kept == [{}, places]


async def test_a_look_is_not_held_up_by_what_can_not_be_taken_out_of_trails_now(
    reconciler: DatabaseReconciler, database: Database, database_url: str
) -> None:
    async with database.writing() as rows:
        values = {"at": datetime.now(UTC) - timedelta(days=91), "actor": "system", "action": "key_sent"}
        places = {"address": "203.0.113.9"}
        rows.add(AuditEvent(subject=of_charge_point(CP), sequence=1, detail=places, tells_place=True, **values))
    await change(database, update(ChargePoint).values(version=7))
    other = Database(database_url)
    async with other.writing() as rows:
        postgresql = rows.get_bind().dialect.name == "postgresql"
        # on SQLite nobody else writes once a transaction that writes has begun
        await rows.execute(text("LOCK TABLE audit_events IN EXCLUSIVE MODE" if postgresql else "SELECT 1"))
        assert await found(reconciler) == {Finding.LEDGER_DISAGREES: CP}
    await other.close()
    async with database.reading() as rows:
        assert (await rows.scalars(select(AuditEvent.detail))).all() == [places]


async def add_session(database: Database, **more: Any) -> None:
    """Write a session that began eight days ago."""
    at = datetime.now(UTC) - timedelta(days=8)
    values = {"started_at": at, "reported_at": at, "arrived_at": at, "earliest_at": at, "meter_start": 0} | more
    async with database.writing() as rows:
        rows.add(
            ChargingSession(charge_point_id=CP, connector=1, id_tag="X", owner_id="ada", group_id="north", **values)
        )


async def test_a_session_that_runs_too_long_is_parked_until_it_ends(
    reconciler: DatabaseReconciler, database: Database
) -> None:
    now = datetime.now(UTC)
    await add_session(database, stopped_at=now)
    await add_session(database, arrived_at=now - timedelta(days=6, hours=23))
    assert await found(reconciler) == {}
    await add_session(database)
    assert await settle(reconciler) == {Finding.SESSION_LEFT_OPEN: Settlement.PARKED}
    assert await parked(database) == [("session_left_open", CP)]
    await change(database, update(ChargingSession).values(stopped_at=now))
    await settle(reconciler)
    assert await parked(database) == []


async def test_sessions_that_run_too_long_hold_nothing_else_up(
    reconciler: DatabaseReconciler,
    registry: DatabaseRegistry,
    database: Database,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await registry.reserve(await keep(database, vault, BOB_OWNS))
    await add_session(database)
    monkeypatch.setattr("activities.reconciler.AT_ONCE", 1)
    assert [one.kind for one in (await reconciler.look(Look())).items] == [Finding.RUN_LOST]


async def test_a_former_owner_of_late_sessions_is_told_once_a_day(
    reconciler: DatabaseReconciler, database: Database, temporal: Client
) -> None:
    await add_session(database, stopped_at=datetime.now(UTC), to_be_told=True)
    for _ in range(2):
        assert await settle(reconciler) == {Finding.FORMER_OWNER_UNTOLD: Settlement.STARTED}
    day = datetime.now(UTC).date()
    described = await temporal.get_workflow_handle(owner_news_workflow_id(CP, "late_sessions", day)).describe()
    assert described.status is WorkflowExecutionStatus.RUNNING
    assert await parked(database) == [], "that is ordinary life"
    async with database.writing() as rows:
        once = told_of_news(OwnerNews.LATE_SESSIONS, day.isoformat())
        await audit.append(rows, of_charge_point(CP), actor=SYSTEM, action=TrailAction.TOLD, once=once)
    assert await found(reconciler) == {}


async def test_what_is_parked_for_somebody_to_settle_costs_no_second_look(
    reconciler: DatabaseReconciler, database: Database
) -> None:
    async with database.writing() as rows:
        await findings.note_parked(rows, Finding.SESSIONS_IN_DOUBT, CP, datetime.now(UTC))
    assert not (await reconciler.look(Look())).parked
    await reconciler.settle(Suspicions(whole=True))
    assert await parked(database) == [("sessions_in_doubt", CP)]


async def test_what_a_newer_release_has_parked_is_left_to_it(
    reconciler: DatabaseReconciler, database: Database
) -> None:
    """It was taken back since; what this release has parked and finds no more is closed all the same."""
    now = datetime.now(UTC)
    async with database.writing() as rows:
        for kind in ("a_newer_word", Finding.RUN_LOST.value):
            rows.add(tables.Finding(kind=kind, subject="trf_1", settlement="parked", times=1, found_at=now))
    await reconciler.settle(await reconciler.look(Look()))
    assert await parked(database) == [("a_newer_word", "trf_1")]
