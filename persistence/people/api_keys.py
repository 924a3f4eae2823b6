"""API keys `hk_<id>_<secret>`: made, listed, revoked; the secret is shown once and never kept."""

import secrets
import string
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import UserId
from domain.rights import Scope
from persistence.tables import ApiKey, User
from persistence.vault import fingerprint, new_secret

_ID_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 12


async def create(rows: AsyncSession, user_id: UserId, scopes: Iterable[Scope], now: datetime) -> str:
    """Make a key and give its text, to be shown once; raises NotFound for an unknown user."""
    if await rows.get(User, user_id) is None:
        raise NotFound("There is no such user; import them first, or look at the spelling.")
    key_id, secret = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH)), new_secret()
    wanted = sorted({scope.value for scope in scopes})
    rows.add(ApiKey(id=key_id, user_id=user_id, secret_hash=fingerprint(secret), scopes=wanted, created_at=now))
    await rows.flush()
    return f"hk_{key_id}_{secret}"


async def revoke(rows: AsyncSession, key_id: str, now: datetime) -> None:
    """End a key at once; a repeat changes nothing. Raises NotFound."""
    if await rows.get(ApiKey, key_id) is None:
        raise NotFound("There is no such key; `./handover keys list` shows the ids.")
    await rows.execute(update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now))


async def every(rows: AsyncSession, user_id: UserId | None = None) -> Sequence[ApiKey]:
    """Give all keys, or those of one user, oldest first."""
    wanted = select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)
    if user_id is not None:
        wanted = wanted.where(ApiKey.user_id == user_id)
    return (await rows.scalars(wanted)).all()
