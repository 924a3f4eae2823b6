"""The living keys of one charge point as rows: read, locked, changed, ended."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Unavailable
from domain.ids import ChargePointId
from domain.keys import KeyPurpose, KnownTo
from persistence import charge_points
from persistence.tables import Credential

#: The vault's purpose of every MAC of a key.
PURPOSE: Final = "credential"


class KeyState(StrEnum):
    """Where one key is in its life."""

    CURRENT = "current"
    PENDING = "pending"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Keys:
    """A charge point's living keys."""

    current: Credential | None = None
    pending: Credential | None = None


def sort_keys(rows: list[Credential]) -> Keys:
    """Tell the living keys among `rows` apart."""
    by_state = {row.state: row for row in rows}
    return Keys(by_state.get(KeyState.CURRENT), by_state.get(KeyState.PENDING))


async def lock_keys(session: AsyncSession, charge_point_id: ChargePointId) -> Keys:
    """Read the living keys and keep others from changing them, or making one, until the transaction ends.

    The charge point's row is locked first: it is there where no key is.
    """
    await charge_points.lock(session, charge_point_id)
    query = (
        select(Credential)
        .where(Credential.charge_point_id == charge_point_id, Credential.state != KeyState.REVOKED)
        .order_by(Credential.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return sort_keys(list((await session.execute(query)).scalars()))


async def turn(session: AsyncSession, seen: Credential, **values: Any) -> None:
    """Change a key that is still in the state in which it was seen; raises Unavailable where another was faster."""
    statement = update(Credential).where(Credential.id == seen.id, Credential.state == seen.state).values(**values)
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    if cast("CursorResult[Any]", result).rowcount != 1:
        raise Unavailable("The charger's credentials changed at this moment; try again.")


async def revoke(session: AsyncSession, row: Credential, now: datetime) -> None:
    """End a key's life and erase its sealed copy."""
    await turn(session, row, state=KeyState.REVOKED, revoked_at=now, sealed_key=None, mac_decoded=None)


def new_key(
    charge_point_id: ChargePointId,
    state: KeyState,
    mac: str,
    now: datetime,
    *,
    purpose: KeyPurpose,
    version: int,
    known_to: KnownTo = KnownTo.PEOPLE,
) -> Credential:
    """Give the row of a key of which nothing but its MAC is known, made while the charge point has this `version`."""
    return Credential(
        id=str(uuid.uuid4()),
        charge_point_id=charge_point_id,
        state=state.value,
        known_to=known_to.value,
        purpose=purpose.value,
        version=version,
        mac=mac,
        successor=False,
        created_at=now,
        sent_elsewhere=False,
        open_line=False,
        serials=[],
        answer_counts=False,
        maybe_taken=False,
        starts_with_old=0,
        quarantines_old=False,
        unattended=False,
        old_key_returns=0,
    )
