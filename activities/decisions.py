"""A decision's way into the register, and a resend's: whose order it is, whether they may, and what it leads to."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.registry import Decided, DecisionRecord, Taken
from activities.rows import parties_of, progress_of, steps_of
from domain import trail
from domain.actors import SYSTEM, TEMPORAL_UI, Actor
from domain.approval import Decision
from domain.errors import NotAllowed, NotPossible, Refusal
from domain.ids import GroupId, LinkId, OrderId, TransferId, UserId
from domain.kinds import Decider, FoundBy, TransferKind, rules_of
from domain.letters import Subject
from domain.orders import OrderAct
from domain.recipient import Standing
from domain.rights import Role, check_recipient
from domain.trail import TrailAction
from domain.transfer import FINAL, Reason, StepName, StepState, TransferState, UntilNewKey
from domain.transitions import ACTION_OF, Action, check, check_theirs
from persistence.intake import orders
from persistence.links import approvals
from persistence.people import accounts
from persistence.tables import Order, Transfer
from persistence.transfers import audit, eligibility, outbox, recipients, steps, transfers
from persistence.transfers.eligibility import Facts
from persistence.transfers.recipients import Recipient
from persistence.transfers.steps import StepChange
from persistence.vault import Vault

_ENDS = {
    Decision.DECLINE: (TransferState.DECLINED, Reason.DECLINED),
    Decision.EXPIRE: (TransferState.EXPIRED, Reason.EXPIRED),
    Decision.CANCEL: (TransferState.CANCELLED, Reason.CANCELLED),
}
#: After which it is known who the recipient is: to be told of the end, and named to nobody else.
_ANSWERS = frozenset({Decision.ACCEPT, Decision.DECLINE})


@dataclass(frozen=True)
class Party:
    """Who decides, as their order says; the clock and the Temporal UI need none."""

    actor: Actor
    order_id: OrderId | None = None
    user_id: UserId | None = None
    """Whose right to decide is checked; None for the clock, an operator, and a link that binds its own recipient."""
    link_id: LinkId | None = None
    choice: UntilNewKey | None = None


async def party_of(rows: AsyncSession, record: DecisionRecord) -> Party | None:
    """Read who decides; None where that takes an order, and there is none. A cancel may come from the Temporal UI."""
    decision, subject = record.decision, record.transfer_id
    if decision is Decision.EXPIRE:
        return Party(SYSTEM)
    order = await orders.find(rows, subject, OrderAct(decision.value), record.order_id)
    if order is None and decision is Decision.CANCEL:
        return await _cancelling(rows, record)
    if order is None:
        return None
    orders.check(order)
    orders.prove(order, trail.decided(decision, Actor(order.actor)))
    return Party(
        actor=Actor(order.actor),
        order_id=OrderId(order.id),
        user_id=UserId(order.user_id) if order.user_id else None,
        link_id=LinkId(order.link_id) if order.link_id else None,
        choice=UntilNewKey(order.choice) if order.choice else None,
    )


async def _cancelling(rows: AsyncSession, record: DecisionRecord) -> Party:
    """Say who cancels without an order for that: an operator whose roll-back it is, or the Temporal UI."""
    order = await orders.find(rows, record.transfer_id, OrderAct.ROLL_BACK, record.order_id)
    if order is None or order.carried_out_as is not None or order.refusal is not None:
        return Party(TEMPORAL_UI)
    return Party(Actor(order.actor), OrderId(order.id))


async def decide(rows: AsyncSession, vault: Vault, row: Transfer, record: DecisionRecord, party: Party) -> Decided:
    """Take the decision, if it is the first and the party's to take; a repeat gives the state that it led to then.

    The transfer's `row` is locked.
    """
    once = trail.decided(record.decision, party.actor)
    known = await audit.action_of(rows, record.transfer_id, once)
    if known is None:
        user_id, actor = await _check(rows, vault, row, record.decision, party), party.actor
        if record.decision is not Decision.ACCEPT:
            await _end(rows, row, *_ENDS[record.decision])
        elif user_id is None:
            raise NotPossible("There is no usable account with this address yet; open one with it, then accept.")
        elif facts := await _still_given(rows, vault, row):
            await _accept(rows, facts, row, user_id)
            row.until_new_key = (party.choice or UntilNewKey.SERVE).value
        else:
            actor = SYSTEM
            await _end(rows, row, TransferState.CANCELLED, Reason.RIGHTS_LOST)
        if user_id is not None and record.decision in _ANSWERS and row.to_owner_id is None:
            row.to_owner_id, row.to_group_id = user_id, await accounts.personal_group(rows, user_id)
        known = trail.of_state(TransferState(row.state))
        await audit.append(rows, record.transfer_id, actor=actor, action=known, order_id=party.order_id, once=once)
    at_charger = steps_of(row)
    return Decided(
        state=TransferState(known),
        order_id=party.order_id,
        quiet=at_charger.quiet,
        lists=at_charger.lists,
        rotate=at_charger.rotate,
        until_new_key=UntilNewKey(row.until_new_key),
    )


async def resend(rows: AsyncSession, order: Order) -> None:
    """Raise the generation of the links, and have these sent, while somebody is asked; a repeat raises nothing.

    An operator's right was checked with their key.
    """
    transfer_id, order_id = TransferId(order.subject), OrderId(order.id)
    row = await transfers.get(rows, transfer_id)
    once = trail.resent(order_id)
    if await audit.action_of(rows, transfer_id, once) is None:
        orders.check(order)
        check(Action.RESEND, progress_of(row, datetime.now(UTC)))
        if order.user_id is not None:
            check_theirs(Action.RESEND, parties_of(row), UserId(order.user_id))
        row.link_generation += 1
        orders.prove(order, once)
        await audit.append(
            rows,
            transfer_id,
            actor=Actor(order.actor),
            action=TrailAction.RESENT,
            detail={"generation": row.link_generation},
            order_id=order_id,
            once=once,
        )
        await outbox.queue(rows, transfer_id, [outbox.Letter(Subject.ASKED, row.link_generation)])


async def resent(rows: AsyncSession, transfer_id: TransferId) -> tuple[OrderId, ...]:
    """List every order to resend so far. Only reads."""
    known = [trail.read_resent(once) for once, _ in await audit.once_only(rows, transfer_id)]
    return tuple(order_id for order_id in known if order_id is not None)


async def taken(rows: AsyncSession, transfer_id: TransferId) -> tuple[Taken, ...]:
    """List the decisions on a transfer so far, and what each led to. Only reads."""
    given, found = await orders.given_by(rows, transfer_id), []
    for once, action in await audit.once_only(rows, transfer_id):
        if (known := trail.read_decided(once)) is not None:
            decision, actor = known
            order_id = given.get((decision.value, actor))
            found.append(Taken(decision=decision, order_id=order_id, state=TransferState(action)))
    return tuple(found)


async def _check(rows: AsyncSession, vault: Vault, row: Transfer, decision: Decision, party: Party) -> UserId | None:
    """Refuse what is decided already or not the party's; give the user who decides, where they are one."""
    act = ACTION_OF[decision]
    check(act, progress_of(row, datetime.now(UTC)))
    owners = await accounts.members(rows, GroupId(row.to_group_id or ""), Role.OWNER)
    if party.link_id is not None:
        return await _holder(rows, vault, row, decision, party.link_id, owners)
    if party.user_id is not None:
        recipient = UserId(row.to_owner_id) if row.to_owner_id else (await _recipient(rows, vault, row)).acceptor
        check_theirs(act, parties_of(row, recipient, owners), party.user_id)
    return party.user_id


async def _holder(
    rows: AsyncSession,
    vault: Vault,
    row: Transfer,
    decision: Decision,
    link_id: LinkId,
    owners: frozenset[UserId],
) -> UserId | None:
    """Give the user a link was sent to; None for an address without a usable account, which may only decline."""
    link = await approvals.valid_link(rows, link_id)
    if link is None or link.transfer_id != row.id or decision is Decision.CANCEL:
        raise NotAllowed("This link is not valid any more; use the newest one.")
    decider = rules_of(TransferKind(row.kind)).decider
    match decider:
        case Decider.TARGET_GROUP_OWNERS:
            holder = next((owner for owner in owners if approvals.owner_channel(owner) == link.channel), None)
            if holder is None:
                raise NotAllowed("Only an owner of the target group may decide; you are none any more, so ask one.")
            return holder
        case Decider.RECIPIENT if row.to_owner_id:
            return UserId(row.to_owner_id)
        case Decider.RECIPIENT:
            recipient = await _recipient(rows, vault, row)
            if decision is Decision.ACCEPT and recipient.standing is Standing.OWNER:
                raise NotPossible("The charge point is yours already; there is nothing to accept.")
            return recipient.acceptor
        case _:
            assert_never(decider)


async def _recipient(rows: AsyncSession, vault: Vault, row: Transfer) -> Recipient:
    """Look the recipient up as they act: an address that had no usable account at the request may have one now."""
    known = row.to_owner_id is not None
    request = None if known else (await transfers.requested(rows, vault, TransferId(row.id))).request
    return await recipients.find(rows, row, request)


async def _still_given(rows: AsyncSession, vault: Vault, row: Transfer) -> Facts | None:
    """Give what the acceptance rests on; None where whoever asked may not do so any more: it can lead to nothing."""
    try:
        facts = await eligibility.gather(rows, await transfers.requested(rows, vault, TransferId(row.id)))
        await eligibility.check_rights(rows, facts)
    except Refusal:
        return None
    return facts


async def _accept(rows: AsyncSession, facts: Facts, row: Transfer, actor_id: UserId) -> None:
    """Bind the recipient, who must be usable now."""
    group = await accounts.usable_group(rows, actor_id)
    if group is None:
        raise NotPossible("Your account is not active, so it can't accept a charge point; ask our support.")
    if rules_of(TransferKind(row.kind)).found_by is FoundBy.RECIPIENT:
        after = check_recipient(facts.charge_point, facts.sender, actor_id, group)
        row.to_owner_id, row.to_group_id = after.owner_id, after.group_id
    row.accepted_by = actor_id
    transfers.enter(row, TransferState.TRANSFERRING, datetime.now(UTC))
    await steps.note(rows, TransferId(row.id), [StepChange(StepName.ASK_RECIPIENT, StepState.DONE)])
    await outbox.queue(rows, TransferId(row.id), [outbox.Letter(Subject.ACCEPTED)])


async def _end(rows: AsyncSession, row: Transfer, state: TransferState, reason: Reason) -> None:
    """End the wait, and skip what it was for; a cancel of a transfer that runs rolls it back."""
    if TransferState(row.state) is TransferState.TRANSFERRING:
        state = TransferState.ROLLING_BACK
    transfers.enter(row, state, datetime.now(UTC))
    row.reason = reason.value
    if state in FINAL:
        await steps.close(rows, TransferId(row.id))
        await outbox.queue(rows, TransferId(row.id), [outbox.Letter(Subject.ENDED)])
