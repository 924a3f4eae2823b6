"""What an operator's actions are said to do, against what the workflow takes."""

import itertools

import pytest

from domain.operator import effect
from domain.transfer import ACTIVE, DEVICE_STEPS, FINAL, Attention, Connection, OperatorAction, StepName, TransferState

RETRY, ROLL_BACK, COMPLETE = OperatorAction
S = TransferState
NO = "Not possible: "


def test_every_action_in_every_standing_is_said_in_whole_sentences() -> None:
    every = itertools.product(OperatorAction, S, [None, *StepName], Attention, Connection, (True, False))
    for action, state, step, attention, connection, no_way_back in every:
        text = effect(action, state, step, attention=attention, connection=connection, no_way_back=no_way_back)
        assert text.endswith("."), text
        assert text[0].isupper(), text


@pytest.mark.parametrize("state", sorted(ACTIVE))
def test_retry_is_possible_at_any_time_and_names_its_step(state: TransferState) -> None:
    texts = {step: effect(RETRY, state, step) for step in StepName}
    assert not any(text.startswith(NO) for text in texts.values())
    assert state is S.ROLLING_BACK or all(step.value in text for step, text in texts.items())


def test_of_an_ended_transfer_only_the_letters_can_be_tried_again() -> None:
    for state in FINAL:
        assert effect(RETRY, state, StepName.TELL_PARTIES) == "Tries the step tell_parties again now."
        for action, step in itertools.product(OperatorAction, set(StepName) - {StepName.TELL_PARTIES}):
            assert effect(action, state, step).startswith(f"{NO}the transfer is {state.value}")


def test_where_it_waits_retry_looks_again() -> None:
    def text(attention: Attention) -> str:
        return effect(RETRY, S.RECONFIGURING, StepName.ROTATE_CREDENTIALS, attention=attention)

    assert "whether the charger is connected" in text(Attention.CHARGER_OFFLINE)
    assert "whether the charging session has ended" in text(Attention.SESSION_RUNNING)
    assert text(Attention.OPERATOR) == text(Attention.RETRYING) == "Tries the step rotate_credentials again now."
    asked = effect(RETRY, S.AWAITING_ACCEPTANCE, StepName.ASK_RECIPIENT, attention=Attention.RECIPIENT)
    assert asked.startswith("Changes nothing")
    unsent = effect(RETRY, S.AWAITING_ACCEPTANCE, StepName.ASK_RECIPIENT, attention=Attention.OPERATOR)
    assert unsent == "Tries the step ask_recipient again now."


@pytest.mark.parametrize(
    ("state", "step", "says"),
    [
        (S.REQUESTED, None, f"{NO}the transfer is still being checked"),
        (S.AWAITING_ACCEPTANCE, StepName.ASK_RECIPIENT, "Cancels the transfer"),
        (S.TRANSFERRING, StepName.QUIET_CHARGER, "owner and group have not changed"),
        (S.TRANSFERRING, StepName.CHANGE_OWNERSHIP, "the former owner and group have the charge point again"),
        (S.RECONFIGURING, StepName.REPLACE_LISTS, "the former owner and group have the charge point again"),
        (S.RECONFIGURING, StepName.ROTATE_CREDENTIALS, "If the charger turns out to have proven"),
        (S.ROLLING_BACK, StepName.ROTATE_CREDENTIALS, "The same as retry: tries again now"),
    ],
)
def test_roll_back_says_how_far_back_it_goes(state: TransferState, step: StepName | None, says: str) -> None:
    assert says in effect(ROLL_BACK, state, step)


def test_behind_the_point_of_no_return_there_is_no_way_back() -> None:
    for step in (StepName.REPLACE_LISTS, StepName.RELEASE_CHARGER):
        proven = effect(ROLL_BACK, S.RECONFIGURING, step, no_way_back=True)
        revoked = effect(ROLL_BACK, S.RECONFIGURING, step, no_way_back=True, connection=Connection.DELETE)
        assert proven.startswith(f"{NO}the charger uses its new credentials")
        assert revoked.startswith(f"{NO}the charger's credentials ended with the change")
    assert not effect(ROLL_BACK, S.RECONFIGURING, StepName.REPLACE_LISTS, connection=Connection.DELETE).startswith(NO)


@pytest.mark.parametrize("state", [S.TRANSFERRING, S.RECONFIGURING])
def test_complete_leaves_out_steps_at_the_charger_only_and_says_so_in_a_warning(state: TransferState) -> None:
    possible = {step for step in StepName if "left_undone_by_operator" in effect(COMPLETE, state, step)}
    assert possible == DEVICE_STEPS
    assert len({effect(COMPLETE, state, step) for step in DEVICE_STEPS}) == len(DEVICE_STEPS)
    refused = {step for step in StepName if effect(COMPLETE, state, step).startswith(NO)}
    assert refused == set(StepName) - DEVICE_STEPS


def test_a_compensation_is_never_left_out() -> None:
    for step in StepName:
        assert effect(COMPLETE, S.ROLLING_BACK, step) == f"{NO}a compensation is never left out; use retry."
