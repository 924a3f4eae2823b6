"""Whom a transfer leads to at this moment, and whether they can accept it."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import UserId
from domain.recipient import Standing
from domain.request import TransferRequest
from persistence.people import accounts
from persistence.tables import Transfer, User


@dataclass(frozen=True)
class Recipient:
    """How somebody stands, and their account where it is one that is in use."""

    standing: Standing
    account: User | None = None

    @property
    def acceptor(self) -> UserId | None:
        """Who can accept; None where nobody can yet."""
        return UserId(self.account.id) if self.account and self.standing is Standing.ACCOUNT else None


async def find(rows: AsyncSession, transfer: Transfer, request: TransferRequest | None) -> Recipient:
    """Find the recipient who was found when the transfer began, else the one account that has the address now.

    Only reads.
    """
    user_id = UserId(transfer.to_owner_id) if transfer.to_owner_id else None
    if user_id is None:
        address = request.address if request else None
        if address is None:
            return Recipient(Standing.UNUSABLE)
        if await accounts.is_free(rows, address):
            return Recipient(Standing.NO_ACCOUNT)
        user_id = await accounts.find_usable(rows, address)
    if user_id is None or not await accounts.is_usable(rows, user_id):
        return Recipient(Standing.UNUSABLE)
    account = await rows.get_one(User, user_id)
    owns = transfer.to_owner_id is None and user_id == transfer.from_owner_id
    return Recipient(Standing.OWNER if owns else Standing.ACCOUNT, account)
