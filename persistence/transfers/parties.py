"""Reads what a letter about a transfer needs: what it says, whom it may go to, where they are reached."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import TransferId, UserId
from persistence.tables import ChargePoint, Group, OwnershipPeriod, Transfer, User

ACTIVE = "active"


@dataclass(frozen=True)
class TransferFacts:
    """A transfer with what it is about, as it stands now; rows to read, never to change."""

    transfer: Transfer
    charge_point: ChargePoint
    sender: User
    target_group: Group | None


async def read_facts(rows: AsyncSession, transfer_id: TransferId) -> TransferFacts | None:
    """Read a transfer with its charge point, sender and target group; None where it was never reserved."""
    statement = (
        select(Transfer, ChargePoint, User, Group)
        .join(ChargePoint, ChargePoint.id == Transfer.charge_point_id)
        .join(User, User.id == Transfer.requested_by)
        .outerjoin(Group, Group.id == Transfer.to_group_id)
        .where(Transfer.id == transfer_id)
    )
    row = (await rows.execute(statement)).one_or_none()
    return None if row is None else TransferFacts(*row)


async def read_active(rows: AsyncSession, user_ids: Collection[UserId]) -> dict[UserId, User]:
    """Read those of the users whose accounts are usable, by their ids in a fixed order."""
    statement = select(User).where(User.id.in_(user_ids), User.status == ACTIVE).order_by(User.id)
    return {UserId(user.id): user for user in await rows.scalars(statement)}


def changes_owner(transfer: Transfer) -> bool:
    """Whether it is to change who owns the charge point; an address without an account is somebody else's."""
    return transfer.to_owner_id != transfer.from_owner_id


async def changed_ownership(rows: AsyncSession, transfer_id: TransferId) -> bool:
    """Whether the transfer ever changed who has the charge point, undone since or not: the ledger remembers."""
    statement = select(OwnershipPeriod.version).where(
        OwnershipPeriod.transfer_id == transfer_id, OwnershipPeriod.change == "transfer"
    )
    return (await rows.execute(statement)).first() is not None
