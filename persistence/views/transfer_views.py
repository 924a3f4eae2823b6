"""A transfer, its steps and its audit entries as one caller may know them, made from their rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from domain.actors import Actor, ActorKind
from domain.charge_point import Holding
from domain.errors import ErrorCode
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.kinds import TransferKind
from domain.request import TransferRequest
from domain.trail import TrailAction, without_places
from domain.transfer import (
    Acceptance,
    Attention,
    Connection,
    IfOffline,
    RunningSession,
    StepName,
    StepState,
    TransferState,
    UntilNewKey,
    known_attention,
)
from persistence.chargers.charger_changes import Changes
from persistence.chargers.credentials import OrderKeys
from persistence.people.callers import Caller
from persistence.tables import AuditEvent, ChargePoint, Request, Transfer
from persistence.views.visibility import knows_recipient


class StepView(NamedTuple):
    """How one step stands; a page has hundreds."""

    name: StepName
    state: StepState
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True)
class TransferView:
    """A transfer; `target` is None where it is unknown, or the caller may not know it."""

    id: TransferId
    kind: TransferKind
    state: TransferState
    charge_point_id: ChargePointId
    connection: Connection
    acceptance: Acceptance
    running_session: RunningSession
    if_offline: IfOffline
    until_new_key: UntilNewKey
    origin: Holding
    target: Holding | None
    requested_by: UserId
    requested_at: datetime
    steps: tuple[StepView, ...]
    attention: Attention = Attention.NONE
    waiting_until: datetime | None = None
    reason: str | None = None
    warnings: tuple[str, ...] = ()
    expires_at: datetime | None = None
    finished_at: datetime | None = None
    refusal: tuple[ErrorCode, str] | None = None
    """Of a refused one: the code, and the sentence for its sender."""
    deciders: frozenset[UserId] = frozenset()
    """The owners of the target group: who may accept a move into it. Not to be shown."""
    at_charger: Changes = field(default_factory=Changes)
    """What was changed at the charger, and what was left there."""
    key_settled: bool = False
    """The charger has proven its new key, or the new owner was given one to type: there is no way back."""

    def step(self, name: StepName) -> StepState:
        """Say where one step is; one that is not listed has not begun."""
        return next((step.state for step in self.steps if step.name is name), StepState.PENDING)

    @property
    def present_step(self) -> StepName | None:
        """The step that runs, or else the next one to: the register's own steps are written once they are done."""
        running = [step.name for step in self.steps if step.state is StepState.RUNNING]
        pending = [step.name for step in self.steps if step.state is StepState.PENDING]
        return next(iter(running + pending), None)


@dataclass(frozen=True)
class EventView:
    """One entry of an audit trail."""

    sequence: int
    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


def transfer_view(
    row: Transfer,
    steps: Sequence[StepView],
    deciders: frozenset[UserId],
    caller: Caller,
    *,
    keys: OrderKeys,
    at_charger: Changes,
) -> TransferView:
    """Show a transfer to `caller`, who may see it."""
    state = TransferState(row.state)
    known = knows_recipient(row, caller)
    return TransferView(
        id=TransferId(row.id),
        kind=TransferKind(row.kind),
        state=state,
        attention=known_attention(row.attention),
        waiting_until=row.waiting_until,
        reason=row.reason,
        warnings=tuple(row.warnings),
        charge_point_id=ChargePointId(row.charge_point_id),
        connection=Connection(row.connection),
        acceptance=Acceptance(row.acceptance),
        running_session=RunningSession(row.running_session),
        if_offline=IfOffline(row.if_offline),
        until_new_key=UntilNewKey(row.until_new_key),
        origin=Holding(UserId(row.from_owner_id), GroupId(row.from_group_id)),
        target=_target(row) if known else None,
        requested_by=UserId(row.requested_by),
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        finished_at=row.finished_at,
        steps=tuple(_with_sendings(steps, keys.sendings) if keys.sendings else steps),
        refusal=_refusal(row) if state is TransferState.REFUSED else None,
        deciders=deciders,
        key_settled=keys.settled,
        at_charger=at_charger,
    )


def requested_view(row: Request, point: ChargePoint, body: TransferRequest) -> TransferView:
    """Show a request whose workflow has not reserved anything yet."""
    return TransferView(
        id=TransferId(row.transfer_id),
        kind=body.kind,
        state=TransferState.REQUESTED,
        charge_point_id=ChargePointId(row.charge_point_id),
        connection=body.connection,
        acceptance=body.acceptance,
        running_session=body.running_session,
        if_offline=body.if_offline,
        until_new_key=body.until_new_key,
        origin=Holding(UserId(point.owner_id), GroupId(point.group_id)),
        target=None,
        requested_by=UserId(row.user_id),
        requested_at=row.requested_at,
        steps=tuple(StepView(name, StepState.PENDING) for name in StepName),
    )


#: Whom an entry names that the caller may not know.
_UNNAMED: Final = "recipient"
_MASKED: Final[Mapping[str, str]] = {
    TrailAction.ASK_NOT_DELIVERABLE: TrailAction.ASKED,
    TrailAction.CODE_NOT_DELIVERABLE: TrailAction.CODE_SENT,
    TrailAction.ACCOUNT_OPENED: TrailAction.CODE_SENT,
}


#: Somebody who tried to answer may be a recipient of whom nothing is on record yet.
_ANSWERS_REFUSED: Final = frozenset({TrailAction.ACCEPT_REFUSED.value, TrailAction.DECLINE_REFUSED.value})


def detail_of(row: AuditEvent) -> dict[str, Any]:
    """Give an entry's detail, with the `reason` of whose order it was, as long as that is kept."""
    reason = row.order.reason if row.order else None
    return row.detail | ({"reason": reason} if reason else {})


def event_view(row: AuditEvent, transfer: Transfer | None, caller: Caller) -> EventView:
    """Show an entry of a transfer's trail; who may not know the recipient reads `recipient`, and nothing else of them.

    Nor do they read whether a letter could be delivered or an account was opened: that would tell whether an address
    has an account. Of codes they read no number, so that what is masked as one is like the others; of what a link was
    refused no code, as one is for accounts that are blocked. Where somebody is nobody reads here: a transfer's
    trail is seen by both sides, and by nobody for their own time alone.
    """
    actor, action, detail = Actor(row.actor), row.action, without_places(detail_of(row))
    if transfer is not None and not knows_recipient(transfer, caller):
        hidden = [known for known in (transfer.to_owner_id, transfer.to_group_id) if known is not None]
        action = _MASKED.get(action, action)
        reminded = action == TrailAction.ASKED and detail.get("reminder")
        action = TrailAction.REMINDED.value if reminded else action
        private = {"number"} if action == TrailAction.CODE_SENT else {"code"} if actor.kind is ActorKind.LINK else set()
        detail = {key: value for key, value in detail.items() if value not in hidden and key not in private}
        answered = action in _ANSWERS_REFUSED and actor.kind is ActorKind.USER
        if actor.id in hidden or (
            answered and actor.id not in {caller.id, transfer.requested_by, transfer.from_owner_id}
        ):
            return EventView(row.sequence, row.at, _UNNAMED, action, detail)
    return EventView(row.sequence, row.at, actor, action, detail)


def _target(row: Transfer) -> Holding | None:
    if row.to_owner_id is None or row.to_group_id is None:
        return None
    return Holding(UserId(row.to_owner_id), GroupId(row.to_group_id))


def _refusal(row: Transfer) -> tuple[ErrorCode, str] | None:
    if row.reason not in set(ErrorCode):
        return None
    return ErrorCode(row.reason), row.refusal or "The transfer was refused."


def _with_sendings(steps: Iterable[StepView], sendings: int) -> Iterator[StepView]:
    """Show how often the key was sent, whoever sent it: the workflow's command, or the gateway in quarantine."""
    for step in steps:
        rotates = step.name is StepName.ROTATE_CREDENTIALS
        yield step._replace(attempts=max(step.attempts, sendings)) if rotates else step
