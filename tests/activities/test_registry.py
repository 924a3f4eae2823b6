"""The register's steps on both databases: each happens once, however often it is asked for."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from temporalio.exceptions import ApplicationError

from activities.contracts.messages import TransferRef, TransferRun
from activities.contracts.records import Note, StepNote
from activities.contracts.registry import Decided, DecisionRecord, Finish, RefusedRecord, WhileAbsent
from activities.records import DatabaseRecords
from activities.registry import DatabaseRegistry
from domain.approval import Decision
from domain.charger import KeyAnswer
from domain.contact import Channel
from domain.errors import (
    AlreadyDecided,
    CoolingDown,
    ErrorCode,
    NotAllowed,
    NotPossible,
    TooLate,
    TransferInProgress,
)
from domain.ids import ChargePointId, NodeId, OrderId, TransferId, UserId, workflow_id
from domain.keys import KnownTo
from domain.kinds import TransferKind
from domain.request import TransferRequest
from domain.rights import Scope
from domain.transfer import Acceptance, Attention, Connection, Reason, StepName, StepState, TransferState
from persistence.chargers import present_connections
from persistence.importing.imports import import_lines
from persistence.intake.idempotency import Repeatable
from persistence.intake.requests import Requests
from persistence.people import api_keys
from persistence.session import Database
from persistence.tables import (
    ApiKey,
    AuditEvent,
    ChargePoint,
    Credential,
    Membership,
    Order,
    OutboxLetter,
    OwnershipPeriod,
    Request,
    Transfer,
    TransferStep,
    User,
)
from persistence.transfers import inconsistencies, parties, steps
from persistence.transfers.steps import StepChange
from persistence.vault import Vault
from tests.journeys.system import two_users
from tests.orders import give
from tools.demo.findings import Registered, in_database

CP = ChargePointId("cp-1")
#: What is in the outbox of a transfer that asks: the question, and two reminders.
ASKED = {("asked", 1, 0), ("asked", 1, 1), ("asked", 1, 2)}
TO_BOB: dict[str, Any] = {
    "kind": TransferKind.TRANSFER_TO_USER, "recipient": "bob@example.com", "recipient_channel": Channel.EMAIL,
    "acceptance": Acceptance.REQUIRED,
}  # fmt: skip
BOB_OWNS: dict[str, Any] = {
    "kind": TransferKind.TRANSFER_OWNERSHIP, "user_id": "bob", "acceptance": Acceptance.NOT_REQUIRED,
}  # fmt: skip


@pytest.fixture
async def registry(database: Database, vault: Vault) -> DatabaseRegistry:
    await import_lines(database, vault, [json.dumps(line).encode() for line in two_users(1)])
    await know_key(database, KnownTo.CHARGER)
    return DatabaseRegistry(database, vault)


async def know_key(database: Database, known_to: KnownTo) -> None:
    """Say who knows the charge point's key: imported, people do; enrolled, only the charger."""
    async with database.writing() as rows:
        await rows.execute(update(Credential).values(known_to=known_to))


async def keep(
    database: Database, vault: Vault, fields: dict[str, Any], sender: str = "ada", *scopes: Scope
) -> TransferRun:
    request = TransferRequest(**{"expires_in": timedelta(days=7), **fields})
    call = Repeatable(UserId(sender), None, uuid.uuid4().bytes)
    kept = await Requests(database, vault).keep(call, CP, request, frozenset(scopes))
    return run_of(kept.transfer_id)


def run_of(transfer_id: TransferId, run_id: str = "run") -> TransferRun:
    return TransferRun(transfer_id=transfer_id, workflow_id=workflow_id(transfer_id), run_id=run_id)


async def row(database: Database, ref: TransferRef) -> Transfer:
    async with database.reading() as rows:
        found = await rows.get(Transfer, ref.transfer_id)
        assert found is not None
        return found


async def change(database: Database, statement: Any) -> None:
    async with database.writing() as rows:
        await rows.execute(statement)


async def decide(database: Database, vault: Vault, user: str, decision: Decision, ref: TransferRef) -> Decided:
    order_id = await give(database, ref.transfer_id, decision.value, f"user:{user}")
    record = DecisionRecord(transfer_id=ref.transfer_id, decision=decision, order_id=order_id)
    return await DatabaseRegistry(database, vault).decide(record)


async def test_a_reservation_is_made_once_and_keeps_others_out(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    first, second = await keep(database, vault, BOB_OWNS), await keep(database, vault, BOB_OWNS)
    plan = await registry.reserve(first)
    assert await registry.reserve(first) == plan
    assert (plan.quiet, plan.lists, plan.rotate) == (False, False, True)
    with pytest.raises(TransferInProgress):
        await registry.reserve(second)


async def test_a_reservation_whose_answer_was_lost_is_not_its_own_rival(
    registry: DatabaseRegistry, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    plan = await registry.reserve(ref)

    async def sees_nothing_yet(*_: object) -> None:
        return None

    monkeypatch.setattr(
        "persistence.transfers.transfers.find", sees_nothing_yet
    )  # as where the first commit is under way
    assert await registry.reserve(ref) == plan


async def test_a_refused_transfer_reserves_nothing(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    refusal = RefusedRecord(**ref.model_dump(), code=ErrorCode.NOT_ALLOWED, message="No.")
    await registry.refuse(refusal)
    await registry.refuse(refusal)
    found = await row(database, ref)
    assert (found.state, found.active, found.reason, found.refusal) == ("refused", False, "not_allowed", "No.")
    await registry.reserve(await keep(database, vault, BOB_OWNS))


async def test_the_first_steps_of_a_reserved_transfer_stand_whatever_has_happened_since(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    plan = await registry.reserve(ref)
    await change(database, update(User).where(User.id == "ada").values(status="blocked"))
    assert await registry.reserve(ref) == plan


async def test_a_refusal_stands_whatever_would_be_allowed_by_now(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.refuse(RefusedRecord(**ref.model_dump(), code=ErrorCode.COOLING_DOWN, message="Wait."))
    with pytest.raises(CoolingDown, match="Wait"):
        await registry.reserve(ref)


async def test_a_change_that_comes_in_after_the_transfer_turned_round_changes_nothing(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await DatabaseRecords(database).note(Note(transfer_id=ref.transfer_id, state=TransferState.ROLLING_BACK))
    with pytest.raises(TooLate):
        await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    assert (await in_database(database, CP))[0].owner == "ada"


async def test_an_ownership_change_happens_once_with_its_ledger_and_its_key(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    assert await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id)) == await registry.change_ownership(
        WhileAbsent(transfer_id=ref.transfer_id)
    )
    await registry.finish(Finish(transfer_id=ref.transfer_id, state=TransferState.COMPLETED))
    await registry.finish(Finish(transfer_id=ref.transfer_id, state=TransferState.COMPLETED))
    registered, wrong = await in_database(database, CP)
    assert registered == Registered("completed", "bob", "north", 1)
    assert set(wrong) == {"a key is still pending", "it is not connected"}
    async with database.reading() as rows:
        assert await rows.scalar(select(func.count()).where(Credential.order_id == ref.transfer_id)) == 1
        trail = list(await rows.scalars(select(AuditEvent.action).where(AuditEvent.subject == ref.transfer_id)))
    assert trail.count("ownership_changed") == trail.count("completed") == 1


async def test_a_restored_owner_is_a_new_period_never_a_rewritten_one(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    for _ in range(2):
        await registry.withdraw_credentials(ref)
        await registry.restore_ownership(ref)
    async with database.reading() as rows:
        periods = (await rows.scalars(select(OwnershipPeriod).order_by(OwnershipPeriod.version))).all()
    assert [(period.owner_id, period.change, period.ended_at is None) for period in periods] == [
        ("ada", "import", False), ("bob", "transfer", False), ("ada", "roll_back", True),
    ]  # fmt: skip
    async with database.reading() as rows:
        restored = select(AuditEvent.detail).where(AuditEvent.action == "ownership_restored")
        details = (await rows.scalars(restored)).all()
    assert [(one["version"], one["owner_id"]) for one in details] == [(2, "ada")], "once"


async def test_a_run_of_another_name_is_not_the_transfer(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    forged = ref.model_copy(update={"workflow_id": "transfer-of-somebody"})
    with pytest.raises(NotAllowed):
        await registry.reserve(forged)


@pytest.mark.usefixtures("registry")
async def test_what_is_started_is_one_request(database: Database, vault: Vault) -> None:
    refs = [await keep(database, vault, BOB_OWNS) for _ in range(3)]
    asked = Requests(database, vault)
    await asked.mark_started(refs[0].transfer_id)
    await asked.mark_refused(refs[1].transfer_id)
    async with database.reading() as rows:
        started = [(await rows.get_one(Request, ref.transfer_id)).started_at for ref in refs]
    assert [at is not None for at in started] == [True, True, False]


async def test_what_is_reserved_is_started_whoever_waited_for_that(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    """Its caller may have been answered that it goes on by itself, and have gone."""
    ref = await keep(database, vault, BOB_OWNS)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    async with database.reading() as rows:
        assert await inconsistencies.not_started(rows, soon) == [ref.transfer_id]
    await registry.reserve(ref)
    async with database.reading() as rows:
        assert await inconsistencies.not_started(rows, soon) == []


async def test_hands_change_of_one_charge_point_alone(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    async with database.writing() as rows:
        seen = await rows.get_one(ChargePoint, CP)
        of_both = {"owner_id": seen.owner_id, "group_id": seen.group_id, "version": seen.version}
        rows.add(ChargePoint(id="cp_9", identity="CP-9", name="Nine", ocpp="1.6", **of_both))
        await rows.flush()
        rows.add(OwnershipPeriod(charge_point_id="cp_9", started_at=datetime.now(UTC), change="import", **of_both))
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.block_sessions(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    async with database.reading() as rows:
        other = await rows.get_one(ChargePoint, "cp_9")
        period = await rows.get_one(OwnershipPeriod, ("cp_9", of_both["version"]))
    assert (other.owner_id, other.version, other.sessions_blocked_by) == (of_both["owner_id"], of_both["version"], None)
    assert period.ended_at is None


async def test_a_cancel_without_an_order_is_the_temporal_uis(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    decided = await registry.decide(DecisionRecord(transfer_id=ref.transfer_id, decision=Decision.CANCEL))
    assert (decided.state, decided.order_id) == ("cancelled", None)
    async with database.reading() as rows:
        actor = select(AuditEvent.actor).where(AuditEvent.subject == ref.transfer_id, AuditEvent.action == "cancelled")
        assert (await rows.scalars(actor)).all() == ["temporal-ui"]


@pytest.mark.parametrize("decision", [Decision.ACCEPT, Decision.DECLINE])
@pytest.mark.parametrize("order", [None, "ord_forged"])
async def test_nobody_accepts_or_declines_without_an_order(
    registry: DatabaseRegistry, database: Database, vault: Vault, decision: Decision, order: str | None
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    order_id = OrderId(order) if order else None
    with pytest.raises(NotAllowed, match="No order"):
        await registry.decide(DecisionRecord(transfer_id=ref.transfer_id, decision=decision, order_id=order_id))
    assert (await row(database, ref)).state == "awaiting_acceptance"


async def test_once_it_is_called_off_no_key_is_handed_out_for_it(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    waits = [(await row(database, ref)).new_key]
    await registry.withdraw_credentials(ref)
    waits.append((await row(database, ref)).new_key)
    assert waits[0] is not None
    assert waits[1] is None


@pytest.mark.parametrize("carried_out", [False, True])
async def test_an_operators_roll_back_while_it_waits_is_their_cancel_once(
    registry: DatabaseRegistry, database: Database, vault: Vault, carried_out: bool
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    order = await give(database, ref.transfer_id, "roll_back", "operator:olive")
    if carried_out:
        await change(database, update(Order).where(Order.id == order).values(carried_out_as="resolved_roll_back"))
    record = DecisionRecord(transfer_id=ref.transfer_id, decision=Decision.CANCEL, order_id=order)
    assert (await registry.decide(record)).state == "cancelled"
    async with database.reading() as rows:
        actor = select(AuditEvent.actor).where(AuditEvent.subject == ref.transfer_id, AuditEvent.action == "cancelled")
        assert (await rows.scalars(actor)).all() == ["temporal-ui" if carried_out else "operator:olive"]


async def test_the_ledger_remembers_which_transfer_changed_hands(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    refs = [await keep(database, vault, BOB_OWNS) for _ in range(2)]
    await registry.reserve(refs[0])
    await registry.change_ownership(WhileAbsent(transfer_id=refs[0].transfer_id))
    async with database.reading() as rows:
        assert [await parties.changed_ownership(rows, ref.transfer_id) for ref in refs] == [True, False]


async def test_after_a_refusal_the_old_key_opens_what_was_chosen_until_the_owners_is_in_use(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    await change(database, update(Credential).values(known_to="charger"))
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    assert not (await registry.await_new_key(ref)).proven
    async with database.reading() as rows:
        assert (await rows.get_one(ChargePoint, CP)).until_new_key == "serve"
        assert (await rows.scalars(select(Credential.state).where(Credential.state == "pending"))).all() == []


async def test_a_transfer_without_a_key_of_its_own_counts_as_refused(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    found = await registry.credentials(ref)
    assert (found.answer, found.answer_counts, found.proven) == (KeyAnswer.REJECTED, True, False)


@pytest.mark.parametrize("counts", [True, False])
async def test_an_answer_counts_where_only_the_charger_can_have_given_it(
    registry: DatabaseRegistry, database: Database, vault: Vault, counts: bool
) -> None:
    await change(database, update(Credential).values(known_to="charger"))
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    made = Credential.order_id == ref.transfer_id
    await change(database, update(Credential).where(made).values(answer="rejected", answer_counts=counts))
    found = await registry.credentials(ref)
    assert (found.answer, found.answer_counts) == (KeyAnswer.REJECTED, counts)


async def test_a_step_began_when_it_began(registry: DatabaseRegistry, database: Database, vault: Vault) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    began = []
    for state in (StepState.RUNNING, StepState.DONE):
        async with database.writing() as rows:
            await steps.note(rows, ref.transfer_id, [StepChange(StepName.QUIET_CHARGER, state)])
        async with database.reading() as rows:
            began.append((await rows.get_one(TransferStep, (ref.transfer_id, "quiet_charger"))).started_at)
    assert began[0] is not None
    assert began[0] == began[1]


async def test_credentials_left_due_are_the_gateways_to_see_to(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    assert not (await registry.leave_credentials_due(ref)).proven
    async with database.reading() as rows:
        key = (await rows.scalars(select(Credential).where(Credential.order_id == ref.transfer_id))).one()
    assert (key.quarantines_old, key.unattended) == (True, True)


async def test_nothing_is_restored_that_never_changed(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    assert (await registry.restore_ownership(ref)).version == 0


async def test_rights_that_were_lost_meanwhile_stop_the_change(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, {"kind": TransferKind.MOVE_TO_GROUP, "group_id": "south",
                                       "acceptance": Acceptance.NOT_REQUIRED}, sender="bob")  # fmt: skip
    await registry.reserve(ref)
    gone = update(Membership).where(Membership.user_id == "bob", Membership.group_id == "south").values(role="member")
    await change(database, gone)
    with pytest.raises(NotAllowed):
        await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    assert (await row(database, ref)).state == "transferring"


async def test_roles_by_which_somebody_else_would_become_the_owner_stop_the_change(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    """Bob may do it now as then; but then Ada would have kept it."""
    moves = {"kind": TransferKind.MOVE_TO_GROUP, "group_id": "south", "acceptance": Acceptance.NOT_REQUIRED}
    ref = await keep(database, vault, moves, sender="bob")
    await registry.reserve(ref)
    gone = update(Membership).where(Membership.user_id == "ada", Membership.group_id == "south").values(role="member")
    await change(database, gone)
    with pytest.raises(NotAllowed, match="Roles changed"):
        await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    assert (await row(database, ref)).state == "transferring"


async def test_a_charge_point_that_changed_hands_meanwhile_is_not_given_away(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    """Who has it now is who had it then: it went to somebody and came back."""
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await change(database, update(ChargePoint).values(version=2))
    with pytest.raises(NotAllowed, match="changed hands"):
        await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    assert (await row(database, ref)).state == "transferring"


@pytest.mark.parametrize("connected", [True, False])
async def test_the_old_key_of_a_charger_that_is_away_at_the_change_is_quarantined(
    registry: DatabaseRegistry, database: Database, vault: Vault, connected: bool
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    if connected:
        async with database.writing() as rows:
            key = (await rows.scalars(select(Credential))).one()
            await present_connections.claim(
                rows,
                CP,
                NodeId("node-1"),
                credential_id=key.id,
                address="192.0.2.1",
                quarantined=False,
                now=datetime.now(UTC),
            )
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    async with database.reading() as rows:
        pending = (await rows.scalars(select(Credential).where(Credential.state == "pending"))).one()
    assert pending.quarantines_old is not connected


async def test_a_recipient_who_was_blocked_meanwhile_stops_the_change(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    await decide(database, vault, "bob", Decision.ACCEPT, ref)
    await change(database, update(User).where(User.id == "bob").values(status="blocked"))
    with pytest.raises(NotPossible):
        await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))


async def test_the_first_decision_wins_and_its_repeat_answers_alike(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    with pytest.raises(NotAllowed):
        await decide(database, vault, "ada", Decision.ACCEPT, ref)
    first = await decide(database, vault, "bob", Decision.ACCEPT, ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    again = await decide(database, vault, "bob", Decision.ACCEPT, ref)
    assert again == first.model_copy(
        update={"sessions_blocked": False, "where": None}
    )  # not where the transfer has got to since
    with pytest.raises(AlreadyDecided):
        await decide(database, vault, "bob", Decision.DECLINE, ref)
    found = await row(database, ref)
    assert (found.state, found.accepted_by, found.to_group_id) == ("reconfiguring", "bob", "personal-bob")


async def test_an_expired_request_can_not_be_accepted_before_the_clock_has_said_so(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    await change(database, update(Transfer).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(TooLate):
        await decide(database, vault, "bob", Decision.ACCEPT, ref)
    expiry = DecisionRecord(transfer_id=ref.transfer_id, decision=Decision.EXPIRE)
    assert (await registry.decide(expiry)).state is TransferState.EXPIRED


@pytest.mark.parametrize(
    ("user", "decision"), [("bob", Decision.DECLINE), ("ada", Decision.CANCEL), (None, Decision.EXPIRE)]
)
async def test_an_end_by_decision_leaves_no_step_to_come(
    registry: DatabaseRegistry, database: Database, vault: Vault, user: str | None, decision: Decision
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    if user:
        await decide(database, vault, user, decision, ref)
    else:
        await registry.decide(DecisionRecord(transfer_id=ref.transfer_id, decision=decision))
    assert await steps_in(database, ref, "pending") == set()
    assert {"ask_recipient", "tell_parties"} <= await steps_in(database, ref, "done")
    assert await queued(database, ref) == {*ASKED, ("ended", 0, 0)}


async def test_a_cancel_that_rolls_back_leaves_the_steps_to_the_roll_back(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    before = await steps_in(database, ref, "pending")
    await decide(database, vault, "ada", Decision.CANCEL, ref)
    assert await steps_in(database, ref, "pending") == before


async def test_who_was_blocked_before_they_accept_reads_whom_to_ask(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    await change(database, update(User).where(User.id == "bob").values(status="blocked"))
    with pytest.raises(NotPossible, match="Your account is not active, so"):
        await decide(database, vault, "bob", Decision.ACCEPT, ref)


async def test_an_address_without_an_account_waits_and_binds_the_account_that_comes(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB | {"recipient": "new@example.com"})
    await registry.reserve(ref)
    assert (await row(database, ref)).to_owner_id is None
    with pytest.raises(NotAllowed):
        await decide(database, vault, "bob", Decision.ACCEPT, ref)
    await change(database, update(User).where(User.id == "bob").values(email="new@example.com"))
    assert (await decide(database, vault, "bob", Decision.ACCEPT, ref)).state is TransferState.TRANSFERRING
    assert (await row(database, ref)).to_owner_id == "bob"


async def test_an_address_without_an_account_is_refused_where_nobody_would_be_asked(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    unasked = TO_BOB | {"recipient": "no@example.com", "acceptance": Acceptance.NOT_REQUIRED}
    ref = await keep(database, vault, unasked, "ada", Scope.WITHOUT_ACCEPTANCE)
    with pytest.raises(NotPossible):
        await registry.reserve(ref)


async def test_a_deleted_connection_loses_every_key_with_the_change(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB | {"connection": Connection.DELETE})
    await registry.reserve(ref)
    await decide(database, vault, "bob", Decision.ACCEPT, ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    async with database.reading() as rows:
        assert set(await rows.scalars(select(Credential.state))) == {"revoked"}


async def test_an_owner_change_cools_down_and_a_roll_back_does_not(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    with pytest.raises(CoolingDown):
        await registry.reserve(await keep(database, vault, TO_BOB | {"recipient": "x@example.com"}, sender="bob"))
    await registry.restore_ownership(ref)
    await change(database, update(Transfer).values(active=False))
    await registry.reserve(await keep(database, vault, TO_BOB))


async def test_an_operators_start_has_its_reason_on_record(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS | {"reason": "court order 7"}, "ada", Scope.OPERATOR)
    await registry.reserve(ref)
    async with database.reading() as rows:
        entry = (await rows.scalars(select(AuditEvent).where(AuditEvent.subject == ref.transfer_id))).one()
        assert "reason" not in entry.detail
        assert entry.order
        assert (entry.order.act, entry.order.actor, entry.order.reason) == ("start", "operator:ada", "court order 7")
    assert entry.actor == "operator:ada"


async def test_a_roll_back_brings_the_former_cool_down_back(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    await change(database, update(ChargePoint).values(owner_changed_at=datetime.now(UTC)))
    ref = await keep(database, vault, BOB_OWNS, "ada", Scope.OPERATOR)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    await registry.restore_ownership(ref)
    with pytest.raises(CoolingDown):
        await registry.reserve(await keep(database, vault, TO_BOB))


async def test_a_key_that_was_revoked_meanwhile_gives_no_right_any_more(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    async with database.writing() as rows:
        key = await api_keys.create(rows, UserId("bob"), frozenset({Scope.OPERATOR}), datetime.now(UTC))
    key_id = key.split("_")[1]
    move = {"kind": TransferKind.MOVE_TO_GROUP, "group_id": "south", "acceptance": Acceptance.NOT_REQUIRED}
    ref = await keep(database, vault, move, "bob", Scope.OPERATOR)
    await change(database, update(Request).values(api_key_id=key_id))
    await change(database, update(Membership).where(Membership.user_id == "bob").values(role="member"))
    await registry.reserve(ref)
    await change(database, update(ApiKey).where(ApiKey.id == key_id).values(revoked_at=datetime.now(UTC)))
    with pytest.raises(NotAllowed):
        await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))


async def test_sessions_that_are_blocked_late_are_not_blocked_for_ever(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    await decide(database, vault, "bob", Decision.ACCEPT, ref)
    await registry.block_sessions(ref)
    assert await blocked(database) == ref.transfer_id
    await decide(database, vault, "ada", Decision.CANCEL, ref)
    end = Finish(transfer_id=ref.transfer_id, state=TransferState.ROLLED_BACK, reason=Reason.CANCELLED)
    await registry.finish(end)
    with pytest.raises(ApplicationError, match="has ended as rolled_back"):
        await registry.block_sessions(ref)
    assert await blocked(database) is None


async def test_a_late_note_brings_no_ended_transfer_back(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    await decide(database, vault, "bob", Decision.DECLINE, ref)
    await DatabaseRecords(database).note(Note(transfer_id=ref.transfer_id, attention=Attention.RECIPIENT))
    found = await row(database, ref)
    assert (found.state, found.attention, found.active) == ("declined", "", False)


async def test_letters_are_queued_with_what_they_follow_from(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    assert await queued(database, ref) == ASKED
    await registry.reserve(ref)
    await decide(database, vault, "bob", Decision.ACCEPT, ref)
    assert await queued(database, ref) == {*ASKED, ("accepted", 0, 0)}
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    await registry.finish(Finish(transfer_id=ref.transfer_id, state=TransferState.COMPLETED))
    assert await queued(database, ref) == {*ASKED, ("accepted", 0, 0), ("ended", 0, 0)}


async def test_whoever_is_asked_is_waited_for_from_the_reservation_on(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    await registry.reserve(ref)
    found = await row(database, ref)
    assert (found.attention, found.waiting_until) == ("recipient", found.expires_at)
    assert await steps_in(database, ref, "running") == {"ask_recipient"}
    await decide(database, vault, "bob", Decision.ACCEPT, ref)
    found = await row(database, ref)
    assert (found.attention, found.waiting_until) == ("", None)
    assert "ask_recipient" in await steps_in(database, ref, "done")


async def test_no_session_begins_from_the_reservation_or_the_acceptance_on(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, TO_BOB)
    assert not (await registry.reserve(ref)).sessions_blocked
    assert await blocked(database) is None, "it may still be declined"
    assert (await decide(database, vault, "bob", Decision.ACCEPT, ref)).sessions_blocked
    assert await blocked(database) == ref.transfer_id
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    await registry.finish(Finish(transfer_id=ref.transfer_id, state=TransferState.COMPLETED))
    repeated = await decide(database, vault, "bob", Decision.ACCEPT, ref)
    assert (repeated.state, repeated.sessions_blocked) == (TransferState.TRANSFERRING, False)
    assert await blocked(database) is None, "a repeat after the end blocks nothing"


async def test_a_plan_says_where_the_charger_is_that_is_made_quiet_at_once(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    unasked = TO_BOB | {"acceptance": Acceptance.NOT_REQUIRED}
    ref = await keep(database, vault, unasked, "ada", Scope.WITHOUT_ACCEPTANCE)
    for _ in range(2):
        plan = await registry.reserve(ref)
        assert plan.sessions_blocked
        assert plan.where == await registry.locate(ref)
        assert await blocked(database) == ref.transfer_id


async def test_what_was_not_written_of_the_steps_is_written_with_the_end(
    registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    notes = (
        StepNote(name=StepName.ROTATE_CREDENTIALS, state=StepState.RUNNING),
        StepNote(name=StepName.ROTATE_CREDENTIALS, state=StepState.SKIPPED, last_error="It was away."),
        StepNote(name=StepName.RELEASE_CHARGER, state=StepState.SKIPPED),
    )
    end = Finish(transfer_id=ref.transfer_id, state=TransferState.COMPLETED_WITH_WARNINGS, steps=notes)
    await registry.finish(end)
    async with database.reading() as rows:
        rotated = await rows.get_one(TransferStep, (ref.transfer_id, "rotate_credentials"))
        released = await rows.get_one(TransferStep, (ref.transfer_id, "release_charger"))
        lists = await rows.get_one(TransferStep, (ref.transfer_id, "replace_lists"))
    assert (rotated.state, rotated.attempts, rotated.last_error) == ("skipped", 1, "It was away.")
    assert rotated.started_at is not None
    assert rotated.finished_at is not None
    assert (released.state, released.attempts, released.started_at) == ("skipped", 0, None)
    assert (lists.state, lists.finished_at, lists.last_error) == ("skipped", None, None)
    assert await steps_in(database, ref, "pending") == set()


async def steps_in(database: Database, ref: TransferRef, state: str) -> set[str]:
    async with database.reading() as rows:
        wanted = select(TransferStep.name).where(
            TransferStep.transfer_id == ref.transfer_id, TransferStep.state == state
        )
        return set(await rows.scalars(wanted))


async def queued(database: Database, ref: TransferRef) -> set[tuple[str, int, int]]:
    """List what lies in a transfer's outbox, by subject, generation of the links, and reminder."""
    async with database.reading() as rows:
        letters = await rows.scalars(select(OutboxLetter).where(OutboxLetter.transfer_id == ref.transfer_id))
        return {(letter.subject, letter.generation, letter.reminder) for letter in letters}


async def blocked(database: Database) -> TransferId | None:
    async with database.reading() as rows:
        found = await rows.scalar(select(ChargePoint.sessions_blocked_by).where(ChargePoint.id == CP))
        return TransferId(found) if found else None
