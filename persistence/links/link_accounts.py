"""Whose account stands behind an approval link at this moment."""

from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from domain.contact import Address, Channel
from domain.ids import GroupId, UserId
from domain.kinds import Decider, TransferKind, rules_of
from domain.request import TransferRequest
from domain.rights import Role
from persistence.links.approvals import owner_channel
from persistence.people import accounts
from persistence.tables import ApprovalLink, Transfer, User
from persistence.transfers.parties import read_active


async def account_of(
    rows: AsyncSession, link: ApprovalLink, transfer: Transfer, request: TransferRequest | None
) -> User | None:
    """Give the usable account that a link is for; None where there is none, or none any more.

    Where the target group's owners decide it is the one to whom this link was sent; else the recipient, looked up by
    the request's address where that had no account when the transfer began. Only reads.
    """
    holder: UserId | None = None
    decider = rules_of(TransferKind(transfer.kind)).decider
    match decider:
        case Decider.TARGET_GROUP_OWNERS:
            owners = await accounts.members(rows, GroupId(transfer.to_group_id or ""), Role.OWNER)
            holder = next((owner for owner in owners if owner_channel(owner) == link.channel), None)
        case Decider.RECIPIENT if transfer.to_owner_id is not None:
            holder = UserId(transfer.to_owner_id)
        case Decider.RECIPIENT if request is not None and request.recipient is not None:
            address = Address(request.recipient_channel or Channel.EMAIL, request.recipient)
            holder = await accounts.find_usable(rows, address)
        case Decider.RECIPIENT:
            pass  # whoever was asked has no account
        case _:
            assert_never(decider)
    return (await read_active(rows, [holder])).get(holder) if holder else None
