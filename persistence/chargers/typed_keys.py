"""Keys that people know: given with a charge point, or typed into it by its owner, who was shown them.

Every function works in the caller's writing transaction and leaves the commit to it.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import ChargePointId
from domain.keys import KeyPurpose
from persistence.chargers.charger_keys import (
    PURPOSE,
    Keys,
    KeyState,
    find_match,
    lock_keys,
    new_key,
    read_keys,
    revoke,
    set_aside,
)
from persistence.chargers.credentials import revoke_all
from persistence.tables import Credential
from persistence.vault import Vault


async def set_current(
    rows: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    key: str,
    now: datetime,
    *,
    purpose: KeyPurpose,
) -> None:
    """Make `key`, as somebody types it into the charger, its key; whatever else there was is revoked.

    Of hex digits (`typed`) the charger may use the bytes that they stand for: both forms open, until one has. A repeat
    with the key that is current already changes nothing.
    """
    keys = await lock_keys(rows, charge_point_id)
    match = find_match(vault, keys, key.encode())
    if keys.pending is None and not keys.beside and match is not None and match.key is keys.current:
        return
    await revoke_all(rows, charge_point_id, now)
    rows.add(_typed(vault, charge_point_id, keys, KeyState.CURRENT, key, purpose, now))
    await rows.flush()


async def hand_out(
    rows: AsyncSession, vault: Vault, charge_point_id: ChargePointId, key: str, order_id: str, now: datetime
) -> None:
    """Make `key`, which the new owner types into the charger, the pending one of a transfer that is not proven.

    Older typed ones end; one made here that the charger may have taken opens what the old key opens.
    """
    keys = await lock_keys(rows, charge_point_id)
    if keys.pending is not None and keys.pending.purpose == KeyPurpose.TYPED:
        await revoke(rows, keys.pending, now)
    elif keys.pending is not None:
        await set_aside(rows, keys, keys.pending, now)
    row = _typed(vault, charge_point_id, keys, KeyState.PENDING, key, KeyPurpose.TYPED, now)
    row.order_id = order_id
    row.quarantines_old = True
    rows.add(row)
    await rows.flush()


def _typed(
    vault: Vault,
    charge_point_id: ChargePointId,
    keys: Keys,
    state: KeyState,
    key: str,
    purpose: KeyPurpose,
    now: datetime,
) -> Credential:
    row = new_key(
        charge_point_id, state, vault.mac(PURPOSE, key.encode()), now, purpose=purpose, version=keys.holder.version
    )
    if purpose is KeyPurpose.TYPED:
        row.mac_decoded = vault.mac(PURPOSE, bytes.fromhex(key))
    return row


async def is_shown(rows: AsyncSession, vault: Vault, charge_point_id: ChargePointId, key: str) -> bool:
    """Whether `key`, hex digits that somebody types, is its key still, or the one that is waited for. Only reads."""
    keys = await read_keys(rows, charge_point_id)
    forms = (key.encode(), bytes.fromhex(key))
    wanted = keys.pending if keys.pending is not None and keys.pending.purpose == KeyPurpose.TYPED else keys.current
    found = (find_match(vault, keys, form) for form in forms)
    return any(match is not None and match.key is wanted for match in found)
