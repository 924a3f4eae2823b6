"""Whom an approval link is for at this moment."""

from typing import Final, assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import GroupId
from domain.kinds import Decider, TransferKind, rules_of
from domain.recipient import Standing
from domain.request import TransferRequest
from domain.rights import Role
from persistence.links.approvals import owner_channel
from persistence.people import accounts
from persistence.tables import ApprovalLink, Transfer, User
from persistence.transfers import recipients
from persistence.transfers.recipients import Recipient

_UNPROVEN: Final = Recipient(Standing.UNUSABLE)


async def recipient_of(
    rows: AsyncSession, link: ApprovalLink, transfer: Transfer, request: TransferRequest | None
) -> Recipient:
    """Say whom a link is for, and whether they can accept by it.

    Where the target group's owners decide it is the one to whom this link was sent. Only reads.
    """
    decider = rules_of(TransferKind(transfer.kind)).decider
    match decider:
        case Decider.TARGET_GROUP_OWNERS:
            owners = await accounts.members(rows, GroupId(transfer.to_group_id or ""), Role.OWNER)
            holder = next((owner for owner in owners if owner_channel(owner) == link.channel), None)
            return Recipient(Standing.ACCOUNT, await rows.get(User, holder) if holder else None)
        case Decider.RECIPIENT:
            found = await recipients.find(rows, transfer, request)
            return found if found.standing is not Standing.NO_ACCOUNT or opens(link, request) else _UNPROVEN
        case _:
            assert_never(decider)


def opens(link: ApprovalLink, request: TransferRequest | None) -> bool:
    """Whether an account of the request's address may be opened by a link: it was sent to that very address.

    Else it went to an account that had this address then, and nobody has proven it.
    """
    return request is not None and request.address is not None and link.channel == request.address.channel.value
