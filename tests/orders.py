"""Orders as the API writes them, for what is tried without it."""

from datetime import UTC, datetime
from typing import Any

from domain.actors import Actor, ActorKind
from domain.ids import OrderId, UserId
from domain.orders import OrderAct
from domain.trail import TrailSubject
from persistence.intake import orders
from persistence.intake.orders import NewOrder
from persistence.session import Database


async def give(db: Database, subject: TrailSubject, act: str, actor: str, **more: Any) -> OrderId:
    """Give an order as `actor`: a `user:<id>`, whose right is checked, an `operator:<id>` or a `link:<id>`."""
    who = Actor(actor)
    user_id = UserId(who.id) if who.kind is ActorKind.USER else None
    new = NewOrder(subject, OrderAct(act), who, user_id, **more)
    async with db.writing() as rows:
        return await orders.give(rows, new, datetime.now(UTC))
