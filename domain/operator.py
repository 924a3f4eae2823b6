"""What each of an operator's actions would do to a transfer, in plain sentences: the same wherever it is read."""

from typing import Final

from domain.transfer import DEVICE_STEPS, FINAL, Attention, Connection, OperatorAction, StepName, TransferState

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
_RETRIED: Final = {
    Attention.RECIPIENT: "Changes nothing: the recipient has been asked, and the decision is theirs.",
    Attention.CHARGER_OFFLINE: ("Looks now whether the charger is connected, and goes on waiting where it is not."),
    Attention.NEW_KEY: (
        "Looks now whether the charger uses the new owner's key, and goes on waiting where it does not."
    ),
    Attention.SESSION_RUNNING: (
        "Looks now whether the charging session has ended, and goes on waiting where it has not."
    ),
}
_STILL_KNOWN: Final = (
    "Ends the transfer with the old key in use, which people know, the former owner among them; the new owner may type "
    f"theirs later; {_NOTED} and old_key_known."
)


def effect(
    action: OperatorAction,
    state: TransferState,
    step: StepName | None,
    *,
    attention: Attention = Attention.NONE,
    connection: Connection = Connection.KEEP,
    no_way_back: bool = False,
) -> str:
    """Say what `action` would do now, of a transfer in `state` whose last step that began is `step` (None: none yet).

    Where it can't be taken the sentence begins with `Not possible: ` and says what can. `no_way_back`: the charger has
    proven its new credentials, or its old ones are revoked.
    """
    match action:
        case OperatorAction.RETRY:
            return _retry(state, step, attention)
        case OperatorAction.ROLL_BACK:
            return _roll_back(state, step, connection, no_way_back=no_way_back)
        case OperatorAction.COMPLETE:
            return _complete(state, step, attention)


def _retry(state: TransferState, step: StepName | None, attention: Attention) -> str:
    if state is TransferState.ROLLING_BACK:
        return "Tries again now to undo what is being undone; nothing is left out."
    if attention in _RETRIED:
        return _RETRIED[attention]
    if state in FINAL and step is not StepName.TELL_PARTIES:
        return f"Not possible: the transfer is {state.value}; nothing is left to try."
    return f"Tries the step {step.value} again now." if step else "Tries again now."


def _roll_back(state: TransferState, step: StepName | None, connection: Connection, *, no_way_back: bool) -> str:
    if state is TransferState.ROLLING_BACK:
        again = _retry(state, step, Attention.NONE)
        return f"The same as retry: {again[:1].lower()}{again[1:]}"
    if refusal := _no_roll_back(state, connection, no_way_back=no_way_back):
        return f"Not possible: {refusal}"
    if state is TransferState.AWAITING_ACCEPTANCE:
        return "Cancels the transfer; nothing has changed yet."
    if state is TransferState.TRANSFERRING and step is not StepName.CHANGE_OWNERSHIP:
        return "Undoes the steps so far, in reverse order; owner and group have not changed."
    text = "Undoes every step in reverse order: the former owner and group have the charge point again."
    if step is StepName.ROTATE_CREDENTIALS:
        text += " If the charger turns out to have proven its new credentials, the transfer goes on instead."
    return text


def _no_roll_back(state: TransferState, connection: Connection, *, no_way_back: bool) -> str | None:
    """Say why there is no way back; None where there is one."""
    if state in FINAL:
        return f"the transfer is {state.value}."
    if state is TransferState.REQUESTED:
        return "the transfer is still being checked; try again in a moment."
    if no_way_back and connection is Connection.DELETE:
        return "the charger's credentials ended with the change of ownership; use retry or complete."
    if no_way_back:
        return "the charger uses its new credentials, or its new owner was given them; use retry or complete."
    return None


def _complete(state: TransferState, step: StepName | None, attention: Attention) -> str:
    if state in FINAL:
        return f"Not possible: the transfer is {state.value}."
    if state is TransferState.ROLLING_BACK:
        return "Not possible: a compensation is never left out; use retry."
    if step is None or step not in DEVICE_STEPS:
        return "Not possible: only a step at the charger can be left undone; use retry or roll_back."
    return _STILL_KNOWN if attention is Attention.NEW_KEY else _LEFT_UNDONE[step]
