"""New credentials for a charge point, shown once, to be typed into its charger."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain import trail
from domain.actors import Actor
from domain.errors import IdempotencyConflict, NotAllowed
from domain.ids import ChargePointId, TransferId, UserId
from domain.keys import KeyPurpose
from domain.trail import TrailAction
from persistence.chargers import charger_keys, present_connections, typed_keys
from persistence.intake.idempotency import IdempotencyKeys, Repeatable
from persistence.session import Database
from persistence.tables import ChargePoint
from persistence.transfers import audit, transfers
from persistence.vault import Vault, fingerprint


@dataclass(frozen=True)
class Afresh:
    """New credentials, shown this once; and the transfer whose wait they are to end, if there is one."""

    password: str = field(repr=False)
    transfer_id: TransferId | None = None


class Issuing:
    """Makes new credentials; raises Unavailable where the database is away."""

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault that seals keys."""
        self._db = db
        self._vault = vault
        self._keys = IdempotencyKeys(vault)

    async def connect_afresh(
        self, call: Repeatable, charge_point_id: ChargePointId, owner_id: UserId, *, actor: Actor
    ) -> Afresh:
        """Give `owner_id`'s charge point new credentials to type into the charger, and close its socket.

        They are its key at once, in place of all it has; but where its owner's key is waited for, by a transfer or
        after one, they are the one that is waited for, and what the old key opens it opens until their proof.

        A repeat gives the same. Raises NotAllowed where the owner is another by now, TransferInProgress while a
        transfer is at work on it that does not wait, IdempotencyConflict for a repeat that comes when those credentials
        are neither its current ones any more nor waited for.
        """
        password = self._password(call)
        async with self._db.writing() as rows:
            first = await self._keys.claim(rows, call)
            await charger_keys.lock_keys(rows, charge_point_id)
            now = datetime.now(UTC)
            point = await rows.get_one(ChargePoint, charge_point_id, populate_existing=True)
            if point.owner_id != owner_id:
                raise NotAllowed("The charge point has another owner by now.")
            if not first:
                if not await typed_keys.is_shown(rows, self._vault, charge_point_id, password):
                    raise IdempotencyConflict(
                        "Those credentials are not current any more; ask for new ones with another key."
                    )
                return Afresh(password)
            awaiting = await transfers.awaits_key(rows, charge_point_id)
            if awaiting is None:
                purpose = KeyPurpose.TYPED
                await typed_keys.set_current(rows, self._vault, charge_point_id, password, now, purpose=purpose)
            else:
                await typed_keys.hand_out(rows, self._vault, charge_point_id, password, awaiting, now)
            place = await present_connections.whereabouts(rows, charge_point_id)
            await present_connections.release(rows, charge_point_id, place.generation, now)
            afresh = TrailAction.CONNECTED_AFRESH
            await audit.append(rows, trail.of_charge_point(charge_point_id), actor=actor, action=afresh)
        return Afresh(password, awaiting)

    def _password(self, call: Repeatable) -> str:
        """Give 40 hex digits, which every station can take: 160 bits that nobody can tell; of a repeat the same."""
        if call.key is None:
            return secrets.token_hex(20)
        return fingerprint(self._vault.token("connection", call.user_id, call.key, call.content.decode()))[:40]
