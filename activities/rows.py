"""A transfer's row: made from its request, and read back as the workflow's plan."""

from collections.abc import Iterable
from datetime import datetime

from activities.contracts.messages import TransferRef
from activities.contracts.records import StepNote
from activities.contracts.registry import Plan, RefusedRecord
from domain.approval import reminders
from domain.charge_point import ChargePoint
from domain.errors import REFUSALS
from domain.ids import ChargePointId, UserId
from domain.kinds import TransferKind
from domain.letters import Subject
from domain.policy import Policy
from domain.transfer import Connection, DeviceSteps, IfOffline, RunningSession, TransferState, UntilNewKey, device_steps
from domain.transitions import Change, Parties, Progress
from persistence.tables import Transfer
from persistence.transfers.outbox import Letter
from persistence.transfers.parties import changes_owner
from persistence.transfers.steps import StepChange
from persistence.transfers.transfers import Requested


def new_row(ref: TransferRef, asked: Requested, charge_point: ChargePoint) -> Transfer:
    """Make the row of a request, still without target and reservation."""
    request = asked.request
    return Transfer(
        id=ref.transfer_id,
        kind=request.kind.value,
        state=TransferState.REQUESTED.value,
        attention="",
        warnings=[],
        charge_point_id=charge_point.id,
        active=False,
        connection=request.connection.value,
        acceptance=request.acceptance.value,
        running_session=request.running_session.value,
        if_offline=request.if_offline.value,
        until_new_key=request.until_new_key.value,
        from_group_id=charge_point.holding.group_id,
        from_owner_id=charge_point.holding.owner_id,
        asked_over_owner=False,
        requested_by=asked.sender_id,
        requested_at=asked.requested_at,
        from_version=charge_point.version,
        from_owner_version=charge_point.owner_version,
        from_until_new_key=charge_point.until_new_key,
        from_owner_changed_at=charge_point.owner_changed_at,
    )


def refused_row(refusal: RefusedRecord, asked: Requested, charge_point: ChargePoint) -> Transfer:
    """Make the row of a refused request: it reserves nothing."""
    row = new_row(refusal, asked, charge_point)
    row.state = TransferState.REFUSED.value
    row.reason, row.refusal = refusal.code.value, refusal.message
    row.finished_at = asked.requested_at
    return row


def reserved(row: Transfer | None) -> Transfer | None:
    """Give the row of a request that was reserved, None where nothing was written of it yet.

    Raises the refusal that was written: a request is answered once, whatever changes later.
    """
    if row is not None and row.state == TransferState.REFUSED.value:
        raise REFUSALS[row.reason or ""](row.refusal or "")
    return row


def steps_of(row: Transfer) -> DeviceSteps:
    """Say which device steps the row's change takes; a recipient who is not known yet changes owner and group."""
    return device_steps(
        owner_changes=changes_owner(row),
        group_changes=row.to_group_id != row.from_group_id,
        connection=Connection(row.connection),
    )


def plan_of(row: Transfer, run_id: str, policy: Policy) -> Plan:
    """Give the plan of a reserved transfer to a run of it: the same whenever it is asked for."""
    steps = steps_of(row)
    return Plan(
        kind=TransferKind(row.kind),
        charge_point_id=ChargePointId(row.charge_point_id),
        state=TransferState.AWAITING_ACCEPTANCE if row.expires_at else TransferState.TRANSFERRING,
        again=row.run_id != run_id,
        expires_at=row.expires_at,
        running_session=RunningSession(row.running_session),
        if_offline=IfOffline(row.if_offline),
        until_new_key=UntilNewKey(row.until_new_key),
        connection=Connection(row.connection),
        quiet=steps.quiet,
        lists=steps.lists,
        rotate=steps.rotate,
        policy=policy,
    )


def letters_at_reservation(row: Transfer) -> list[Letter]:
    """List what is written to people about a transfer that was just reserved, and what they are reminded of."""
    letters = [Letter(Subject.REQUESTED)] if row.asked_over_owner else []
    if row.expires_at:
        reminded = enumerate(reminders(row.requested_at, row.expires_at), start=1)
        letters.append(Letter(Subject.ASKED, generation=1))
        letters += [Letter(Subject.ASKED, generation=1, reminder=number, due_at=at) for number, at in reminded]
    return letters


def changes_of(notes: Iterable[StepNote]) -> list[StepChange]:
    """Take a workflow's notes on its steps as the changes of their rows."""
    return [StepChange(note.name, note.state, note.last_error, note.attempts) for note in notes]


def progress_of(row: Transfer, now: datetime) -> Progress:
    """Say how far a transfer is, as far as its row tells."""
    state = TransferState(row.state)
    return Progress(
        state=state,
        connection=Connection(row.connection),
        change=Change.BEGUN if state is TransferState.RECONFIGURING else Change.AHEAD,
        expired=row.expires_at is not None and row.expires_at <= now,
    )


def parties_of(
    row: Transfer, recipient_id: UserId | None = None, target_group_owners: frozenset[UserId] = frozenset()
) -> Parties:
    """Say whose a transfer is; the recipient may have no account that is known."""
    return Parties(
        kind=TransferKind(row.kind),
        sender_id=UserId(row.requested_by),
        present_owner_id=UserId(row.from_owner_id),
        recipient_id=recipient_id,
        target_group_owners=target_group_owners,
    )
