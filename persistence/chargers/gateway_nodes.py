"""Which gateway nodes are alive: each writes signs by the database's clock, and a steady one may miss another's."""

from collections.abc import Collection
from datetime import timedelta
from functools import cache
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, case, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from domain.ids import NodeId
from persistence.clock import Now, SecondsBetween
from persistence.inserts import insert_into
from persistence.tables import GatewayNode

#: How often a node writes its sign.
SIGN_EVERY: Final = timedelta(seconds=5)
#: A sign that comes later than this after the last one makes its node begin anew to be steady.
LATE_AFTER: Final = timedelta(seconds=10)
#: For how long a node must have written without a late sign before it may say that another one has not.
STEADY_AFTER: Final = timedelta(seconds=15)
#: A node whose sign is so much older than a steady node's has lost its sockets.
SILENT_AFTER: Final = timedelta(seconds=15)
#: A node that has been silent for so long does not come back under its name, or comes back without its sockets.
FORGOTTEN_AFTER: Final = timedelta(days=1)


async def sign(rows: AsyncSession, node: NodeId) -> None:
    """Write that the node is alive now."""
    late = SecondsBetween(GatewayNode.seen_at, Now()) > LATE_AFTER.total_seconds()
    steady_since = case((late, Now()), else_=GatewayNode.steady_since)
    statement = (
        insert_into(rows, GatewayNode)
        .values(node=node, seen_at=Now(), steady_since=Now())
        .on_conflict_do_update(index_elements=["node"], set_={"seen_at": Now(), "steady_since": steady_since})
    )
    await rows.execute(statement)


@cache
def dead_nodes() -> Select[str]:
    """Give the query for the nodes that have lost their sockets: a part of many others, and made once.

    Time in which no node could write doesn't count: after it none is steady at first. Of a node that never wrote a sign
    nothing is known, so it counts as alive.
    """
    silent, steady = aliased(GatewayNode), aliased(GatewayNode)
    lasting = SecondsBetween(steady.steady_since, steady.seen_at) >= STEADY_AFTER.total_seconds()
    latest = select(func.max(steady.seen_at)).where(lasting).correlate(None).scalar_subquery()  # once, not for each
    return (
        select(silent.node).where(SecondsBetween(silent.seen_at, latest) > SILENT_AFTER.total_seconds()).correlate(None)
    )


@cache
def is_alive(node: InstrumentedAttribute[str | None]) -> ColumnElement[bool]:
    """Give the condition that a column names a node, and one that is alive."""
    return and_(node.is_not(None), node.not_in(dead_nodes()))


async def long_dead(rows: AsyncSession) -> list[NodeId]:
    """Give the nodes that are dead since yesterday: what they held is to be released. Only reads."""
    old = SecondsBetween(GatewayNode.seen_at, Now()) > FORGOTTEN_AFTER.total_seconds()
    lost = await rows.scalars(select(GatewayNode.node).where(GatewayNode.node.in_(dead_nodes()), old))
    return [NodeId(node) for node in lost]


async def forget(rows: AsyncSession, nodes: Collection[NodeId]) -> None:
    """Forget nodes, and when they gave their last sign: by that it was told when what they held was over."""
    await rows.execute(
        delete(GatewayNode).where(GatewayNode.node.in_(nodes)), execution_options={"synchronize_session": False}
    )
