"""What a caller may do about a transfer now: what the workflow would take from them, as far as the read model knows."""

from enum import StrEnum

from domain.approval import Decision, check_decider
from domain.errors import NotAllowed
from domain.operator import effect
from domain.transfer import (
    DEVICE_STEPS,
    FINAL,
    Attention,
    Connection,
    OperatorAction,
    StepName,
    StepState,
    TransferState,
)
from persistence.callers import Caller
from persistence.transfer_views import TransferView


class Action(StrEnum):
    """A call that takes the transfer on: the parties' decisions, the operators' acts."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    RESEND = "resend"
    RETRY = "retry"
    ROLL_BACK = "roll_back"
    COMPLETE = "complete"


_AT_WORK = frozenset({TransferState.TRANSFERRING, TransferState.RECONFIGURING, TransferState.ROLLING_BACK})


def actions(view: TransferView, caller: Caller) -> list[Action]:
    """List what `caller` may do now."""
    decisions = [decision for decision in open_decisions(view) if _is_decider(view, caller, decision)]
    found = [Action(decision.value) for decision in decisions]
    if view.state is TransferState.AWAITING_ACCEPTANCE and (caller.operator or caller.id == view.requested_by):
        found.append(Action.RESEND)
    return [*found, *(_operators(view) if caller.operator else ())]


def open_decisions(view: TransferView) -> tuple[Decision, ...]:
    """List the decisions that nobody has taken yet; a cancel is possible until the ownership change begins."""
    if view.state is TransferState.AWAITING_ACCEPTANCE:
        return (Decision.ACCEPT, Decision.DECLINE, Decision.CANCEL)
    unchanged = view.step(StepName.CHANGE_OWNERSHIP) is StepState.PENDING
    return (Decision.CANCEL,) if view.state is TransferState.TRANSFERRING and unchanged else ()


def check(view: TransferView, caller: Caller, decision: Decision) -> None:
    """Raise NotAllowed where a decision is not the caller's, as far as the read model knows."""
    check_decider(
        decision,
        actor_id=caller.id,
        recipient_id=view.target.owner_id if view.target else None,
        target_group_owners=view.deciders,
        sender_id=view.requested_by,
        present_owner_id=view.origin.owner_id,
        kind=view.kind,
    )


def _is_decider(view: TransferView, caller: Caller, decision: Decision) -> bool:
    try:
        check(view, caller, decision)
    except NotAllowed:
        return False
    return True


def resolutions(view: TransferView, caller: Caller) -> list[tuple[OperatorAction, str]]:
    """Say what each of the acts that `actions` gives an operator would do; nothing to anybody else."""
    return [
        (
            act := OperatorAction(action.value),
            effect(
                act,
                view.state,
                view.present_step,
                attention=view.attention,
                connection=view.connection,
                no_way_back=_no_way_back(view),
            ),
        )
        for action in (_operators(view) if caller.operator else ())
    ]


def _operators(view: TransferView) -> list[Action]:
    """List an operator's acts; while the recipient is asked all that can be retried is a letter that can't be sent."""
    if view.state is TransferState.AWAITING_ACCEPTANCE:
        return [*([Action.RETRY] if view.attention is Attention.OPERATOR else []), Action.ROLL_BACK]
    if view.state in FINAL and view.attention is Attention.OPERATOR:  # the letters about its end
        return [Action.RETRY]
    if view.state not in _AT_WORK:
        return []
    found = [Action.RETRY]
    if view.state is TransferState.ROLLING_BACK or not _no_way_back(view):
        found.append(Action.ROLL_BACK)
    if view.attention and view.state is not TransferState.ROLLING_BACK and _stuck_at_device(view):
        found.append(Action.COMPLETE)
    return found


def _no_way_back(view: TransferView) -> bool:
    """Whether the charger has proven its new credentials, or its connection was deleted."""
    proven = view.step(StepName.ROTATE_CREDENTIALS) is StepState.DONE
    deleted = view.connection is Connection.DELETE and view.step(StepName.CHANGE_OWNERSHIP) is StepState.DONE
    return proven or deleted


def _stuck_at_device(view: TransferView) -> bool:
    stuck = {step.name for step in view.steps if step.state in {StepState.RUNNING, StepState.FAILED}}
    return bool(stuck & DEVICE_STEPS)
