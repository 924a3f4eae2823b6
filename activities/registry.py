"""The register's steps: each one transaction, idempotent on (transfer id, step)."""

import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from activities import whereabouts
from activities.contracts.messages import Done, TransferRef, TransferRun
from activities.contracts.registry import (
    Changed,
    CredentialsStatus,
    Decided,
    DecisionRecord,
    Finish,
    Finished,
    Plan,
    Proof,
    RefusedRecord,
    Registry,
    ResendRecord,
    TakenUp,
    TurnBack,
    Turned,
    Whereabouts,
    WhileAbsent,
)
from activities.decisions import decide, party_of, resend, resent, taken
from activities.ended import ended_by_this_run
from activities.rows import changes_of, letters_at_reservation, new_row, plan_of, refused_row, reserved, steps_of
from domain import trail
from domain.actors import SYSTEM, Actor, operator, user
from domain.charge_point import Holding
from domain.charger import KeyAnswer
from domain.errors import NotAllowed, Refusal, TooLate, TransferInProgress
from domain.ids import ID_PATTERN, ChargePointId, GroupId, TransferId, UserId
from domain.letters import Subject
from domain.orders import OrderAct, unproven
from domain.rights import DEFAULT_COOL_DOWN, UNDER_WAY
from domain.trail import TrailAction
from domain.transfer import (
    DUE,
    FINAL,
    Acceptance,
    Attention,
    Connection,
    Reason,
    StepName,
    StepState,
    TransferState,
    UntilNewKey,
)
from persistence.chargers import charge_points, contenders, credentials
from persistence.intake import orders
from persistence.people import accounts
from persistence.session import Database
from persistence.tables import Request, Transfer
from persistence.transfers import audit, eligibility, outbox, steps, transfers
from persistence.transfers.steps import StepChange
from persistence.vault import Vault

log = logging.getLogger(__name__)


class DatabaseRegistry(Registry):
    """The register on SQLite or PostgreSQL."""

    def __init__(self, database: Database, vault: Vault, cool_down: timedelta = DEFAULT_COOL_DOWN) -> None:
        """Take what the steps work on."""
        self._db = database
        self._vault = vault
        self._cool_down = cool_down

    async def _note_unproven(self, transfer_id: TransferId, act: OrderAct) -> None:
        """Write it into the trail of a transfer that somebody has asked for; of any other there is none."""
        async with self._db.writing() as rows:
            if ID_PATTERN.fullmatch(transfer_id) and await rows.get(Request, transfer_id) is not None:
                await orders.note_unproven(rows, transfer_id, act)

    async def reserve(self, run: TransferRun) -> Plan:
        """Insert the transfer's row, whose unique index reserves the charge point; a repeat gives the same plan.

        What was reserved or refused stands: a repeat says so, whatever the rights are now. A run that is none of its
        transfer's is on record, once.
        """
        try:
            async with self._db.writing() as rows:
                asked = await transfers.requested_by_run(rows, self._vault, run.transfer_id, run.workflow_id)
                if asked is not None:
                    row = reserved(await transfers.find(rows, run.transfer_id))
                    if row is None:
                        row = await self._insert(rows, run, asked)
                    plan = plan_of(row, run.run_id, asked.policy)
                    blocked = await _block_sessions(rows, row)
                    where = await whereabouts.look(rows, run) if blocked else None
                    return plan.model_copy(update={"sessions_blocked": blocked, "where": where})
        except IntegrityError:
            return await self._reserved(run)
        log.warning("a workflow says that it is a transfer, and is none")
        await self._note_unproven(run.transfer_id, OrderAct.START)
        raise unproven()

    async def _reserved(self, run: TransferRun) -> Plan:
        """Give the plan that an earlier try wrote whose answer was lost; else another transfer was first."""
        async with self._db.reading() as rows:
            row = reserved(await rows.get(Transfer, run.transfer_id))
            if row is None:
                raise TransferInProgress(UNDER_WAY)
            return plan_of(row, run.run_id, await transfers.policy_of(rows, run.transfer_id))

    async def _insert(self, rows: AsyncSession, run: TransferRun, asked: transfers.Requested) -> Transfer:
        facts = await eligibility.gather(rows, asked)
        eligibility.check_waiting_time(facts, datetime.now(UTC), self._cool_down)
        after = await eligibility.target_of(rows, facts)
        row = new_row(run, asked, facts.charge_point)
        row.active, row.run_id = True, run.run_id
        row.asked_over_owner = eligibility.takes_from_owner(facts, after)
        row.to_owner_id, row.to_group_id = (after.owner_id, after.group_id) if after else (None, None)
        if facts.request.acceptance is Acceptance.REQUIRED:
            row.state = TransferState.AWAITING_ACCEPTANCE.value
            row.expires_at = asked.requested_at + facts.request.expires_in
        else:
            row.state = TransferState.TRANSFERRING.value
        transfers.wait_anew(row)
        rows.add(row)
        await rows.flush()
        now, asks = datetime.now(UTC), facts.request.acceptance is Acceptance.REQUIRED
        await steps.begin(rows, run.transfer_id, now, asks=asks)
        await transfers.mark_started(rows, run.transfer_id, now)
        await outbox.queue(rows, run.transfer_id, letters_at_reservation(row))
        await audit.append(
            rows,
            run.transfer_id,
            actor=(operator if facts.sender.operator else user)(asked.sender_id),
            action=TrailAction.RESERVED,
            once=trail.once(TrailAction.RESERVED),
            detail={"kind": row.kind, "state": row.state},
            order_id=asked.order_id,
        )
        return row

    async def refuse(self, refusal: RefusedRecord) -> Done:
        """Insert a refused row; a repeat, or one that was reserved after all, changes nothing."""
        async with self._db.writing() as rows:
            asked = await transfers.requested_by_run(rows, self._vault, refusal.transfer_id, refusal.workflow_id)
            if asked is None:
                return Done()
            if await transfers.find(rows, refusal.transfer_id) is None:
                charge_point = await charge_points.get(rows, asked.charge_point_id)
                rows.add(refused_row(refusal, asked, charge_point))
                await audit.append(
                    rows,
                    refusal.transfer_id,
                    actor=user(asked.sender_id),
                    action=TrailAction.REFUSED,
                    once=trail.once(TrailAction.REFUSED),
                    detail={"code": refusal.code.value},
                )
            return Done()

    async def decide(self, record: DecisionRecord) -> Decided:
        """Write the first decision; the same one by the same party again gives the state that it led to.

        One that takes an order, and has none, is on record, once for each decision.
        """
        try:
            async with self._db.writing() as rows:
                row = await transfers.get(rows, record.transfer_id)  # before its order: decision 12
                if party := await party_of(rows, record):
                    decided = await decide(rows, self._vault, row, record, party)
                    blocked = await _block_sessions(rows, row)
                    where = await whereabouts.look(rows, record) if blocked else None
                    return decided.model_copy(update={"sessions_blocked": blocked, "where": where})
        except Refusal as refusal:
            async with self._db.writing() as rows:
                act = OrderAct(record.decision.value)
                await orders.refuse(rows, record.transfer_id, act, record.order_id, refusal)
            raise
        await self._note_unproven(record.transfer_id, OrderAct(record.decision.value))
        raise unproven()

    async def resend(self, record: ResendRecord) -> Done:
        """Raise the links' generation; the same order again raises nothing. Without one it is on record, once."""
        try:
            async with self._db.writing() as rows:
                await transfers.get(rows, record.transfer_id)  # before its order: decision 12
                if order := await orders.find(rows, record.transfer_id, OrderAct.RESEND, record.order_id):
                    await resend(rows, order)
                    return Done()
        except Refusal as refusal:
            async with self._db.writing() as rows:
                await orders.refuse(rows, record.transfer_id, OrderAct.RESEND, record.order_id, refusal)
            raise
        await self._note_unproven(record.transfer_id, OrderAct.RESEND)
        raise unproven()

    async def take_up(self, run: TransferRun) -> TakenUp:
        """Read, and write once a run that it takes up; what the transfer waited for is looked at afresh."""
        async with self._db.writing() as rows:
            row = await transfers.get(rows, run.transfer_id)
            transfers.wait_anew(row)
            detail, once, taken_up = {"state": row.state}, trail.taken_up(run.run_id), TrailAction.TAKEN_UP
            await audit.append(rows, run.transfer_id, actor=SYSTEM, action=taken_up, detail=detail, once=once)
            return TakenUp(
                state=TransferState(row.state),
                reason=Reason(row.reason) if row.reason else None,
                decisions=await taken(rows, run.transfer_id),
                resent=await resent(rows, run.transfer_id),
            )

    async def block_sessions(self, ref: TransferRef) -> Whereabouts:
        """Set a mark, the same again; a try that comes in after the transfer turned round or ended sets none."""
        async with self._db.writing() as rows:
            row = await transfers.get(rows, ref.transfer_id)
            if TransferState(row.state) in {TransferState.TRANSFERRING, TransferState.RECONFIGURING}:
                await charge_points.block_sessions(rows, ChargePointId(row.charge_point_id), ref.transfer_id)
            return await whereabouts.look(rows, ref)

    async def allow_sessions(self, ref: TransferRef) -> Whereabouts:
        """Take this transfer's mark away, and no other's."""
        async with self._db.writing() as rows:
            await charge_points.allow_sessions(rows, transfers.point_of(ref.transfer_id), ref.transfer_id)
            return await whereabouts.look(rows, ref)

    async def change_ownership(self, change: WhileAbsent) -> Changed:
        """Change once: the ledger has one `transfer` entry per transfer."""
        async with self._db.writing() as rows:
            row = await transfers.get(rows, change.transfer_id)
            ahead = TransferState(row.state) is TransferState.TRANSFERRING
            changed = None if ahead else await charge_points.change_of(rows, change.transfer_id, "transfer")
            if changed is None:
                return await self._change(rows, change, row)
            point = await charge_points.get(rows, ChargePointId(row.charge_point_id))
            where = await whereabouts.look(rows, change)
            return Changed(
                version=changed.version,
                at=changed.at,
                new_key=bool(row.new_key),
                rotates=point.rotates,
                where=where,
            )

    async def _change(self, rows: AsyncSession, change: WhileAbsent, row: Transfer) -> Changed:
        if TransferState(row.state) is not TransferState.TRANSFERRING:  # a try that comes in after the story turned
            raise TooLate(f"The transfer is {row.state}; its ownership change comes too late.")
        await accounts.hold_roles(rows)
        point = await charge_points.lock(rows, ChargePointId(row.charge_point_id))  # and with it whoever changes a key
        now = datetime.now(UTC)  # once nobody else is at it: whatever was booked to the present holder is earlier
        found = await whereabouts.read(rows, change)
        whereabouts.check_absence(change, found.place)
        asked = await transfers.requested(rows, self._vault, change.transfer_id)
        facts = await eligibility.gather(rows, asked, point)
        after = await eligibility.check_rights(rows, facts)
        if after is None:
            after = await eligibility.check_still_usable(rows, facts, UserId(row.to_owner_id or ""))
        if (after.owner_id, after.group_id) != (row.to_owner_id, row.to_group_id):
            raise NotAllowed("Roles changed since the request: somebody else would become the owner; start it again.")
        if facts.charge_point.version != row.from_version:
            raise NotAllowed("The charge point changed hands since the request; see who has it, then start it again.")
        version = await charge_points.change_holding(
            rows, facts.charge_point, after, transfer_id=change.transfer_id, change="transfer", now=now, owner_since=now
        )
        device_steps = eligibility.steps_for(facts, after)
        if device_steps.revoke:
            await credentials.revoke_all(rows, facts.charge_point.id, now)
        if device_steps.rotate:
            row.new_key = await credentials.change_hands(
                rows,
                self._vault,
                facts.charge_point.id,
                change.transfer_id,
                quarantines_old=found.place.node is None,
                until_new_key=UntilNewKey(row.until_new_key),
                now=now,
            )
        transfers.enter(row, TransferState.RECONFIGURING, now)
        await steps.note(rows, change.transfer_id, [StepChange(StepName.CHANGE_OWNERSHIP, StepState.DONE)])
        await audit.append(
            rows,
            change.transfer_id,
            actor=SYSTEM,
            action=TrailAction.OWNERSHIP_CHANGED,
            once=trail.once(TrailAction.OWNERSHIP_CHANGED),
            detail={"version": version, "owner_id": after.owner_id, "group_id": after.group_id}
            | ({"generation": found.place.generation, "address": found.address} if found.place.node else {}),
        )
        if after.owner_id != facts.charge_point.holding.owner_id:
            await contenders.ask_again(rows, facts.charge_point.id)
        return Changed(
            version=version,
            at=now,
            new_key=bool(row.new_key),
            rotates=point.rotates,
            where=whereabouts.shown(found),
        )

    async def turn_back(self, turn: TurnBack) -> Turned:
        """Turn once: from then on no key is handed out for it, and no late try changes the owner."""
        async with self._db.writing() as rows:
            row = await transfers.get(rows, turn.transfer_id)
            state = TransferState(row.state)
            if state in FINAL:
                raise ended_by_this_run(state)
            changed = await charge_points.change_of(rows, turn.transfer_id, "transfer") is not None
            proof = await self._withdraw(rows, row) if state is TransferState.RECONFIGURING else Proof()
            revoked = changed and Connection(row.connection) is Connection.DELETE
            back = state is TransferState.ROLLING_BACK or not (proof.proven or proof.handed_out or revoked)
            if back:
                transfers.enter(row, TransferState.ROLLING_BACK, datetime.now(UTC))
                row.reason, row.attention, row.waiting_until = turn.reason.value, Attention.NONE.value, None
                await audit.append(
                    rows,
                    turn.transfer_id,
                    actor=Actor(turn.actor),
                    action=TrailAction.ROLLING_BACK,
                    once=trail.noted(TrailAction.ROLLING_BACK, ""),
                )
            again = row.run_id != turn.run_id
            return Turned(proven=proof.proven, handed_out=proof.handed_out, back=back, changed=changed, again=again)

    async def restore_ownership(self, ref: TransferRef) -> Changed:
        """Restore once: the ledger has one `roll_back` entry per transfer; nothing where it never changed."""
        async with self._db.writing() as rows:
            row = await transfers.get(rows, ref.transfer_id)
            present = await charge_points.lock(rows, ChargePointId(row.charge_point_id))
            now = datetime.now(UTC)
            changed = await charge_points.change_of(rows, ref.transfer_id, "transfer")
            if changed is None or await charge_points.change_of(rows, ref.transfer_id, "roll_back"):
                return Changed(version=present.version)
            version = await charge_points.change_holding(
                rows,
                present,
                Holding(UserId(row.from_owner_id), GroupId(row.from_group_id)),
                transfer_id=ref.transfer_id,
                change="roll_back",
                now=now,
                owner_since=row.from_owner_changed_at,
                owner_version=row.from_owner_version,
            )
            until = UntilNewKey(row.from_until_new_key) if row.from_until_new_key else None
            await credentials.restore(rows, present.id, until)
            await audit.append(
                rows,
                ref.transfer_id,
                actor=SYSTEM,
                action=TrailAction.OWNERSHIP_RESTORED,
                once=trail.once(TrailAction.OWNERSHIP_RESTORED),
                detail={"version": version, "owner_id": row.from_owner_id, "group_id": row.from_group_id},
            )
            return Changed(version=version)

    async def withdraw_credentials(self, ref: TransferRef) -> Proof:
        """Withdraw this transfer's key and no other's; nothing where it is proven, was dropped, or was handed out.

        From then on none is handed out for it.
        """
        async with self._db.writing() as rows:
            return await self._withdraw(rows, await transfers.get(rows, ref.transfer_id))

    async def _withdraw(self, rows: AsyncSession, row: Transfer) -> Proof:
        point, ref = ChargePointId(row.charge_point_id), TransferRef(transfer_id=TransferId(row.id))
        await credentials.withdraw(rows, point, ref.transfer_id, datetime.now(UTC))
        proof = await self._proof(rows, point, ref)
        if not proof.proven and not proof.handed_out:
            row.new_key = None
        return proof

    async def leave_credentials_due(self, ref: TransferRef) -> Proof:
        """Mark this transfer's unproven key; the same again, and nothing where it is proven or withdrawn."""
        async with self._db.writing() as rows:
            point = await transfers.charge_point_of(rows, ref.transfer_id)
            await credentials.leave_due(rows, point, ref.transfer_id)
            return await self._proof(rows, point, ref)

    async def await_new_key(self, ref: TransferRef) -> Proof:
        """Set what the old key opens, once: a repeat finds no key of this transfer pending."""
        async with self._db.writing() as rows:
            point = await transfers.charge_point_of(rows, ref.transfer_id)
            proof = await self._proof(rows, point, ref)
            if not proof.proven:
                choice = await transfers.await_new_key(rows, ref.transfer_id)
                await credentials.await_new_key(rows, point, ref.transfer_id, choice, datetime.now(UTC))
            return proof

    async def _proof(self, rows: AsyncSession, point: ChargePointId, ref: TransferRef) -> Proof:
        status = await credentials.status(rows, point, ref.transfer_id)
        return Proof(proven=status.proven, handed_out=status.handed_out)

    async def finish(self, end: Finish) -> Finished:
        """Write the outcome once, and let sessions start whatever happened before."""
        async with self._db.writing() as rows:
            row = await transfers.get(rows, end.transfer_id)
            if TransferState(row.state) in FINAL:
                return Finished(state=TransferState(row.state))
            if end.absent_after is not None:
                whereabouts.check_absence(end, (await whereabouts.read(rows, end)).place)
            transfers.enter(row, end.state, datetime.now(UTC))
            row.reason = end.reason.value if end.reason else None
            row.warnings = [warning.value for warning in end.warnings]
            row.due = not DUE.isdisjoint(end.warnings)
            await charge_points.allow_sessions(rows, ChargePointId(row.charge_point_id), end.transfer_id)
            await steps.close(rows, end.transfer_id, changes_of(end.steps))
            await outbox.queue(rows, end.transfer_id, [outbox.Letter(Subject.ENDED)])
            await audit.append(
                rows,
                end.transfer_id,
                actor=SYSTEM,
                action=trail.of_state(end.state),
                once=trail.FINISHED,
                detail={"reason": row.reason} if row.reason else {"warnings": ",".join(row.warnings)},
            )
            return Finished(state=end.state)

    async def locate(self, ref: TransferRef) -> Whereabouts:
        """Only reads."""
        async with self._db.reading() as rows:
            return await whereabouts.look(rows, ref)

    async def credentials(self, ref: TransferRef) -> CredentialsStatus:
        """Only reads."""
        async with self._db.reading() as rows:
            status = await credentials.status(rows, transfers.point_of(ref.transfer_id), ref.transfer_id)
            known = status.answer if status.has_key else KeyAnswer.REJECTED
            return CredentialsStatus(
                answer=KeyAnswer(known) if known else None,
                answer_counts=status.answer_counts or not status.has_key,
                proven=status.proven,
                handed_out=status.handed_out,
                old_key_returns=status.old_key_returns,
                where=await whereabouts.look(rows, ref),
            )


async def _block_sessions(rows: AsyncSession, row: Transfer) -> bool:
    """Let no charging session begin where the charger is to be made quiet now, before the change; whether it is."""
    if TransferState(row.state) is not TransferState.TRANSFERRING or not steps_of(row).quiet:
        return False
    await charge_points.block_sessions(rows, ChargePointId(row.charge_point_id), TransferId(row.id))
    return True
