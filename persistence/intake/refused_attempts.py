"""What was refused to whom: for the audit trail, and against whoever guesses, or fills it.

An hour's first refusals of somebody are on record, as many as their limit is. Beyond it they are refused unseen (429),
so that the numbers of answered calls tell of those; what operators are refused is counted as `unrecorded`.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.actors import Actor, ActorKind, user
from domain.errors import ErrorCode
from domain.ids import ChargePointId, TransferId, UserId
from domain.limits import NO_LIMITS, CallLimits
from domain.trail import Attempt, TrailAction
from persistence.intake.limits import Counters
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.transfers import audit
from persistence.vault import Vault


class RefusedAttempts:
    """Writes refusals; each method is one transaction and raises Unavailable where the database is away."""

    def __init__(
        self, db: Database, vault: Vault, limits: CallLimits = NO_LIMITS, unrecorded: Callable[[], None] = lambda: None
    ) -> None:
        """Take the database, the vault whose MACs stand for people and addresses, and how often somebody may miss.

        `unrecorded` counts a refusal that is not written.
        """
        self._db = db
        self._counters = Counters(vault, limits)
        self._unrecorded = unrecorded

    async def check(self, caller: Caller) -> None:
        """Raise RateLimited where a caller was refused too often; of an operator everything is looked at."""
        if not caller.operator:
            async with self._db.reading() as rows:
                await self._counters.check_refusals(rows, user(caller.id))

    async def note_request(self, user_id: UserId, charge_point_id: ChargePointId, code: ErrorCode) -> None:
        """Write a request that got no request row into the charge point's trail.

        What the same user is refused is written once a day for each code: nobody can fill the trail.
        """
        actor, now = user(user_id), datetime.now(UTC)
        async with self._db.writing() as rows:
            if not await self._counted(rows, actor):
                return
            await audit.append(
                rows,
                trail.of_charge_point(charge_point_id),
                actor=actor,
                action=TrailAction.REQUEST_REFUSED,
                detail={"code": code.value},
                once=trail.request_refused(actor, code, now.date()),
            )

    async def note(self, transfer_id: TransferId, *, actor: Actor, attempt: Attempt, code: ErrorCode) -> None:
        """Write a refused attempt on a transfer into its audit trail.

        What the same party is refused is written once for each code, but for wrong guesses, which are counted, and for
        operators: nobody can fill the trail.
        """
        bounded = actor.kind is not ActorKind.OPERATOR and code is not ErrorCode.INVALID_REQUEST
        async with self._db.writing() as rows:
            if not await self._counted(rows, actor):
                return
            await audit.append(
                rows,
                transfer_id,
                actor=actor,
                action=trail.of_refused(attempt),
                detail={"code": code.value},
                once=trail.attempt_refused(attempt, actor, code) if bounded else None,
            )

    async def _counted(self, rows: AsyncSession, actor: Actor) -> bool:
        if await self._counters.refusal(rows, actor):
            return True
        self._unrecorded()
        return False

    async def note_miss(self, client: str) -> None:
        """Count an unknown link that was opened from the address `client`; raises RateLimited.

        Only misses are counted, and refused: a link that is known opens whatever came from that address. A token has
        256 bits, so nobody finds one by guessing; and a recipient may share their address with whoever tries.
        """
        await self._counters.miss(self._db, client)
