"""Who waits for a charger's place: a socket that came with a key that people know, while another one is open.

It is on record beside the place, so that any two nodes settle it: the place's node asks whether its socket is there.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, CursorResult, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ChargePointId, NodeId
from persistence.chargers.charger_keys import KeyState
from persistence.chargers.present_connections import NO_CONTENDER, is_contended, is_open
from persistence.clock import Now, SecondsBetween
from persistence.inserts import insert_into
from persistence.tables import Credential, PresentConnection

#: For how long one keeps its turn before a newcomer from another address may have it.
KEEPS_ITS_TURN: Final = timedelta(seconds=20)


class Placing(StrEnum):
    """What there is for a newcomer."""

    FREE = "free"
    """The place: nobody has it."""
    WAITS = "waits"
    """The turn after whoever has the place."""
    TAKEN = "taken"
    """Nothing: another one has that turn."""


@dataclass(frozen=True)
class Contest:
    """A place for which a socket waits."""

    charge_point_id: ChargePointId
    node: NodeId | None
    """Whose socket has the place; None once it is over, or its node is dead."""
    generation: int
    contender: str
    contender_node: NodeId
    contender_address: str
    answered: bool
    """The socket that has the place was asked whether it is there, and it is."""


@cache
def _is_held() -> ColumnElement[bool]:
    """Give the condition that an open socket has the place by a key that still opens something."""
    ended = and_(Credential.id == PresentConnection.credential_id, Credential.state == KeyState.REVOKED)
    return and_(is_open(), ~select(Credential.id).where(ended).correlate(PresentConnection).exists())


async def is_contested(rows: AsyncSession, charge_point_id: ChargePointId) -> bool:
    """Whether a newcomer would not have the charger's place at once. Only reads."""
    query = select(PresentConnection.charge_point_id).where(
        PresentConnection.charge_point_id == charge_point_id, or_(_is_held(), is_contended())
    )
    return (await rows.execute(query)).first() is not None


async def placing(
    rows: AsyncSession, charge_point_id: ChargePointId, address: str, *, contender: str | None = None
) -> Placing | None:
    """Say what there is for a socket from this address, and keep it so until the transaction ends.

    Of two that wait for a place that is free the first one has it: it is about to claim it.
    `contender` is one that waits already; None: it has lost its turn.
    """
    empty = {"charge_point_id": charge_point_id, "generation": 0, "quarantined": False, **NO_CONTENDER}
    await rows.execute(insert_into(rows, PresentConnection).values(**empty).on_conflict_do_nothing())
    waited = SecondsBetween(PresentConnection.contended_at, Now())
    query = select(_is_held(), is_contended(), PresentConnection.contender, PresentConnection.contender_address, waited)
    query = query.where(PresentConnection.charge_point_id == charge_point_id).with_for_update(of=PresentConnection)
    held, contended, other, other_address, seconds = (await rows.execute(query)).one()
    if contender is not None and other != contender:
        return None
    keeps = contended and (not held or seconds < KEEPS_ITS_TURN.total_seconds())
    if other != contender and keeps and other_address != address:
        return Placing.TAKEN
    return Placing.WAITS if held else Placing.FREE


async def enter(
    rows: AsyncSession, charge_point_id: ChargePointId, contender: str, node: NodeId, address: str
) -> Placing | None:
    """Let a socket at `node` wait for the charger's place, if it has to and may; whoever waited has lost its turn."""
    found = await placing(rows, charge_point_id, address)
    if found is Placing.WAITS:
        values = {
            "contender": contender,
            "contender_node": node,
            "contender_address": address,
            "contended_at": Now(),
            "contender_answered": False,
        }
        await _change(rows, PresentConnection.charge_point_id == charge_point_id, **values)
    return found


async def leave(rows: AsyncSession, charge_point_id: ChargePointId, contender: str) -> None:
    """Let a socket wait no longer; nothing where it has lost its turn."""
    await _change(
        rows,
        and_(PresentConnection.charge_point_id == charge_point_id, PresentConnection.contender == contender),
        **NO_CONTENDER,
    )


async def note_answer(rows: AsyncSession, charge_point_id: ChargePointId, generation: int) -> str | None:
    """Write that the socket of `generation` is there; gives the address of who waits, None where nobody does."""
    which = and_(
        PresentConnection.charge_point_id == charge_point_id,
        PresentConnection.generation == generation,
        PresentConnection.contender.is_not(None),
    )
    if not await _change(rows, which, contender_answered=True):
        return None
    query = select(PresentConnection.contender_address).where(PresentConnection.charge_point_id == charge_point_id)
    return (await rows.execute(query)).scalar_one() or ""


async def ask_again(rows: AsyncSession, charge_point_id: ChargePointId) -> None:
    """Have the socket that has the place asked once more, where one waits: who owns it now is to hear of both."""
    await _change(rows, PresentConnection.charge_point_id == charge_point_id, contender_answered=False)


async def contests_at(rows: AsyncSession, node: NodeId) -> list[Contest]:
    """List the places for which a socket waits, where either is at `node`. Only reads."""
    mine = or_(
        and_(PresentConnection.node == node, PresentConnection.contender.is_not(None)),
        PresentConnection.contender_node == node,
    )
    query = select(
        PresentConnection.charge_point_id,
        PresentConnection.node,
        _is_held(),
        PresentConnection.generation,
        PresentConnection.contender,
        PresentConnection.contender_node,
        PresentConnection.contender_address,
        PresentConnection.contender_answered,
    )
    return [
        Contest(
            ChargePointId(row[0]),
            NodeId(row[1] or "") if row[2] else None,
            row[3],
            row[4] or "",
            NodeId(row[5] or ""),
            row[6] or "",
            row[7],
        )
        for row in await rows.execute(query.where(mine))
    ]


async def good_keys(rows: AsyncSession, credential_ids: set[str]) -> set[str]:
    """Say which of these keys still open something. Only reads."""
    good = Credential.state != KeyState.REVOKED
    return set(await rows.scalars(select(Credential.id).where(Credential.id.in_(credential_ids), good)))


async def _change(rows: AsyncSession, which: ColumnElement[bool], **values: Any) -> bool:
    statement = update(PresentConnection).where(which).values(**values)
    result = await rows.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount == 1
