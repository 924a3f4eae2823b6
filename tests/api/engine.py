"""A hand-written engine: what stands in for Temporal where the HTTP side alone is tried."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update

from domain.approval import Decision
from domain.charger import KeyAnswer, RestartAnswer
from domain.charger_orders import ChargerOrder
from domain.errors import HandoverError, Refusal
from domain.ids import ChargePointId, LinkId, OrderId, PasskeyId, SignInCodeId, TransferId, UserId
from domain.news import OwnerNews
from domain.orders import OrderAct
from domain.passkeys import PasskeyChange
from domain.trail import TrailSubject, of_charge_point
from domain.transfer import OperatorAction, StepName, TransferState, UntilNewKey
from engine.engine import Engine as AbstractEngine
from engine.transfers import StepAttempts
from persistence.intake import orders
from persistence.session import Database
from persistence.tables import Code, Order, Request, Transfer
from persistence.transfers import transfers
from tests.api.world import add_transfer


@dataclass
class Engine(AbstractEngine):
    """Does to the database what a worker would, as far as readers see it; `fails` is raised instead, once given."""

    database: Database
    fails: HandoverError | None = None
    unheard: bool = False
    """It refused when nobody asked, and has ended."""
    worker_answers: bool = True
    alive: bool = True
    attempts: dict[StepName, StepAttempts] = field(default_factory=dict)
    started: list[TransferId] = field(default_factory=list)
    decided: list[tuple[Any, ...]] = field(default_factory=list)
    choices: list[UntilNewKey | None] = field(default_factory=list)
    """What went with each decision about a key that people know."""
    resent: list[tuple[Any, ...]] = field(default_factory=list)
    resolved: list[tuple[Any, ...]] = field(default_factory=list)
    held: list[tuple[Any, ...]] = field(default_factory=list)
    codes: list[tuple[LinkId, int]] = field(default_factory=list)
    sign_in_codes: list[SignInCodeId] = field(default_factory=list)
    passkey_news: list[tuple[UserId, PasskeyId, PasskeyChange]] = field(default_factory=list)
    opened: list[tuple[LinkId, str, str]] = field(default_factory=list)
    news: list[tuple[ChargePointId, OwnerNews, str]] = field(default_factory=list)
    told: list[tuple[TransferId, ChargePointId, str]] = field(default_factory=list)
    orders: list[tuple[Any, ...]] = field(default_factory=list)
    """What chargers were to be told outside any transfer."""
    leads_to: dict[Decision, TransferState] = field(
        default_factory=lambda: {
            Decision.ACCEPT: TransferState.TRANSFERRING,
            Decision.DECLINE: TransferState.DECLINED,
            Decision.CANCEL: TransferState.CANCELLED,
            Decision.EXPIRE: TransferState.EXPIRED,
        }
    )
    key_answer: KeyAnswer = KeyAnswer.ACCEPTED
    restart_answer: RestartAnswer = RestartAnswer.ACCEPTED

    async def start(self, transfer_id: TransferId) -> bool:
        self.started.append(transfer_id)
        async with self.database.reading() as rows:
            request = await rows.get(Request, transfer_id)
        assert request is not None, "the request row comes before the workflow"
        if isinstance(self.fails, Refusal):
            await add_transfer(
                self.database,
                transfer_id,
                kind=request.kind,
                state="refused",
                reason=self.fails.code.value,
                refusal=self.fails.message,
                requested_by=request.user_id,
            )
        if self.fails and not self.unheard:
            raise self.fails
        if self.worker_answers and not self.fails:
            await add_transfer(self.database, transfer_id, kind=request.kind, requested_by=request.user_id)
            async with self.database.writing() as rows:
                await transfers.mark_started(rows, transfer_id, datetime.now(UTC))
        return self.worker_answers

    async def _given(self, subject: TrailSubject, act: str, order_id: OrderId) -> Order:
        async with self.database.writing() as rows:
            order = await orders.find(rows, subject, OrderAct(act), order_id)
        assert order is not None, "the order comes before the workflow"
        return order

    async def take_up(self, transfer_id: TransferId) -> None:
        raise AssertionError("the reconciler's")

    async def rescue(self, transfer_id: TransferId) -> None:
        raise AssertionError("the gateway's")

    async def decide(self, transfer_id: TransferId, decision: Decision, order_id: OrderId) -> TransferState:
        if self.fails:
            raise self.fails
        order = await self._given(transfer_id, decision.value, order_id)
        self.decided.append((transfer_id, decision, order.actor, order.user_id, order.link_id))
        self.choices.append(UntilNewKey(order.choice) if order.choice else None)
        state = self.leads_to[decision]
        values: dict[str, Any] = {"state": state.value, "attention": ""}
        if decision in {Decision.ACCEPT, Decision.DECLINE}:
            recipient = order.user_id or "u-rita"
            values |= {"to_owner_id": recipient, "to_group_id": recipient.replace("u-", "g-")}
        if state is TransferState.TRANSFERRING:
            values |= {"accepted_by": order.user_id or "u-rita"}
            values |= {"until_new_key": (self.choices[0] or UntilNewKey.SERVE).value}  # the first one stands
        async with self.database.writing() as rows:
            await rows.execute(update(Transfer).where(Transfer.id == transfer_id).values(values))
        return state

    async def resend(self, transfer_id: TransferId, order_id: OrderId) -> None:
        if self.fails:
            raise self.fails
        order = await self._given(transfer_id, "resend", order_id)
        self.resent.append((transfer_id, order.actor, order.user_id, order.request_id))

    async def resolve(
        self, transfer_id: TransferId, action: OperatorAction, order_id: OrderId, *, under_way: bool = False
    ) -> TransferState:
        if self.fails:
            raise self.fails
        order = await self._given(transfer_id, action.value, order_id)
        self.resolved.append((transfer_id, action, order.reason, order.actor, order.request_id))
        return TransferState.TRANSFERRING

    async def pause(self, transfer_id: TransferId, step: StepName, order_id: OrderId, *, actor: str) -> None:
        if self.fails:
            raise self.fails
        order = await self._given(transfer_id, "pause", order_id)
        assert order.actor == actor
        self.held.append(("pause", transfer_id, step, order.reason, actor))
        self.attempts[step] = StepAttempts(1, None, paused=True)

    async def resume(self, transfer_id: TransferId, step: StepName, *, actor: str) -> None:
        if self.fails:
            raise self.fails
        self.held.append(("resume", transfer_id, step, actor))
        self.attempts[step] = StepAttempts(1, None)

    async def send_sign_in_code(self, code_id: SignInCodeId) -> None:
        if self.fails:
            raise self.fails
        self.sign_in_codes.append(code_id)

    async def tell_of_passkey(self, user_id: UserId, passkey_id: PasskeyId, change: PasskeyChange) -> None:
        if self.fails:
            raise self.fails
        self.passkey_news.append((user_id, passkey_id, change))

    async def send_code(self, link_id: LinkId, number: int) -> None:
        if self.fails:
            raise self.fails
        self.codes.append((link_id, number))
        async with self.database.writing() as rows:
            now = datetime.now(UTC)
            await rows.merge(
                Code(link_id=link_id, number=number, mac="0" * 64, sent_at=now, expires_at=now, wrong_tries=0)
            )

    async def open_account(self, link_id: LinkId, *, name: str, locale: str) -> None:
        if self.fails:
            raise self.fails
        self.opened.append((link_id, name, locale))

    async def tell_owner(self, charge_point_id: ChargePointId, news: OwnerNews, *, occasion: str = "") -> None:
        if self.fails:
            raise self.fails
        self.news.append((charge_point_id, news, occasion))

    async def tell_charger_news(self, transfer_id: TransferId, charge_point_id: ChargePointId, fact: str) -> None:
        if self.fails:
            raise self.fails
        self.told.append((transfer_id, charge_point_id, fact))

    async def rotate_key(self, charge_point_id: ChargePointId, order_id: OrderId) -> KeyAnswer:
        await self._told(charge_point_id, ChargerOrder.ROTATE_KEY, order_id)
        return self.key_answer

    async def identify(self, charge_point_id: ChargePointId, order_id: OrderId) -> RestartAnswer:
        await self._told(charge_point_id, ChargerOrder.IDENTIFY, order_id)
        return self.restart_answer

    async def _told(self, point: ChargePointId, told: ChargerOrder, order_id: OrderId) -> None:
        if self.fails:
            raise self.fails
        order = await self._given(of_charge_point(point), told.value, order_id)
        self.orders.append((point, told, order.actor, order.user_id, order.request_id))

    async def step_attempts(self, transfer_id: TransferId) -> dict[StepName, StepAttempts]:
        return self.attempts

    async def ready(self) -> bool:
        return self.alive
