"""Who may do what to a transfer, and when; and what an operator's actions are said to do."""

import itertools
from typing import Any

import pytest

from domain.errors import AlreadyDecided, NotPossible, TooLate
from domain.ids import UserId
from domain.kinds import TransferKind
from domain.transfer import ACTIVE, DEVICE_STEPS, FINAL, Attention, Connection, OperatorAction, StepName, TransferState
from domain.transitions import NOT_POSSIBLE, Action, Change, Parties, Progress, effect, not_theirs, refusal

A, S = Action, TransferState
WHO = {name: UserId(name) for name in ("sender", "owner", "recipient", "group_owner", "stranger")}
ENDED = sorted(FINAL)
UNDONE = "the former owner and group have the charge point again"
LATER = (S.TRANSFERRING, S.RECONFIGURING, S.ROLLING_BACK)


def every() -> list[Progress]:
    """Every standing that can be told."""
    steps: tuple[StepName | None, ...] = (None, *StepName)
    product = itertools.product(S, steps, Attention, Connection, Change, (True, False))
    return [
        Progress(
            state,
            step,
            attention,
            connection,
            change=change,
            device_step=step if at_device and step in DEVICE_STEPS else None,
        )
        for state, step, attention, connection, change, at_device in product
    ]


# --- who ----------------------------------------------------------------------------------------------------------

#: Accept and decline are the recipient's (of a move: any owner of the target group), cancel the sender's and the
#: present owner's, a resend the sender's; what operators do is no user's.
THEIRS = {
    **{(kind, A.CANCEL): {"sender", "owner"} for kind in TransferKind},
    **{(kind, A.RESEND): {"sender"} for kind in TransferKind},
    **{(kind, Action(action.value)): set[str]() for kind in TransferKind for action in OperatorAction},
    **{
        (kind, act): {"group_owner"} if kind is TransferKind.MOVE_TO_GROUP else {"recipient"}
        for kind in TransferKind
        for act in (A.ACCEPT, A.DECLINE)
    },
}


@pytest.mark.parametrize("kind", TransferKind)
@pytest.mark.parametrize("act", Action)
def test_an_act_is_whose_it_is(kind: TransferKind, act: Action) -> None:
    owners = frozenset({WHO["group_owner"]})
    parties = Parties(kind, WHO["sender"], WHO["owner"], WHO["recipient"], owners)
    assert {name for name, user_id in WHO.items() if not_theirs(act, parties, user_id) is None} == THEIRS[kind, act]


@pytest.mark.parametrize("kind", TransferKind)
def test_where_no_account_is_known_nobody_accepts(kind: TransferKind) -> None:
    parties = Parties(kind, WHO["sender"], WHO["owner"], None, frozenset())
    assert all(not_theirs(A.ACCEPT, parties, user_id) for user_id in WHO.values())


# --- when ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [A.ACCEPT, A.DECLINE, A.RESEND])
def test_the_recipients_answer_counts_until_there_is_one(act: Action) -> None:
    for state in S:
        refused = refusal(act, Progress(state))
        assert (refused is None) == (state in {S.REQUESTED, S.AWAITING_ACCEPTANCE})
        assert refused is None or isinstance(refused, AlreadyDecided)


def test_after_its_time_it_can_be_declined_and_cancelled_only() -> None:
    late = Progress(S.AWAITING_ACCEPTANCE, expired=True)
    refused = {act for act in (A.ACCEPT, A.DECLINE, A.CANCEL, A.RESEND) if refusal(act, late)}
    assert refused == {A.ACCEPT, A.RESEND}
    assert all(isinstance(refusal(act, late), TooLate) for act in refused)


@pytest.mark.parametrize("change", Change)
def test_a_cancel_counts_until_the_change_of_ownership_begins(change: Change) -> None:
    kinds = {state: type(refusal(A.CANCEL, Progress(state, change=change))) for state in S}
    begun = change is not Change.AHEAD
    none, late = type(None), TooLate if begun else AlreadyDecided
    assert kinds == dict.fromkeys(S, late) | dict.fromkeys(FINAL, AlreadyDecided) | {
        S.REQUESTED: none,
        S.AWAITING_ACCEPTANCE: none,
        S.TRANSFERRING: TooLate if begun else none,
    }


@pytest.mark.parametrize("attention", Attention)
def test_after_the_end_nothing_can_be_tried_again(attention: Attention) -> None:
    for state in S:
        assert (refusal(A.RETRY, Progress(state, attention=attention)) is None) is (state not in FINAL)


@pytest.mark.parametrize("connection", Connection)
def test_there_is_a_way_back_until_the_keys_are_settled(connection: Connection) -> None:
    def kind(state: TransferState, **how: Any) -> type[object]:
        return type(refusal(A.ROLL_BACK, Progress(state, connection=connection, **how)))

    assert {state for state in S if kind(state) is type(None)} == {S.AWAITING_ACCEPTANCE, *LATER}
    assert kind(S.REQUESTED) is NotPossible
    forward = (S.TRANSFERRING, S.RECONFIGURING)
    ends_old = connection is Connection.DELETE
    assert {kind(state, change=Change.BEGUN) for state in forward} == {TooLate if ends_old else type(None)}
    assert {kind(state, change=Change.SETTLED) for state in forward} == {TooLate}
    assert {kind(state, step=StepName.TELL_PARTIES) for state in forward} == {TooLate}, "its end is being written"
    for how in ({"change": Change.SETTLED}, {"step": StepName.TELL_PARTIES}):
        assert kind(S.ROLLING_BACK, **how) is type(None), "it means retry, to its very end"


def test_why_there_is_no_way_back_is_said_as_it_is() -> None:
    def text(connection: Connection, step: StepName) -> str:
        refused = refusal(A.ROLL_BACK, Progress(S.RECONFIGURING, step, connection=connection, change=Change.SETTLED))
        assert refused is not None
        return refused.message

    for step in (StepName.REPLACE_LISTS, StepName.RELEASE_CHARGER):
        assert text(Connection.KEEP, step).startswith("The charger uses its new credentials")
        assert text(Connection.DELETE, step).startswith("The charger's credentials ended with the change")
    assert text(Connection.KEEP, StepName.TELL_PARTIES).startswith("The transfer is about to end")


def test_only_a_step_at_the_charger_is_left_undone_and_only_on_the_way_forward() -> None:
    for state, step in itertools.product(S, StepName):
        possible = refusal(A.COMPLETE, Progress(state, step, device_step=step)) is None
        forward = state not in FINAL and state is not S.ROLLING_BACK
        assert possible is (forward and step in DEVICE_STEPS)
        assert refusal(A.COMPLETE, Progress(state, step)) is not None


# --- what an operator's act would do ------------------------------------------------------------------------------


def test_every_action_in_every_standing_is_said_in_whole_sentences() -> None:
    for action, progress in itertools.product(OperatorAction, every()):
        text, refused = effect(action, progress), refusal(Action(action.value), progress)
        assert text.endswith("."), text
        assert text[0].isupper(), text
        assert text.startswith(NOT_POSSIBLE) is (refused is not None)
        assert refused is None or text.lower() == f"{NOT_POSSIBLE}{refused.message}".lower()


@pytest.mark.parametrize("state", sorted(ACTIVE))
def test_retry_names_the_step_that_it_tries(state: TransferState) -> None:
    for step in StepName:
        text = effect(OperatorAction.RETRY, Progress(state, step, Attention.OPERATOR))
        assert state is S.ROLLING_BACK or text == f"Tries the step {step.value} again now."


@pytest.mark.parametrize("state", ENDED)
def test_of_an_ended_transfer_nothing_can_be_tried_again(state: TransferState) -> None:
    for action in OperatorAction:
        assert effect(action, Progress(state)).startswith(f"{NOT_POSSIBLE}the transfer is {state.value}")


def test_where_it_waits_retry_looks_again() -> None:
    def text(attention: Attention) -> str:
        return effect(OperatorAction.RETRY, Progress(S.RECONFIGURING, StepName.ROTATE_CREDENTIALS, attention))

    assert "whether the charger is connected" in text(Attention.CHARGER_OFFLINE)
    assert "whether the charging session has ended" in text(Attention.SESSION_RUNNING)
    assert "the new owner's key" in text(Attention.NEW_KEY)
    assert text(Attention.RECIPIENT).startswith("Changes nothing")
    assert text(Attention.OPERATOR) == text(Attention.RETRYING) == "Tries the step rotate_credentials again now."


@pytest.mark.parametrize(
    ("state", "step", "change", "says"),
    [
        (S.AWAITING_ACCEPTANCE, StepName.ASK_RECIPIENT, Change.AHEAD, "Cancels the transfer"),
        (S.TRANSFERRING, StepName.QUIET_CHARGER, Change.AHEAD, "owner and group have not changed"),
        (S.TRANSFERRING, StepName.CHANGE_OWNERSHIP, Change.BEGUN, UNDONE),
        (S.RECONFIGURING, StepName.REPLACE_LISTS, Change.BEGUN, UNDONE),
        (S.RECONFIGURING, StepName.ROTATE_CREDENTIALS, Change.BEGUN, "If the charger turns out to have proven"),
        (S.ROLLING_BACK, StepName.ROTATE_CREDENTIALS, Change.BEGUN, "The same as retry: tries again now"),
    ],
)
def test_roll_back_says_how_far_back_it_goes(
    state: TransferState, step: StepName | None, change: Change, says: str
) -> None:
    assert says in effect(OperatorAction.ROLL_BACK, Progress(state, step, change=change))


@pytest.mark.parametrize("state", [S.TRANSFERRING, S.RECONFIGURING])
def test_what_complete_leaves_undone_is_a_warning_and_each_step_has_words_of_its_own(state: TransferState) -> None:
    texts = {step: effect(OperatorAction.COMPLETE, Progress(state, step, device_step=step)) for step in DEVICE_STEPS}
    assert all("left_undone_by_operator" in text for text in texts.values())
    assert len(set(texts.values())) == len(DEVICE_STEPS)
    waits = Progress(state, attention=Attention.NEW_KEY, device_step=StepName.ROTATE_CREDENTIALS)
    assert "old_key_known" in effect(OperatorAction.COMPLETE, waits)
