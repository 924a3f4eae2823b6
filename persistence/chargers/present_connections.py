"""Which gateway node holds a charger's socket: claimed by the newest, released by nobody but its holder.

Only a socket of a node that is alive is open; a node's own sockets are its own to judge (`statuses`).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import ColumnElement, CursorResult, String, and_, case, func, not_, select, update
from sqlalchemy import cast as cast_to
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger_clock import ClockShown
from domain.ids import ChargePointId, NodeId
from domain.transfer import UntilNewKey
from persistence.chargers import charger_connections, gateway_nodes
from persistence.chargers.charger_keys import KeyState
from persistence.chargers.gateway_nodes import is_alive
from persistence.inserts import insert_into
from persistence.tables import ChargePoint, Credential, PresentConnection


class Place(NamedTuple):
    """Where a charger is; `node` is None while it is offline, `generation` 0 if it never connected."""

    node: NodeId | None
    generation: int
    quarantined: bool


class ConnectionStatus(NamedTuple):
    """What a socket's right rests on: the newest claim (`online`: it was not released), and the charger's keys."""

    generation: int = 0
    online: bool = False
    keyed: bool = False
    """A key opens a connection for the charger; none does once its connection is deleted."""
    revoked_at: datetime | None = None
    """When the last key was revoked."""
    unsettled: bool = False
    """A key that it may hold was withdrawn since it connected: which one it uses shows when it connects again."""
    shut: bool = False
    """It is an ordinary connection, and its key opens no more than one in quarantine by now."""
    credential_id: str | None = None
    """The key that the newest claim came with, and from where."""
    address: str | None = None

    def good(self, generation: int) -> bool:
        """Whether a socket of this generation may do what an ordinary one may."""
        return self.keyed and not self.shut and self.generation == generation


#: What no row has whose place nobody waits for.
NO_CONTENDER: Final = {
    "contender": None,
    "contender_node": None,
    "contender_address": None,
    "contended_at": None,
    "contender_answered": False,
}


@cache
def is_open() -> ColumnElement[bool]:
    """Give the condition on links that a socket is open: it was not released, and its node is alive."""
    return is_alive(PresentConnection.node)


@cache
def is_released() -> ColumnElement[bool]:
    """Give the condition on links that an ordinary connection is open: what `connected` means."""
    return and_(is_open(), PresentConnection.quarantined.is_(False))


@cache
def is_contended() -> ColumnElement[bool]:
    """Give the condition on links that another socket waits for the place."""
    return and_(PresentConnection.contender.is_not(None), is_alive(PresentConnection.contender_node))


async def claim(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    node: NodeId,
    *,
    credential_id: str,
    address: str,
    quarantined: bool,
    now: datetime,
) -> int:
    """Take the charger's connection, opened with a key from an address, for `node`; nobody waits for it any more.

    Gives its generation, higher than any before.
    """
    values = {
        "node": node,
        "quarantined": quarantined,
        "credential_id": credential_id,
        "address": address,
        "connected_at": now,
        "disconnected_at": None,
        **NO_CONTENDER,
    }
    statement = (
        insert_into(rows, PresentConnection)
        .values(charge_point_id=charge_point_id, generation=1, **values)
        .on_conflict_do_update(
            index_elements=["charge_point_id"], set_={"generation": PresentConnection.generation + 1, **values}
        )
        .returning(PresentConnection.generation)
    )
    generation = int((await rows.execute(statement)).scalar_one())
    await charger_connections.begin(rows, charge_point_id, generation, node, now, quarantined=quarantined)
    return generation


async def release(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    generation: int,
    now: datetime,
    shown: ClockShown | None = None,
) -> bool:
    """Say that the connection of `generation` has ended; False, and nothing changed, where a newer one was claimed.

    `shown` is what it has told of the charger's clock.
    """
    values = {"node": None, "quarantined": False, "disconnected_at": now}
    changed = await _change(rows, charge_point_id, generation, **values)  # first, as a claim does
    await charger_connections.end(rows, charge_point_id, generation, now, shown)
    return changed


async def lift_quarantine(rows: AsyncSession, charge_point_id: ChargePointId, generation: int, now: datetime) -> bool:
    """Make the connection of `generation` an ordinary one; False where a newer one was claimed."""
    if not await _change(rows, charge_point_id, generation, quarantined=False):
        return False
    await charger_connections.release(rows, charge_point_id, generation, now)
    return True


async def clear_node(rows: AsyncSession, node: NodeId, now: datetime) -> None:
    """Release whatever a former process of this node held when it died, and let none of its sockets wait any more."""
    held = (
        update(PresentConnection)
        .where(PresentConnection.node == node)
        .values(node=None, quarantined=False, disconnected_at=now)
    )
    waiting = update(PresentConnection).where(PresentConnection.contender_node == node).values(**NO_CONTENDER)
    for statement in (held, waiting):
        await rows.execute(statement, execution_options={"synchronize_session": False})
    await charger_connections.end_on(rows, node, now)


async def clear_dead(rows: AsyncSession, now: datetime) -> None:
    """Release what nodes held that are dead since yesterday, as of their last sign of life, and forget them."""
    lost = await gateway_nodes.long_dead(rows)
    for node in lost:
        await clear_node(rows, node, now)
    await gateway_nodes.forget(rows, lost)


async def whereabouts(rows: AsyncSession, charge_point_id: ChargePointId) -> Place:
    """Say where the charger is. Only reads."""
    query = select(*PLACE, is_open()).where(PresentConnection.charge_point_id == charge_point_id)
    row = (await rows.execute(query)).one_or_none()
    return place_of(*(row or (None, None, None, False)))


#: The columns that `place_of` takes, before whether it is open.
PLACE: Final = (PresentConnection.node, PresentConnection.generation, PresentConnection.quarantined)


def place_of(node: str | None, generation: int | None, quarantined: bool | None, is_open_: bool | None) -> Place:
    """Make a Place of its columns; all are None where the charger never connected."""
    if not is_open_:
        return Place(None, generation or 0, quarantined=False)
    return Place(NodeId(node or ""), generation or 0, bool(quarantined))


@cache
def _rights() -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
    """Give the conditions on links and their charge points: `keyed`, `unsettled`, `shut` of a ConnectionStatus."""
    living = and_(Credential.charge_point_id == PresentConnection.charge_point_id, Credential.state != KeyState.REVOKED)
    withdrawn = and_(
        living, Credential.state == KeyState.PENDING, Credential.withdrawn_at > PresentConnection.connected_at
    )
    shut = and_(
        Credential.id == PresentConnection.credential_id,
        Credential.version < ChargePoint.owner_version,
        ChargePoint.until_new_key == UntilNewKey.QUARANTINE,
        PresentConnection.quarantined.is_(False),
    )
    return (
        select(Credential.id).where(living).correlate(PresentConnection).exists(),
        select(Credential.id).where(withdrawn).correlate(PresentConnection).exists(),
        select(Credential.id).where(shut).correlate(PresentConnection, ChargePoint).exists(),
    )


async def statuses(
    rows: AsyncSession, charge_point_ids: Collection[ChargePointId]
) -> dict[ChargePointId, ConnectionStatus]:
    """Say for each of these chargers what its sockets' right rests on. One query; only reads."""
    revoked = select(func.max(Credential.revoked_at)).where(
        Credential.charge_point_id == PresentConnection.charge_point_id
    )
    keyed, unsettled, shut = _rights()
    query = (
        select(
            PresentConnection.charge_point_id,
            PresentConnection.generation,
            PresentConnection.node.is_not(None),
            keyed,
            revoked.correlate(PresentConnection).scalar_subquery(),
            unsettled,
            shut,
            PresentConnection.credential_id,
            PresentConnection.address,
        )
        .join(ChargePoint, ChargePoint.id == PresentConnection.charge_point_id)
        .where(PresentConnection.charge_point_id.in_(charge_point_ids))
    )
    found = (await rows.execute(query)).all() if charge_point_ids else ()
    return {
        ChargePointId(row[0]): ConnectionStatus(
            row[1], bool(row[2]), bool(row[3]), row[4], bool(row[5]), bool(row[6]), row[7], row[8]
        )
        for row in found
    }


def claim_of(charge_point_id: ChargePointId, generation: int) -> str:
    """Name a claim: no id of a charge point has a colon, or a blank."""
    return f"{charge_point_id}:{generation}"


async def good_at(rows: AsyncSession, node: NodeId) -> set[str]:
    """Name each claim of a node with which nothing is wrong. One query, and one row: a node has thousands. Reads."""
    keyed, unsettled, shut = _rights()
    name = PresentConnection.charge_point_id + ":" + cast_to(PresentConnection.generation, String)
    query = (
        select(func.aggregate_strings(name, " "))
        .join(ChargePoint, ChargePoint.id == PresentConnection.charge_point_id)
        .where(PresentConnection.node == node, keyed, not_(unsettled), not_(shut))
    )
    return set((await rows.scalar(query) or "").split(" "))


async def status(rows: AsyncSession, charge_point_id: ChargePointId) -> ConnectionStatus:
    """Say what the right of one charger's sockets rests on. Only reads."""
    return (await statuses(rows, [charge_point_id])).get(charge_point_id, ConnectionStatus())


async def model_of(rows: AsyncSession, charge_point_id: ChargePointId) -> str | None:
    """Give the model that a charger says it is. Only reads."""
    query = select(ChargePoint.model).where(ChargePoint.id == charge_point_id)
    return (await rows.execute(query)).scalar_one_or_none()


async def online_among(rows: AsyncSession, charge_point_ids: Collection[ChargePointId]) -> set[ChargePointId]:
    """Say which of these chargers have a connection. Only reads."""
    query = select(PresentConnection.charge_point_id).where(
        PresentConnection.charge_point_id.in_(charge_point_ids), is_open()
    )
    return {ChargePointId(found) for found in await rows.scalars(query)}


async def record_boot(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    *,
    ocpp: str,
    vendor: str,
    model: str,
    firmware: str | None,
    serials: Sequence[str],
    now: datetime,
) -> None:
    """Keep what a charger says about itself when it starts; with another firmware it may take keys that it refused."""
    said = {"ocpp": ocpp, "vendor": vendor, "model": model, "firmware": firmware, "serials": list(serials)}
    same = ChargePoint.firmware.is_not_distinct_from(firmware)
    rotates = case((same, ChargePoint.rotates), else_=None)
    statement = (
        update(ChargePoint).where(ChargePoint.id == charge_point_id).values(**said, booted_at=now, rotates=rotates)
    )
    await rows.execute(statement, execution_options={"synchronize_session": False})


async def _change(rows: AsyncSession, charge_point_id: ChargePointId, generation: int, **values: Any) -> bool:
    held = (
        PresentConnection.charge_point_id == charge_point_id,
        PresentConnection.generation == generation,
        PresentConnection.node.is_not(None),
    )
    result = await rows.execute(
        update(PresentConnection).where(*held).values(**values), execution_options={"synchronize_session": False}
    )
    return cast("CursorResult[Any]", result).rowcount == 1
