"""What the intake leaves behind, and is not kept for ever: requests, idempotency keys, codes, refusals, counts.

Every function works in the caller's transaction and leaves the commit to it. It deletes `limit` rows at most, passes by
those that somebody else is at, and gives how many it deleted: fewer than `limit` were left.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, delete, exists, func, insert, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.sign_in import IDLE, LASTS
from domain.transfer import FINAL
from persistence.tables import (
    REFUSED,
    ApprovalLink,
    AuditCounter,
    AuditEvent,
    AuditGap,
    Code,
    IdempotencyKey,
    Order,
    PasskeyChallenge,
    RateCount,
    Request,
    SignIn,
    SignInCode,
    Table,
    Transfer,
)
from persistence.transfers import audit_seals
from persistence.vault import Vault

_ENDED: Final = Transfer.state.in_([state.value for state in FINAL])


async def forget_requests(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete requests of transfers that ended earlier, and leave nothing to do at the charger or to an operator."""
    settled = (_ENDED, ~Transfer.due, Transfer.attention == "")
    ended_at = func.coalesce(Transfer.finished_at, Transfer.requested_at)
    asked = Request.requested_at < before  # they were asked for before they ended: it says where to look
    wanted = select(Request.transfer_id).join(Transfer, Transfer.id == Request.transfer_id)
    return await _forget(rows, wanted.where(asked, *settled, ended_at < before), limit, Request, Request.transfer_id)


async def forget_keys(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete idempotency keys that were used earlier; those of requests stay as long as these."""
    key = (IdempotencyKey.user_id, IdempotencyKey.key)
    of_request = exists().where(Request.user_id == key[0], Request.idempotency_key == key[1])
    wanted = select(*key).where(IdempotencyKey.created_at < before, ~of_request).order_by(IdempotencyKey.created_at)
    return await _forget(rows, wanted, limit, IdempotencyKey, *key)


async def forget_codes(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete the one-time codes of transfers that ended earlier."""
    wanted = (
        select(Code.link_id, Code.number)
        .join(ApprovalLink, ApprovalLink.id == Code.link_id)
        .join(Transfer, Transfer.id == ApprovalLink.transfer_id)
        .where(_ENDED, func.coalesce(Transfer.finished_at, Transfer.requested_at) < before)
    )
    return await _forget(rows, wanted, limit, Code, Code.link_id, Code.number)


async def forget_sign_in_codes(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete codes to sign in with that expired earlier, and the addresses that they were asked for with."""
    wanted = select(SignInCode.id).where(SignInCode.expires_at < before)
    return await _forget(rows, wanted, limit, SignInCode, SignInCode.id)


async def forget_sign_ins(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete sign-ins that ended earlier, by themselves or not."""
    over = or_(SignIn.ended_at < before, SignIn.began_at < before - LASTS, SignIn.seen_at < before - IDLE)
    return await _forget(rows, select(SignIn.id).where(over), limit, SignIn, SignIn.id)


async def forget_passkey_challenges(rows: AsyncSession, now: datetime, limit: int) -> int:
    """Delete challenges for passkeys that nobody can answer any more."""
    wanted = select(PasskeyChallenge.challenge_hash).where(PasskeyChallenge.expires_at <= now)
    return await _forget(rows, wanted, limit, PasskeyChallenge, PasskeyChallenge.challenge_hash)


async def forget_refusals(vault: Vault, rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete older entries of audit trails that tell of a refusal, but for a trail's last one: readers resume at it.

    Their hashes stay (persistence.transfers.audit_seals), for what stands behind them is hashed with them.
    """
    wanted = (
        select(AuditEvent.subject, AuditEvent.sequence, AuditEvent.hash)
        .join(AuditCounter, AuditCounter.subject == AuditEvent.subject)
        .where(
            text(f"({REFUSED})"),  # in the words of its index
            AuditEvent.at < before,
            AuditEvent.sequence < AuditCounter.last,
        )
    )
    found = (await rows.execute(wanted.limit(limit).with_for_update(skip_locked=True, of=AuditEvent))).all()
    if found:
        await rows.execute(insert(AuditGap), [audit_seals.gap(vault, *row) for row in found])
        gone = tuple_(AuditEvent.subject, AuditEvent.sequence).in_([(row.subject, row.sequence) for row in found])
        await rows.execute(delete(AuditEvent).where(gone), execution_options={"synchronize_session": False})
    return len(found)


async def forget_refused_orders(rows: AsyncSession, before: datetime, limit: int) -> int:
    """Delete older orders that were refused, and that no entry of a trail and no transfer under way knows."""
    refused = (Order.refusal.is_not(None), Order.carried_out_as.is_(None), Order.at < before)
    entered = exists().where(AuditEvent.subject == Order.subject, AuditEvent.order_id == Order.id)
    under_way = exists().where(Transfer.id == Order.subject, ~_ENDED)
    return await _forget(rows, select(Order.id).where(*refused, ~entered, ~under_way), limit, Order, Order.id)


async def forget_counts(rows: AsyncSession, now: datetime, limit: int) -> int:
    """Delete what was counted in windows that are over."""
    wanted = select(RateCount.key).where(RateCount.ends_at <= now)
    return await _forget(rows, wanted, limit, RateCount, RateCount.key)


async def _forget(
    rows: AsyncSession,
    wanted: Select[*tuple[Any, ...]],
    limit: int,
    table: type[Table],
    *key: InstrumentedAttribute[Any],
) -> int:
    locked = wanted.limit(limit).with_for_update(skip_locked=True, of=table)
    found = [tuple(row) for row in await rows.execute(locked)]
    if found:
        which = tuple_(*key).in_(found)
        await rows.execute(delete(table).where(which), execution_options={"synchronize_session": False})
    return len(found)
