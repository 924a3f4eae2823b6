"""Users, groups and roles, as the rules need them."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.contact import Address, Channel
from domain.ids import GroupId, UserId
from domain.rights import Role
from persistence.tables import Group, Membership, User
from persistence.vault import Vault

#: The advisory lock of all roles (an arbitrary number, the same for ever).
_ROLES: Final = 7_203_412


async def roles(
    rows: AsyncSession, users: Collection[UserId], groups: Collection[GroupId]
) -> dict[tuple[UserId, GroupId], Role]:
    """Give the roles of users in groups, of active accounts; a pair that is not in it is no membership."""
    query = (
        select(Membership.user_id, Membership.group_id, Membership.role)
        .join(User, User.id == Membership.user_id)
        .where(Membership.user_id.in_(users), Membership.group_id.in_(groups), User.status == "active")
    )
    found = await rows.execute(query)
    return {(UserId(user), GroupId(group)): Role(role) for user, group, role in found}


async def hold_roles(rows: AsyncSession, *, to_change: bool = False) -> None:
    """Let nobody change a role, or block an account, until the transaction ends; lock charge points only after it.

    `to_change`: whoever relies on a role waits as well. What a change of hands rests on is true when it is committed,
    and what a change of roles rests on too. SQLite has one writer at a time anyway.
    """
    if rows.get_bind().dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock if to_change else func.pg_advisory_xact_lock_shared
        await rows.execute(select(lock(_ROLES)))


async def members(rows: AsyncSession, group_id: GroupId, *roles: Role) -> frozenset[UserId]:
    """Give the active members of a group that have one of `roles`."""
    return (await members_of(rows, [group_id], roles))[group_id]


async def members_of(
    rows: AsyncSession, groups: Collection[GroupId], roles: Collection[Role]
) -> dict[GroupId, frozenset[UserId]]:
    """Give of each of these groups the active members that have one of `roles`."""
    query = (
        select(Membership.group_id, Membership.user_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.group_id.in_(groups), Membership.role.in_(roles), User.status == "active")
    )
    found = (await rows.execute(query)).all()
    return {one: frozenset(UserId(user) for group, user in found if group == one) for one in groups}


async def is_usable(rows: AsyncSession, user_id: UserId) -> bool:
    """Whether the account exists and is active."""
    user = await rows.get(User, user_id)
    return user is not None and user.status == "active"


async def find_usable(rows: AsyncSession, address: Address) -> UserId | None:
    """Give the one usable account with this address; None for none, several, blocked or deleted."""
    found = (await rows.execute(select(User).where(_column(address) == address.value).limit(2))).scalars().all()
    if len(found) != 1 or found[0].status != "active":
        return None
    return UserId(found[0].id)


async def look_up(rows: AsyncSession, address: Address, asker: UserId) -> tuple[bool, UserId | None, GroupId | None]:
    """Say whether an address is the asker's, whoever else has it; else give its usable account, and that one's group.

    One query, whoever has it: it takes the same time.
    """
    query = select(User.id, User.status, Group.id).outerjoin(Group, Group.personal_of == User.id)
    theirs_first = query.where(_column(address) == address.value).order_by(User.id != asker).limit(2)
    found = (await rows.execute(theirs_first)).all()
    if found and found[0][0] == asker:
        return True, None, None
    if len(found) != 1 or found[0][1] != "active":
        return False, None, None
    user_id, _, group_id = found[0]
    return False, UserId(user_id), GroupId(group_id) if group_id else None


async def personal_group(rows: AsyncSession, user_id: UserId) -> GroupId | None:
    """Give the user's personal group."""
    found = (await rows.execute(select(Group.id).where(Group.personal_of == user_id))).scalar_one_or_none()
    return GroupId(found) if found else None


async def usable_group(rows: AsyncSession, user_id: UserId) -> GroupId | None:
    """Give the personal group of an account that is active; None where it is not, or has none."""
    query = select(Group.id).join(User, User.id == Group.personal_of)
    found = (await rows.execute(query.where(User.id == user_id, User.status == "active"))).scalar_one_or_none()
    return GroupId(found) if found else None


async def group_exists(rows: AsyncSession, group_id: GroupId) -> bool:
    """Whether there is such a group."""
    return await rows.get(Group, group_id) is not None


async def is_free(rows: AsyncSession, address: Address) -> bool:
    """Whether no account has this address, usable or not."""
    return (await rows.execute(select(User.id).where(_column(address) == address.value).limit(1))).first() is None


async def open_account(
    rows: AsyncSession, vault: Vault, address: Address, *, name: str, locale: str, now: datetime
) -> UserId | None:
    """Make the user of an address that no account has, their personal group, and their membership in it as owner.

    The id follows from the address, so that of two transactions at once one makes it: the other raises IntegrityError,
    or gives None where that one has just been committed.
    """
    user_id, number = _id_for(vault, address, 0), 0
    while (holder := await rows.get(User, user_id)) is not None:
        if address.value in {holder.email, holder.phone}:
            return None
        number += 1  # whoever had this address has another one now
        user_id = _id_for(vault, address, number)
    email = address.value if address.channel is Channel.EMAIL else None
    phone = address.value if address.channel is Channel.PHONE else None
    rows.add(User(id=user_id, name=name, email=email, phone=phone, locale=locale, status="active", created_at=now))
    await rows.flush()
    group_id = f"personal-{user_id}"
    rows.add(Group(id=group_id, name=name, personal_of=user_id))
    await rows.flush()
    rows.add(Membership(group_id=group_id, user_id=user_id, role=Role.OWNER.value))
    await rows.flush()
    return user_id


def _id_for(vault: Vault, address: Address, number: int) -> UserId:
    """Give `usr_` and 26 hex digits that only the server's key can tell."""
    return UserId(f"usr_{vault.mac('account', f'{address.channel.value}:{address.value}:{number}'.encode())[:26]}")


def _column(address: Address) -> InstrumentedAttribute[str | None]:
    return User.email if address.channel is Channel.EMAIL else User.phone
