"""What a caller may do about a transfer now: what would be taken from them, as far as is on record."""

from collections.abc import Container
from datetime import UTC, datetime

from domain.approval import Decision
from domain.transfer import DEVICE_STEPS, OperatorAction, StepName, StepState, TransferState
from domain.transitions import ACTION_OF, Action, Change, Parties, Progress, check_theirs, effect, not_theirs, refusal
from persistence.people.callers import Caller
from persistence.views.transfer_views import TransferView

_OPERATORS = frozenset({Action.RESEND, *(Action(action.value) for action in OperatorAction)})


def actions(view: TransferView, caller: Caller, tried: Container[StepName] = ()) -> list[Action]:
    """List what `caller` may do now; `tried` are the steps of which a try is under way or due.

    Of a request that is still being checked nothing is on record, so nothing is offered.
    """
    if view.state is TransferState.REQUESTED:
        return []
    parties, progress = _parties(view), progress_of(view, tried)
    return [
        act
        for act in Action
        if refusal(act, progress) is None
        and ((caller.operator and act in _OPERATORS) or not_theirs(act, parties, caller.id) is None)
    ]


def resolutions(
    view: TransferView, caller: Caller, tried: Container[StepName] = ()
) -> list[tuple[OperatorAction, str]]:
    """Say what each of the acts that `actions` gives an operator would do; nothing to anybody else."""
    offered = set(actions(view, caller, tried)) if caller.operator else set()
    progress = progress_of(view, tried)
    return [(action, effect(action, progress)) for action in OperatorAction if Action(action.value) in offered]


def check(view: TransferView, caller: Caller, decision: Decision) -> None:
    """Raise NotAllowed where a decision is not the caller's, as far as is on record.

    Of one that can't be taken any more they hear how the transfer stands, of a repeat what it led to.
    """
    act = ACTION_OF[decision]
    if view.state is not TransferState.REQUESTED and refusal(act, progress_of(view)) is None:
        check_theirs(act, _parties(view), caller.id)


def check_resender(view: TransferView, caller: Caller) -> None:
    """Raise NotAllowed where a resend is not the caller's."""
    if not caller.operator:
        check_theirs(Action.RESEND, _parties(view), caller.id)


def progress_of(view: TransferView, tried: Container[StepName] = ()) -> Progress:
    """Say how far a transfer is."""
    change = next((step for step in view.steps if step.name is StepName.CHANGE_OWNERSHIP), None)
    begun = change is not None and (
        change.state not in {StepState.PENDING, StepState.SKIPPED} or change.attempts > 0 or change.name in tried
    )
    step = view.present_step
    settled = view.key_settled or view.step(StepName.ROTATE_CREDENTIALS) is StepState.DONE
    return Progress(
        state=view.state,
        step=step,
        attention=view.attention,
        connection=view.connection,
        change=Change.SETTLED if settled else Change.BEGUN if begun else Change.AHEAD,
        device_step=step if step in DEVICE_STEPS and view.step(step) is StepState.RUNNING else None,
        expired=view.expires_at is not None and view.expires_at <= datetime.now(UTC),
    )


def _parties(view: TransferView) -> Parties:
    return Parties(
        kind=view.kind,
        sender_id=view.requested_by,
        present_owner_id=view.origin.owner_id,
        recipient_id=view.target.owner_id if view.target else None,
        target_group_owners=view.deciders,
    )
