"""Idempotency keys: which call each is bound to, so that a repeat is told from another one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import IdempotencyConflict
from domain.ids import UserId
from persistence.inserts import insert_into
from persistence.tables import IdempotencyKey
from persistence.vault import Vault

CONFLICT: Final = "This Idempotency-Key was used for another request; use a new key, or send the same request again."


@dataclass(frozen=True)
class Repeatable:
    """A call that may be repeated under its idempotency key.

    `content` is all that must be the same: the call's name, its path and its body.
    """

    user_id: UserId
    key: str | None
    content: bytes


class IdempotencyKeys:
    """Binds keys to calls, in the caller's transaction."""

    def __init__(self, vault: Vault) -> None:
        """Take the vault whose MACs stand for what was called."""
        self._vault = vault

    async def claim(self, rows: AsyncSession, call: Repeatable) -> bool:
        """Bind the key to the call; False for a repeat. A twin that runs at the same time waits here for its turn."""
        if call.key is None:
            return True
        values = {
            "user_id": call.user_id,
            "key": call.key,
            "fingerprint": self.fingerprint(call),
            "created_at": datetime.now(UTC),
        }
        statement = (
            insert_into(rows, IdempotencyKey).values(values).on_conflict_do_nothing().returning(IdempotencyKey.key)
        )
        if (await rows.execute(statement)).first() is not None:
            return True
        return not await self.is_repeat(rows, call)

    async def is_repeat(self, rows: AsyncSession, call: Repeatable) -> bool:
        """Whether the key was used for this same call before; raises IdempotencyConflict for another."""
        if call.key is None:
            return False
        wanted = select(IdempotencyKey.fingerprint).where(
            IdempotencyKey.user_id == call.user_id, IdempotencyKey.key == call.key
        )
        fingerprint = (await rows.execute(wanted)).scalar_one_or_none()
        if fingerprint is None:
            return False
        if not self._vault.matches("body", call.content, fingerprint):
            raise IdempotencyConflict(CONFLICT)
        return True

    def fingerprint(self, call: Repeatable) -> str:
        """Give the MAC of all that must be the same."""
        return self._vault.mac("body", call.content)
