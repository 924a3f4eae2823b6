"""Orders: written by whoever knows who gives them, read by whoever carries them out.

Every function works in the caller's transaction and leaves the commit to it.
"""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.actors import TEMPORAL_UI, Actor
from domain.errors import REFUSALS, Refusal
from domain.ids import ID_PATTERN, LinkId, OrderId, UserId
from domain.orders import OrderAct
from domain.trail import TrailAction, TrailSubject
from persistence.inserts import insert_into
from persistence.tables import Order
from persistence.transfers import audit


@dataclass(frozen=True)
class NewOrder:
    """An order to be given; the columns of persistence.tables.Order."""

    subject: TrailSubject
    act: OrderAct
    actor: Actor
    user_id: UserId | None = None
    link_id: LinkId | None = None
    request_id: str | None = None
    reason: str | None = None
    choice: str | None = None


async def give(rows: AsyncSession, new: NewOrder, now: datetime) -> OrderId:
    """Write an order, or find the one that this repeats: as long as it is not carried out, the later choice counts.

    One that was refused is given anew, as another one: what it rested on may have changed since.

    What has no `request_id` is given by each actor once, the rest by each once under one.
    """
    values = asdict(new) | {"id": _new_id(), "act": new.act.value, "at": now}
    statement = insert_into(rows, Order).values(values).on_conflict_do_nothing().returning(Order.id)
    written = (await rows.execute(statement)).scalar_one_or_none()
    if written is not None:
        return OrderId(written)
    same = Order.request_id.is_(None) if new.request_id is None else Order.request_id == new.request_id
    given = (Order.subject == new.subject, Order.act == new.act.value, Order.actor == new.actor, same)
    wanted = select(Order).where(*given).with_for_update()
    row = (await rows.scalars(wanted)).one()
    if row.refusal is not None:
        anew = _new_id()
        values = {"id": anew, "refusal": null(), "choice": new.choice, "reason": new.reason, "at": now}
        await rows.execute(update(Order).where(Order.id == row.id).values(values))
        return OrderId(anew)
    row.at = now
    if row.carried_out_as is None and new.choice is not None:
        row.choice = new.choice
    return OrderId(row.id)


def _new_id() -> str:
    return f"ord_{secrets.token_hex(16)}"


async def find(rows: AsyncSession, subject: TrailSubject, act: OrderAct, order_id: OrderId | None) -> Order | None:
    """Read an order that has this done to `subject`; None where there is no such order.

    Whatever stands in an id's place may have been sent by anybody: what can be none is not looked for.
    """
    if order_id is None or ID_PATTERN.fullmatch(order_id) is None:
        return None
    it = (Order.id == order_id, Order.subject == subject, Order.act == act.value)
    return (await rows.scalars(select(Order).where(*it).with_for_update())).one_or_none()


async def refuse(
    rows: AsyncSession, subject: TrailSubject, act: OrderAct, order_id: OrderId | None, refusal: Refusal
) -> None:
    """Keep what an order that was not carried out was refused with: it has no other answer from now on."""
    order = await find(rows, subject, act, order_id)
    if order is not None and order.carried_out_as is None and order.refusal is None:
        order.refusal = {"code": refusal.code.value, "message": refusal.message}


def check(order: Order) -> None:
    """Raise what an order was refused with before."""
    if order.refusal is not None:
        raise REFUSALS[order.refusal["code"]](order.refusal["message"])


def prove(order: Order | None, mark: str) -> Order | None:
    """Take an order as the proof of the entry `mark` of the audit trail; None where it was another's before."""
    if order is None or order.carried_out_as not in {None, mark}:
        return None
    order.carried_out_as = mark
    return order


async def note_unproven(rows: AsyncSession, subject: TrailSubject, act: OrderAct) -> None:
    """Write that somebody had this tried whose order is not on record, once for each act."""
    await audit.append(
        rows,
        subject,
        actor=TEMPORAL_UI,
        action=TrailAction.UNPROVEN,
        detail={"act": act.value},
        once=trail.unproven(act),
    )


async def given_by(rows: AsyncSession, subject: TrailSubject) -> dict[tuple[str, Actor], OrderId]:
    """Give the decisions that were ordered on a transfer, by act and actor. Only reads."""
    wanted = select(Order.act, Order.actor, Order.id).where(Order.subject == subject, Order.request_id.is_(None))
    return {(act, Actor(actor)): OrderId(found) for act, actor, found in await rows.execute(wanted)}
