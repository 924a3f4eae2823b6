"""Who may do what to a transfer, and when; and what each of an operator's acts would do, in plain sentences.

Asked wherever an act is taken, offered or described: by the workflow, the steps that write it, the API, pages and
command line. Nobody decides it anew.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from domain.approval import Decision
from domain.errors import AlreadyDecided, NotAllowed, NotPossible, Refusal, TooLate
from domain.ids import UserId
from domain.kinds import Decider, TransferKind, rules_of
from domain.transfer import DEVICE_STEPS, FINAL, Attention, Connection, OperatorAction, StepName, TransferState
from domain.waits import wait_of


class Action(StrEnum):
    """What takes a transfer on: the parties' decisions, the operators' acts."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    RESEND = "resend"
    RETRY = "retry"
    ROLL_BACK = "roll_back"
    COMPLETE = "complete"


#: What each decision is taken as; the clock's comes too late for whatever a decline does.
ACTION_OF: Final = {
    Decision.ACCEPT: Action.ACCEPT,
    Decision.DECLINE: Action.DECLINE,
    Decision.CANCEL: Action.CANCEL,
    Decision.EXPIRE: Action.DECLINE,
}


class Change(StrEnum):
    """How far the change of ownership is."""

    AHEAD = "ahead"
    BEGUN = "begun"
    """And may be written."""
    SETTLED = "settled"
    """The charger has proven its new credentials, or its new owner was given a key to type."""


@dataclass(frozen=True)
class Progress:
    """How far a transfer is."""

    state: TransferState
    step: StepName | None = None
    """The last one that began; None: none yet."""
    attention: Attention = Attention.NONE
    connection: Connection = Connection.KEEP
    change: Change = Change.AHEAD
    device_step: StepName | None = None
    """The step at the charger that is at work, and may be left undone."""
    expired: bool = False
    """The time to decide is over."""

    @property
    def change_begun(self) -> bool:
        """Whether the ownership may have changed."""
        return self.change is not Change.AHEAD

    @property
    def no_way_back(self) -> bool:
        """Whether the change stands: it is settled, its end is being written, or the old credentials ended with it."""
        ended = self.connection is Connection.DELETE and self.change_begun
        return self.change is Change.SETTLED or ended or self.step is StepName.TELL_PARTIES


@dataclass(frozen=True)
class Parties:
    """Whose transfer it is."""

    kind: TransferKind
    sender_id: UserId
    present_owner_id: UserId
    recipient_id: UserId | None
    """None: no account is known."""
    target_group_owners: frozenset[UserId]


# --- who ----------------------------------------------------------------------------------------------------------


def not_theirs(act: Action, parties: Parties, user_id: UserId) -> NotAllowed | None:
    """Say why an act is not a user's; None where it is. An operator's acts are no user's, a resend is theirs, too.

    Accept and decline are the recipient's, of a move to a group any owner's of the target group; a cancel is the
    sender's and the present owner's, a resend the sender's.
    """
    match act:
        case Action.ACCEPT | Action.DECLINE:
            allowed = user_id in _deciders(parties)
            said = f"Only the recipient may {act.value} this transfer; ask them."
        case Action.CANCEL:
            allowed = user_id in {parties.sender_id, parties.present_owner_id}
            said = "Only who asked for the transfer, or the present owner, may cancel it; ask one of them."
        case Action.RESEND:
            allowed = user_id == parties.sender_id
            said = "Only who asked for the transfer, or an operator, may have its link sent again; ask them."
        case Action.RETRY | Action.ROLL_BACK | Action.COMPLETE:
            allowed = False
            said = f"Only an operator may {act.value.replace('_', ' ')}; this takes a key with the scope operator."
        case _:
            assert_never(act)
    return None if allowed else NotAllowed(said)


def _deciders(parties: Parties) -> frozenset[UserId | None]:
    decider = rules_of(parties.kind).decider
    match decider:
        case Decider.TARGET_GROUP_OWNERS:
            return parties.target_group_owners
        case Decider.RECIPIENT:
            return frozenset({parties.recipient_id})
        case _:
            assert_never(decider)


def check_theirs(act: Action, parties: Parties, user_id: UserId) -> None:
    """Raise NotAllowed where an act is not a user's."""
    if refused := not_theirs(act, parties, user_id):
        raise refused


# --- when ---------------------------------------------------------------------------------------------------------

#: What waits for the recipient, or is about to.
_UNDECIDED: Final = frozenset({TransferState.REQUESTED, TransferState.AWAITING_ACCEPTANCE})


def refusal(act: Action, progress: Progress) -> Refusal | None:
    """Say why an act comes too late, too early or to nothing; None where it can be taken, by whoever may."""
    match act:
        case Action.ACCEPT | Action.DECLINE:
            return _not_decidable(act, progress)
        case Action.CANCEL:
            return _not_cancellable(progress)
        case Action.RESEND:
            return _not_asked(progress)
        case Action.RETRY:
            return _nothing_to_try(progress)
        case Action.ROLL_BACK:
            return _no_roll_back(progress)
        case Action.COMPLETE:
            return _nothing_to_leave(progress)
        case _:
            assert_never(act)


def check(act: Action, progress: Progress) -> None:
    """Raise a Refusal where an act can't be taken now, by whoever may."""
    if refused := refusal(act, progress):
        raise refused


def _not_decidable(act: Action, progress: Progress) -> Refusal | None:
    if progress.state not in _UNDECIDED:
        return _decided(progress.state, "it can't be decided any more")
    if progress.expired and act is Action.ACCEPT:
        return TooLate("The request has expired; ask the sender for a new one.")
    return None


def _not_cancellable(progress: Progress) -> Refusal | None:
    state = progress.state
    if state in _UNDECIDED:
        return None
    if state in FINAL:
        return _decided(state, "it can't be decided any more")
    if progress.change_begun:
        return TooLate("The ownership has changed or is about to; ask an operator to roll the transfer back.")
    return None if state is TransferState.TRANSFERRING else _decided(state, "it can't be cancelled any more")


def _not_asked(progress: Progress) -> Refusal | None:
    if progress.state not in _UNDECIDED:
        return _decided(progress.state, "nobody is asked any more")
    return TooLate("The request has expired; start a new one.") if progress.expired else None


def _decided(state: TransferState, so: str) -> AlreadyDecided:
    return AlreadyDecided(f"The transfer is {state.value}; {so}; see how it stands.")


def _nothing_to_try(progress: Progress) -> Refusal | None:
    """Before the end a run that was lost goes on, too."""
    return _over(progress.state, Action.RETRY) if progress.state in FINAL else None


def _no_roll_back(progress: Progress) -> Refusal | None:
    """Say why there is no way back; of what is rolled back already it is tried again."""
    state = progress.state
    if state is TransferState.REQUESTED:
        return NotPossible("The transfer is still being checked; try again in a moment.")
    if state in FINAL:
        return _over(state, Action.ROLL_BACK)
    if state is TransferState.ROLLING_BACK or not progress.no_way_back:
        return None
    if progress.connection is Connection.DELETE:
        return TooLate("The charger's credentials ended with the change of ownership; use retry or complete.")
    if progress.step is StepName.TELL_PARTIES:
        return TooLate("The transfer is about to end; there is no way back.")
    return TooLate("The charger uses its new credentials, or its new owner was given them; use retry or complete.")


def _nothing_to_leave(progress: Progress) -> Refusal | None:
    if progress.state in FINAL:
        return _over(progress.state, Action.COMPLETE)
    if progress.state is TransferState.ROLLING_BACK:
        return NotPossible("A compensation is never left out; use retry.")
    if progress.device_step not in DEVICE_STEPS:
        return NotPossible("Only a step at the charger can be left undone; use retry or roll_back.")
    return None


def _over(state: TransferState, act: Action) -> TooLate:
    return TooLate(f"The transfer is {state.value}; nothing of it is left to {act.value.replace('_', ' ')}.")


# --- what an operator's act would do ------------------------------------------------------------------------------

_NOTED: Final = "noted as the warning left_undone_by_operator"
_LEFT_UNDONE: Final = {
    StepName.QUIET_CHARGER: (
        "Goes on without making the charger inoperative, and without waiting for a charging session that runs; "
        f"{_NOTED}."
    ),
    StepName.REPLACE_LISTS: (
        f"Leaves the charger's local list as it is, for good: tags of the former group may still work there; {_NOTED}."
    ),
    StepName.ROTATE_CREDENTIALS: (
        "Ends the transfer without the charger's proof. Its new credentials stay due: until it has them, its old ones "
        f"let it do nothing but take them; {_NOTED}."
    ),
    StepName.RELEASE_CHARGER: (
        f"Ends the transfer without making the charger operative again; that stays due until it is connected; {_NOTED}."
    ),
}
_STILL_KNOWN: Final = (
    "Ends the transfer with the old key in use, which people know, the former owner among them; the new owner may type "
    f"theirs later; {_NOTED} and old_key_known."
)
NOT_POSSIBLE: Final = "Not possible: "


def effect(action: OperatorAction, progress: Progress) -> str:
    """Say what `action` would do now; where it is refused, NOT_POSSIBLE and why."""
    if refused := refusal(Action(action.value), progress):
        return f"{NOT_POSSIBLE}{refused.message[:1].lower()}{refused.message[1:]}"
    match action:
        case OperatorAction.RETRY:
            return _retry(progress)
        case OperatorAction.ROLL_BACK:
            return _roll_back(progress)
        case OperatorAction.COMPLETE:
            return _complete(progress)
        case _:
            assert_never(action)


def _retry(progress: Progress) -> str:
    if progress.state is TransferState.ROLLING_BACK:
        return "Tries again now to undo what is being undone; nothing is left out."
    if said := wait_of(progress.attention, progress.state).retry:
        return said
    return f"Tries the step {progress.step.value} again now." if progress.step else "Tries again now."


def _roll_back(progress: Progress) -> str:
    if progress.state is TransferState.ROLLING_BACK:
        again = _retry(progress)
        return f"The same as retry: {again[:1].lower()}{again[1:]}"
    if progress.state is TransferState.AWAITING_ACCEPTANCE:
        return "Cancels the transfer; nothing has changed yet."
    if not progress.change_begun:
        return "Undoes the steps so far, in reverse order; owner and group have not changed."
    text = "Undoes every step in reverse order: the former owner and group have the charge point again."
    if progress.step is StepName.ROTATE_CREDENTIALS:
        text += " If the charger turns out to have proven its new credentials, the transfer goes on instead."
    return text


def _complete(progress: Progress) -> str:
    if progress.attention is Attention.NEW_KEY:
        return _STILL_KNOWN
    return "".join(text for step, text in _LEFT_UNDONE.items() if step is progress.device_step)
