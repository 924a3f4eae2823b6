"""What the API itself may write: requests, idempotency keys, attempts and acts for the audit trail, one-time codes."""

import secrets
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import trail
from domain.account import parse_locale, parse_name
from domain.errors import ErrorCode, IdempotencyConflict, NotAllowed
from domain.ids import ChargePointId, LinkId, OrderId, TransferId, UserId
from domain.keys import KeyPurpose
from domain.limits import NO_LIMITS, CallLimits
from domain.orders import OrderAct
from domain.policy import DEFAULT_POLICY, Policy
from domain.request import TransferRequest
from domain.rights import Scope
from domain.trail import Attempt, TrailAction, read_charge_point
from domain.transfer import TransferState
from persistence.chargers import charger_keys, charging_review, present_connections, typed_keys
from persistence.chargers.charging_review import Settled
from persistence.inserts import insert_into
from persistence.intake import orders
from persistence.intake.limits import Counters
from persistence.intake.orders import NewOrder
from persistence.links import signups
from persistence.links.signups import Typed
from persistence.session import Database
from persistence.tables import ChargePoint, IdempotencyKey, Order, Request, Transfer
from persistence.transfers import audit, transfers
from persistence.vault import Vault, fingerprint

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class KeptRequest:
    """A request row; `started` once its workflow has answered."""

    transfer_id: TransferId
    started: bool


@dataclass(frozen=True)
class Repeatable:
    """A call that may be repeated under its idempotency key.

    `content` is all that must be the same: the call's name, its path and its body.
    """

    user_id: UserId
    key: str | None
    content: bytes


@dataclass(frozen=True)
class Afresh:
    """New credentials, shown this once; and the transfer whose wait they are to end, if there is one."""

    password: str = field(repr=False)
    transfer_id: TransferId | None = None


def new_transfer_id() -> TransferId:
    """Give `trf_` and 26 characters (a ULID): ids sort by the millisecond of their making."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return TransferId("trf_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5)))


class Doorway:
    """Writes for the API; each method is one transaction and raises Unavailable where the database is away."""

    def __init__(
        self, db: Database, vault: Vault, limits: CallLimits = NO_LIMITS, policy: Policy = DEFAULT_POLICY
    ) -> None:
        """Take the database, the vault that seals bodies, and how often somebody may do what is limited.

        `policy` goes with every transfer that is asked for here.
        """
        self._db = db
        self._vault = vault
        self._policy = policy
        self._counters = Counters(vault, limits)

    async def earlier_request(self, call: Repeatable) -> KeptRequest | None:
        """Find the request that this call repeats; None for a new one. Raises IdempotencyConflict."""
        if call.key is None:
            return None
        async with self._db.reading() as rows:
            if not await self._is_repeat(rows, call):
                return None
            return await _request_of(rows, call)

    async def keep_request(
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
        transfer_id = new_transfer_id()
        async with self._db.writing() as rows:
            if not await self._claim(rows, call) and (kept := await _request_of(rows, call)):
                return kept
            await self._counters.start(rows, call.user_id, request)
            rows.add(
                Request(
                    transfer_id=transfer_id,
                    user_id=call.user_id,
                    scopes=sorted(scope.value for scope in scopes),
                    api_key_id=api_key_id,
                    charge_point_id=charge_point_id,
                    kind=request.kind.value,
                    idempotency_key=call.key,
                    body_hash=self._fingerprint(call),
                    sealed_body=self._vault.seal(request.model_dump_json(exclude={"reason"}).encode()),
                    policy=self._policy.model_dump(mode="json"),
                    requested_at=datetime.now(UTC),
                    started_at=None,
                )
            )
            if request.reason:
                actor = f"operator:{call.user_id}"  # nobody else gives one
                order = NewOrder(transfer_id, OrderAct.START, actor, call.user_id, reason=request.reason)
                await orders.give(rows, order, datetime.now(UTC))
        return KeptRequest(transfer_id, started=False)

    async def mark_started(self, transfer_id: TransferId) -> None:
        """Note that the request's workflow has answered, so that nobody starts it again."""
        async with self._db.writing() as rows:
            await rows.execute(
                update(Request)
                .where(Request.transfer_id == transfer_id, Request.started_at.is_(None))
                .values(started_at=datetime.now(UTC))
            )

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

    async def order(self, call: Repeatable, order: NewOrder) -> OrderId:
        """Bind the idempotency key, if there is one, to this call, and write its order; of a repeat it is the same one.

        Raises IdempotencyConflict if the key was another's.
        """
        async with self._db.writing() as rows:
            await self._claim(rows, call)
            return await orders.give(rows, order, datetime.now(UTC))

    async def is_carried_out(self, order_id: OrderId) -> bool:
        """Whether an order was carried out: it is not to be sent again."""
        async with self._db.reading() as rows:
            return (await rows.get_one(Order, order_id)).carried_out_as is not None

    async def end_session(
        self, call: Repeatable, given: NewOrder, session_id: int, *, stop_id: int | None, power_limit: float
    ) -> None:
        """End a charging session by hand, as persistence.chargers.charging_review says; a repeat does nothing."""
        point = read_charge_point(given.subject)
        async with self._db.writing() as rows:
            if await self._claim(rows, call):
                now = datetime.now(UTC)
                await charging_review.end_by_hand(
                    rows, point, session_id, now, stop_id=stop_id, power_limit=power_limit
                )
                detail = {"session": session_id} | ({"stop": stop_id} if stop_id is not None else {})
                await self._note(rows, given, TrailAction.SESSION_ENDED, detail, now)

    async def settle_sessions(
        self,
        call: Repeatable,
        given: NewOrder,
        *,
        session_ids: Collection[int] | None,
        stop_ids: Collection[int] | None,
        owner_id: UserId | None,
    ) -> Settled:
        """Settle what is in doubt of charging sessions, as persistence.chargers.charging_review says.

        A repeat gives the same.
        """
        point = read_charge_point(given.subject)
        async with self._db.writing() as rows:
            if not await self._claim(rows, call):
                return await self._settled_before(rows, given)
            now = datetime.now(UTC)
            settled = await charging_review.settle(
                rows, point, now, session_ids=session_ids, stop_ids=stop_ids, owner_id=owner_id
            )
            if settled.sessions or settled.stops:
                detail: dict[str, Any] = {"sessions": _spell(settled.sessions), "stops": _spell(settled.stops)}
                detail |= {"owner_id": owner_id} if owner_id is not None else {}
                await self._note(rows, given, TrailAction.SESSIONS_SETTLED, detail, now)
            return settled

    async def _note(
        self, rows: AsyncSession, given: NewOrder, action: TrailAction, detail: dict[str, Any], now: datetime
    ) -> None:
        """Write an order that is carried out at once, and the entry of the trail that it led to."""
        order_id = await orders.give(rows, given, now)
        mark = trail.carried_out(action, given.request_id or order_id)
        orders.prove(await orders.find(rows, given.subject, given.act, order_id), mark)
        await audit.append(
            rows, given.subject, actor=given.actor, action=action, detail=detail, order_id=order_id, once=mark
        )

    async def _settled_before(self, rows: AsyncSession, given: NewOrder) -> Settled:
        mark = trail.carried_out(TrailAction.SESSIONS_SETTLED, given.request_id or "")
        detail = await audit.detail_of(rows, given.subject, mark)
        return Settled(_read(detail.get("sessions", "")), _read(detail.get("stops", "")))

    async def order_resend(self, call: Repeatable, transfer_id: TransferId, order: NewOrder) -> OrderId:
        """Do as `order`; raises RateLimited where it is no repeat, and one question to its target too many.

        Where nobody is asked any more nothing is counted: the workflow refuses it.
        """
        async with self._db.writing() as rows:
            if await self._claim(rows, call):
                request = await rows.get(Request, transfer_id)
                transfer = await rows.get(Transfer, transfer_id)
                if request and transfer and transfer.state == TransferState.AWAITING_ACCEPTANCE:
                    body = TransferRequest.model_validate_json(self._vault.unseal(request.sealed_body))
                    await self._counters.message(rows, body)
            return await orders.give(rows, order, datetime.now(UTC))

    async def note_miss(self, client: str) -> None:
        """Count an unknown link that was opened from the address `client`; raises RateLimited.

        Only misses are counted, and refused: a link that is known opens whatever came from that address. A token has
        256 bits, so nobody finds one by guessing; and a recipient may share their address with whoever tries.
        """
        await self._counters.miss(self._db, client)

    async def connect_afresh(
        self, call: Repeatable, charge_point_id: ChargePointId, owner_id: UserId, *, actor: str
    ) -> Afresh:
        """Give `owner_id`'s charge point new credentials to type into the charger, and close its socket.

        They are its key at once, in place of all it has; but where its owner's key is waited for, by a transfer or
        after one, they are the one that is waited for, and what the old key opens it opens until their proof.

        A repeat gives the same. Raises NotAllowed where the owner is another by now, TransferInProgress while a
        transfer is at work on it that does not wait, IdempotencyConflict for a repeat that comes when those credentials
        are neither its current ones any more nor waited for.
        """
        password = self._password(call)
        async with self._db.writing() as rows:
            first = await self._claim(rows, call)
            await charger_keys.lock_keys(rows, charge_point_id)
            now = datetime.now(UTC)
            point = await rows.get_one(ChargePoint, charge_point_id, populate_existing=True)
            if point.owner_id != owner_id:
                raise NotAllowed("The charge point has another owner by now.")
            if not first:
                if not await typed_keys.is_shown(rows, self._vault, charge_point_id, password):
                    raise IdempotencyConflict(
                        "Those credentials are not current any more; ask for new ones with another key."
                    )
                return Afresh(password)
            awaiting = await transfers.awaits_key(rows, charge_point_id)
            if awaiting is None:
                purpose = KeyPurpose.TYPED
                await typed_keys.set_current(rows, self._vault, charge_point_id, password, now, purpose=purpose)
            else:
                await typed_keys.hand_out(rows, self._vault, charge_point_id, password, awaiting, now)
            place = await present_connections.whereabouts(rows, charge_point_id)
            await present_connections.release(rows, charge_point_id, place.generation, now)
            afresh = TrailAction.CONNECTED_AFRESH
            await audit.append(rows, trail.of_charge_point(charge_point_id), actor=actor, action=afresh)
        return Afresh(password, awaiting)

    def _password(self, call: Repeatable) -> str:
        """Give 40 hex digits, which every station can take: 160 bits that nobody can tell; of a repeat the same."""
        if call.key is None:
            return secrets.token_hex(20)
        return fingerprint(self._vault.token("connection", call.user_id, call.key, call.content.decode()))[:40]

    async def keep_opening(self, link_id: LinkId, name: str, locale: str) -> None:
        """Keep, sealed, what whoever holds a link typed to open an account; raises InvalidRequest."""
        typed = Typed(parse_name(name), parse_locale(locale))
        async with self._db.writing() as rows:
            await signups.keep(rows, self._vault, link_id, typed, datetime.now(UTC))

    async def forget_opening(self, link_id: LinkId) -> None:
        """Remove what was typed for a link, if anything is left of it."""
        async with self._db.writing() as rows:
            await signups.forget(rows, link_id)

    async def note_refused_request(self, user_id: UserId, charge_point_id: ChargePointId, code: ErrorCode) -> None:
        """Write a request that got no request row into the charge point's trail.

        What the same user is refused is written once a day for each code: nobody can fill the trail.
        """
        actor, now = f"user:{user_id}", datetime.now(UTC)
        async with self._db.writing() as rows:
            await audit.append(
                rows,
                trail.of_charge_point(charge_point_id),
                actor=actor,
                action=TrailAction.REQUEST_REFUSED,
                detail={"code": code.value},
                once=trail.request_refused(actor, code, now.date()),
            )

    async def note_refused_attempt(
        self, transfer_id: TransferId, *, actor: str, attempt: Attempt, code: ErrorCode
    ) -> None:
        """Write a refused attempt on a transfer into its audit trail.

        What the same party is refused is written once for each code, but for wrong guesses, which are counted, and for
        operators: nobody can fill the trail.
        """
        bounded = not actor.startswith("operator:") and code is not ErrorCode.INVALID_REQUEST
        async with self._db.writing() as rows:
            await audit.append(
                rows,
                transfer_id,
                actor=actor,
                action=trail.of_refused(attempt),
                detail={"code": code.value},
                once=trail.attempt_refused(attempt, actor, code) if bounded else None,
            )

    async def note_act(
        self,
        transfer_id: TransferId,
        order_id: OrderId,
        *,
        actor: str,
        action: TrailAction,
        detail: dict[str, str],
        act: str,
    ) -> None:
        """Write what an operator did at Temporal into the audit trail; once for the same `act` (domain.trail.held)."""
        async with self._db.writing() as rows:
            await audit.append(
                rows, transfer_id, actor=actor, action=action, detail=detail, order_id=order_id, once=act
            )

    async def is_noted(self, transfer_id: TransferId, act: str) -> bool:
        """Whether `note_act` has written an act: it is not to be done again."""
        async with self._db.reading() as rows:
            return await audit.action_of(rows, transfer_id, act) is not None

    def _fingerprint(self, call: Repeatable) -> str:
        return self._vault.mac("body", call.content)

    async def _claim(self, rows: AsyncSession, call: Repeatable) -> bool:
        """Bind the key to the call; False for a repeat. A twin that runs at the same time waits here for its turn."""
        if call.key is None:
            return True
        values = {
            "user_id": call.user_id,
            "key": call.key,
            "fingerprint": self._fingerprint(call),
            "created_at": datetime.now(UTC),
        }
        statement = (
            insert_into(rows, IdempotencyKey).values(values).on_conflict_do_nothing().returning(IdempotencyKey.key)
        )
        if (await rows.execute(statement)).first() is not None:
            return True
        return not await self._is_repeat(rows, call)

    async def _is_repeat(self, rows: AsyncSession, call: Repeatable) -> bool:
        """Whether the key was used for this same call before; raises IdempotencyConflict for another."""
        wanted = select(IdempotencyKey.fingerprint).where(
            IdempotencyKey.user_id == call.user_id, IdempotencyKey.key == call.key
        )
        fingerprint = (await rows.execute(wanted)).scalar_one_or_none()
        if fingerprint is None:
            return False
        if not self._vault.matches("body", call.content, fingerprint):
            raise IdempotencyConflict(
                "This Idempotency-Key was used for another request; use a new key, or send the same request again."
            )
        return True


def _spell(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids))


def _read(ids: str) -> tuple[int, ...]:
    return tuple(int(one) for one in ids.split(",") if one)


async def _request_of(rows: AsyncSession, call: Repeatable) -> KeptRequest | None:
    wanted = select(Request.transfer_id, Request.started_at).where(
        Request.user_id == call.user_id, Request.idempotency_key == call.key
    )
    row = (await rows.execute(wanted)).one_or_none()
    return row and KeptRequest(TransferId(row.transfer_id), started=row.started_at is not None)
