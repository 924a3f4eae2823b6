"""Whose API key a call carries."""

import hmac
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, bindparam, select

from domain.errors import NotAuthenticated
from domain.ids import UserId
from domain.rights import Role, Scope
from persistence.session import Database
from persistence.tables import ApiKey, Membership, User
from persistence.vault import fingerprint

_NO_HASH: Final = "0" * 64
NOT_VALID: Final = "The API key is not valid; send a current one as Authorization: Bearer hk_…."


@dataclass(frozen=True)
class Caller:
    """Whose API key it is, and what the key may do beyond their roles."""

    id: UserId
    name: str
    email: str | None
    phone: str | None
    locale: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    """The API key that the call came with."""

    @property
    def operator(self) -> bool:
        """Whether they are staff, who see everything."""
        return Scope.OPERATOR in self.scopes


def groups_of(user_id: UserId, *roles: Role) -> Select[str]:
    """Select the ids of the groups that a user is a member of; with `roles`, in one of these."""
    wanted = select(Membership.group_id).where(Membership.user_id == user_id)
    return wanted.where(Membership.role.in_([role.value for role in roles])) if roles else wanted


_OF_KEY: Final = (
    select(
        *(ApiKey.secret_hash, ApiKey.scopes, ApiKey.revoked_at),
        *(User.id, User.name, User.email, User.phone, User.locale, User.status),
    )
    .join(User, User.id == ApiKey.user_id)
    .where(ApiKey.id == bindparam("key_id"))
)


class Callers:
    """Finds callers. Raises Unavailable where the database is away."""

    def __init__(self, db: Database) -> None:
        """Take the database."""
        self._db = db

    async def caller(self, api_key: str) -> Caller:
        """Find whose key `hk_<id>_<secret>` it is; raises NotAuthenticated for any that does not open."""
        key_id, _, secret = api_key.removeprefix("hk_").partition("_")
        row = None
        if api_key.startswith("hk_") and api_key.isascii() and api_key.isprintable():
            async with self._db.reading() as rows:
                row = (await rows.execute(_OF_KEY, {"key_id": key_id})).one_or_none()
        same = hmac.compare_digest(fingerprint(secret), row.secret_hash if row else _NO_HASH)
        if row is None or not same or row.revoked_at is not None or row.status != "active":
            raise NotAuthenticated(NOT_VALID)
        scopes = frozenset(scope for scope in Scope if scope.value in row.scopes)
        return Caller(UserId(row.id), row.name, row.email, row.phone, row.locale, scopes, key_id)
