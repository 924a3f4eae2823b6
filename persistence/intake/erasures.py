"""Erases people: carried out at once, with the order and the entry of their trail that it led to."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.actors import Actor
from domain.erasure import check_reason, check_ties
from domain.errors import NotFound
from domain.ids import UserId
from domain.orders import OrderAct
from domain.trail import TrailAction
from persistence.intake import orders
from persistence.intake.idempotency import IdempotencyKeys, Repeatable
from persistence.intake.orders import NewOrder
from persistence.people import erasure
from persistence.people.accounts import hold_roles
from persistence.people.erasure import Person
from persistence.session import Database
from persistence.tables import User
from persistence.transfers import audit
from persistence.vault import Vault

#: What was asked for so long before the first look may have been written only after it.
_LATE: Final = timedelta(minutes=5)


class Erasures:
    """Each erasure is one transaction; raises Unavailable where the database is away."""

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault that unseals who was asked at which address."""
        self._db = db
        self._vault = vault
        self._keys = IdempotencyKeys(vault)

    async def erase(self, user_id: UserId, reason: str, actor: Actor, call: Repeatable | None = None) -> datetime:
        """Erase somebody, and give when it was done; a repeat takes out what has come since, and says the same.

        Raises NotFound, StillTied, InvalidRequest for a reason that names them, IdempotencyConflict. Nobody changes
        hands meanwhile, and nothing is asked for by or of them that would not see it: the roles are held, then the
        account's row, for which a new transfer of theirs waits.
        """
        looked_at = datetime.now(UTC)
        async with self._db.reading() as rows:  # what takes long, while nobody waits
            person = Person.of(_found(await rows.get(User, user_id)))
            addressed = await erasure.requests_to(rows, self._vault, person)
        async with self._db.writing() as rows:
            if call is not None:
                await self._keys.claim(rows, call)
            await hold_roles(rows, to_change=True)
            wanted = select(User).where(User.id == user_id).with_for_update()
            user = _found((await rows.scalars(wanted)).one_or_none())
            now, person = datetime.now(UTC), Person.of(user)
            addressed |= await erasure.requests_to(rows, self._vault, person, since=looked_at - _LATE)
            if user.erased_at is None:
                check_reason(reason, person.identifiers)
                check_ties(await erasure.ties_of(rows, person, addressed))
            await erasure.take_out(rows, self._vault, person, addressed, now)
            if user.erased_at is None:
                await self._note(rows, user_id, reason, actor, now)
            erasure.forget(user, now)
            return user.erased_at or now

    async def _note(self, rows: AsyncSession, user_id: UserId, reason: str, actor: Actor, now: datetime) -> None:
        """Write who had it done, when and why; nothing of the person but their id."""
        subject, mark = trail.of_person(user_id), trail.once(TrailAction.ERASED)
        given = NewOrder(subject, OrderAct.ERASE, actor, reason=reason.strip())
        order_id = await orders.give(rows, given, now)
        orders.prove(await orders.find(rows, subject, OrderAct.ERASE, order_id), mark)
        await audit.append(rows, subject, actor=actor, action=TrailAction.ERASED, order_id=order_id, once=mark)


def _found(user: User | None) -> User:
    if user is None:
        raise NotFound("There is no such user; look at the spelling of the id.")
    return user
