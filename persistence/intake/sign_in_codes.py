"""One-time codes to sign in with, or to prove anew who is signed in: digits follow from the id, so none is kept."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from domain.codes import DIGITS
from domain.contact import Address, parse_address
from domain.ids import SignInCodeId, UserId
from persistence.people import accounts
from persistence.tables import SignInCode, User
from persistence.vault import Vault

_PURPOSE: Final = "sign-in-code"


@dataclass(frozen=True)
class CodeToSend:
    """A code that was asked for, and whose it is."""

    user_id: UserId
    address: Address
    locale: str
    digits: str = field(repr=False)
    expires_at: datetime
    proves: bool
    """They are signed in, and prove that it is still them."""


def digits(vault: Vault, code_id: SignInCodeId) -> str:
    """Give a code's digits, which only the server's key can tell."""
    return vault.digits(_PURPOSE, code_id, count=DIGITS)


async def to_send(rows: AsyncSession, vault: Vault, code_id: SignInCodeId, now: datetime) -> CodeToSend | None:
    """Bind a code to whoever has its address now, and give what is sent to them; the same again.

    None where nobody has it, where it was used, or is over.
    """
    row = await rows.get(SignInCode, code_id, with_for_update=True)
    if row is None or row.used_at is not None or row.expires_at <= now:
        return None
    address = parse_address(vault.unseal(row.sealed_address).decode())
    proves = row.sign_in_id is not None
    row.user_id = user_id = UserId(row.user_id or "") if proves else await accounts.find_usable(rows, address)
    if user_id is None:
        return None
    user = await rows.get_one(User, user_id)
    if user.status != "active" or address.value not in {user.email, user.phone}:
        return None
    return CodeToSend(user_id, address, user.locale, digits(vault, code_id), row.expires_at, proves)
