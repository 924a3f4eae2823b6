"""What the owner of a charge point has done at its charger: new credentials, a fresh key, a restart."""

import secrets
from contextlib import suppress

from api.dependencies import Backend, act_id
from domain.actors import Actor, operator, user
from domain.charger_orders import ChargerOrder, check_asker, check_keeper
from domain.errors import Unavailable
from domain.ids import ChargePointId, OrderId, UserId
from domain.news import OwnerNews
from domain.orders import OrderAct
from domain.trail import of_charge_point
from persistence.intake.idempotency import Repeatable
from persistence.intake.orders import NewOrder
from persistence.people.callers import Caller
from persistence.vault import fingerprint
from persistence.views.reads import ChargePointView
from workflows.messages import NEW_KEY


async def connect_afresh(
    backend: Backend, caller: Caller, point: ChargePointId, key: str | None
) -> tuple[ChargePointView, str]:
    """Make new credentials, and give the charge point with its password, this once; a repeat gives the same."""
    view = await backend.reads.charge_point(caller, point)
    check_keeper(view.owner_id, caller.id, operator=caller.operator, wish="make new credentials for it")
    call = Repeatable(caller.id, key, f"connect {point}".encode())
    tells = caller.id != view.owner_id or view.active_transfer_id is not None
    if tells and not await backend.transfers.ready():  # nothing is changed of which nobody would be told
        raise Unavailable("The charge point's owner could not be told of it now; try again in a moment.")
    afresh = await backend.issuing.connect_afresh(call, point, view.owner_id, actor=_acting(caller, view.owner_id))
    if afresh.transfer_id is not None:  # the key is on record: one that does not hear of it now looks by itself
        with suppress(Unavailable):
            await backend.transfers.tell_charger_news(afresh.transfer_id, point, NEW_KEY)
    if tells:
        occasion = fingerprint(f"{caller.id} {key}")[:16] if key else secrets.token_hex(8)
        await backend.chargers.tell_owner(point, OwnerNews.RESET, occasion=occasion)
    return view, afresh.password


async def order(
    backend: Backend, caller: Caller, point: ChargePointId, order: ChargerOrder, key: str | None
) -> OrderId:
    """Write whose order it is, who are looked at again where it is done; raises where it is not theirs to give.

    Whether the charger may be told now is seen there, too.
    """
    view = await backend.reads.charge_point(caller, point)
    check_asker(order, view.owner_id, caller.id, operator=caller.operator)
    given = NewOrder(
        of_charge_point(point),
        OrderAct(order.value),
        _acting(caller, view.owner_id),
        None if caller.operator else caller.id,
        request_id=act_id(caller, key),
    )
    return await backend.orders.give(Repeatable(caller.id, key, f"{order.value} {point}".encode()), given)


def _acting(caller: Caller, owner_id: UserId) -> Actor:
    """Name who acts, as the trail does: an owner who is staff, too, acts as the owner."""
    return user(caller.id) if caller.id == owner_id else operator(caller.id)
