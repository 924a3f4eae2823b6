"""The request rows: what is kept of a start before its workflow runs, and that it has."""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from sqlalchemy import Table, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import operator
from domain.errors import NotAuthenticated, RateLimited
from domain.ids import ChargePointId, TransferId, UserId
from domain.limits import NO_LIMITS, CallLimits
from domain.orders import OrderAct
from domain.policy import DEFAULT_POLICY, Policy
from domain.request import TransferRequest
from domain.rights import Scope
from persistence.intake import orders
from persistence.intake.idempotency import IdempotencyKeys, Repeatable
from persistence.intake.limits import Counters
from persistence.intake.orders import NewOrder
from persistence.people.callers import NOT_VALID
from persistence.session import Database
from persistence.tables import Request, User
from persistence.transfers import transfers
from persistence.vault import Vault

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class KeptRequest:
    """A request row; `started` once its workflow has answered."""

    transfer_id: TransferId
    started: bool


def new_transfer_id() -> TransferId:
    """Give `trf_` and 26 characters (a ULID): ids sort by the millisecond of their making."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return TransferId("trf_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5)))


class Requests:
    """Writes requests; each method is one transaction and raises Unavailable where the database is away."""

    def __init__(
        self, db: Database, vault: Vault, limits: CallLimits = NO_LIMITS, policy: Policy = DEFAULT_POLICY
    ) -> None:
        """Take the database, the vault that seals bodies, and how often somebody may ask.

        `policy` goes with every transfer that is asked for here.
        """
        self._db = db
        self._vault = vault
        self._policy = policy
        self._keys = IdempotencyKeys(vault)
        self._counters = Counters(vault, limits)

    async def earlier(self, call: Repeatable) -> KeptRequest | None:
        """Find the request that this call repeats; None for a new one. Raises IdempotencyConflict."""
        if call.key is None:
            return None
        async with self._db.reading() as rows:
            if not await self._keys.is_repeat(rows, call):
                return None
            return await _request_of(rows, call)

    async def keep(
        self,
        call: Repeatable,
        charge_point_id: ChargePointId,
        request: TransferRequest,
        scopes: Iterable[Scope],
        api_key_id: str | None = None,
    ) -> KeptRequest:
        """Write the request row, or find the one that this call repeats.

        Raises IdempotencyConflict, and RateLimited for one start, or one question to its target, too many.
        """
        async with self._db.reading() as rows:
            try:
                await self._counters.check_start(rows, call.user_id, request)
            except RateLimited:
                if not await self._keys.is_repeat(rows, call):
                    raise
        transfer_id = new_transfer_id()
        async with self._db.writing() as rows:
            if not await self._keys.claim(rows, call) and (kept := await _request_of(rows, call)):
                return kept
            await self._counters.start(rows, call.user_id, request)
            await _insert(
                rows,
                call.user_id,
                transfer_id=transfer_id,
                scopes=sorted(scope.value for scope in scopes),
                api_key_id=api_key_id,
                charge_point_id=charge_point_id,
                kind=request.kind.value,
                idempotency_key=call.key,
                body_hash=self._keys.fingerprint(call),
                sealed_body=self._vault.seal(request.model_dump_json(exclude={"reason"}).encode()),
                policy=self._policy.model_dump(mode="json"),
                requested_at=datetime.now(UTC),
            )
            if request.reason:
                actor = operator(call.user_id)  # nobody else gives one
                order = NewOrder(transfer_id, OrderAct.START, actor, call.user_id, reason=request.reason)
                await orders.give(rows, order, datetime.now(UTC))
        return KeptRequest(transfer_id, started=False)

    async def mark_started(self, transfer_id: TransferId) -> None:
        """Note that the request's workflow has answered, which its reservation notes, too: nobody starts it again."""
        async with self._db.writing() as rows:
            await transfers.mark_started(rows, transfer_id, datetime.now(UTC))

    async def mark_refused(self, transfer_id: TransferId) -> None:
        """Do as `mark_started` for a request that was refused: nobody is asked, so no question to its target counts."""
        async with self._db.writing() as rows:
            refused = await rows.execute(
                update(Request)
                .where(Request.transfer_id == transfer_id, Request.started_at.is_(None))
                .values(started_at=datetime.now(UTC))
                .returning(Request.sealed_body, Request.requested_at)
            )
            if (row := refused.one_or_none()) is not None:
                body = TransferRequest.model_validate_json(self._vault.unseal(row.sealed_body))
                await self._counters.no_message(rows, body, row.requested_at)


async def _insert(rows: AsyncSession, user_id: UserId, **values: object) -> None:
    """Write the row of somebody who was not erased meanwhile; raises NotAuthenticated.

    One statement, which waits for whoever erases them, and looks again.
    """
    table = cast("Table", Request.__table__)
    told = [literal(value, table.c[name].type) for name, value in values.items()]
    asker = select(*told, User.id).where(User.id == user_id, User.erased_at.is_(None))
    held = asker.with_for_update(read=True, key_share=True, of=User)
    written = insert(Request).from_select([*values, "user_id"], held).returning(Request.transfer_id)
    if (await rows.execute(written)).first() is None:
        raise NotAuthenticated(NOT_VALID)


async def _request_of(rows: AsyncSession, call: Repeatable) -> KeptRequest | None:
    wanted = select(Request.transfer_id, Request.started_at).where(
        Request.user_id == call.user_id, Request.idempotency_key == call.key
    )
    row = (await rows.execute(wanted)).one_or_none()
    return row and KeptRequest(TransferId(row.transfer_id), started=row.started_at is not None)
