"""The states of a transfer, and the steps at its charger."""

import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.transfer import (
    ACTIVE,
    DEVICE_STEPS,
    FINAL,
    Connection,
    DeviceSteps,
    StepName,
    TransferState,
    device_steps,
    may_follow,
)

S = TransferState

#: The arrows of docs/rules.md's diagram, written out.
ARROWS = {
    (S.REQUESTED, S.REFUSED),
    (S.REQUESTED, S.AWAITING_ACCEPTANCE),
    (S.REQUESTED, S.TRANSFERRING),
    (S.AWAITING_ACCEPTANCE, S.DECLINED),
    (S.AWAITING_ACCEPTANCE, S.CANCELLED),
    (S.AWAITING_ACCEPTANCE, S.EXPIRED),
    (S.AWAITING_ACCEPTANCE, S.TRANSFERRING),
    (S.TRANSFERRING, S.RECONFIGURING),
    (S.TRANSFERRING, S.ROLLING_BACK),
    (S.RECONFIGURING, S.COMPLETED),
    (S.RECONFIGURING, S.COMPLETED_WITH_WARNINGS),
    (S.RECONFIGURING, S.ROLLING_BACK),
    (S.ROLLING_BACK, S.ROLLED_BACK),
}
ENDS = {S.REFUSED, S.DECLINED, S.CANCELLED, S.EXPIRED, S.COMPLETED, S.COMPLETED_WITH_WARNINGS, S.ROLLED_BACK}


def test_the_table_is_the_diagram() -> None:
    assert {pair for pair in itertools.product(S, S) if may_follow(*pair)} == ARROWS


def test_every_state_is_either_the_first_or_active_or_final() -> None:
    assert frozenset(ENDS) == FINAL
    assert frozenset({S.AWAITING_ACCEPTANCE, S.TRANSFERRING, S.RECONFIGURING, S.ROLLING_BACK}) == ACTIVE
    assert ACTIVE | FINAL | {S.REQUESTED} == set(S)
    assert not ACTIVE & FINAL


def test_every_state_is_reached_and_every_path_ends() -> None:
    paths: list[tuple[TransferState, ...]] = [(S.REQUESTED,)]
    reached, longest = set(), 0
    while paths:
        path = paths.pop()
        assert len(set(path)) == len(path), "a state comes back"
        reached.add(path[-1])
        longest = max(longest, len(path))
        followers = [state for state in S if may_follow(path[-1], state)]
        assert followers or path[-1] in ENDS
        paths += [(*path, state) for state in followers]
    assert reached == set(S)
    assert longest == 6


class Life(RuleBasedStateMachine):
    """Any transfer, moved at random: what may follow does, nothing else, and nothing follows an end."""

    def __init__(self) -> None:
        super().__init__()
        self.states = [S.REQUESTED]

    @precondition(lambda self: self.states[-1] not in FINAL)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        followers = sorted(state for state in S if may_follow(self.states[-1], state))
        self.states.append(data.draw(st.sampled_from(followers)))

    @rule(wanted=st.sampled_from(list(S)))
    def jump(self, wanted: TransferState) -> None:
        assert may_follow(self.states[-1], wanted) is ((self.states[-1], wanted) in ARROWS)

    @invariant()
    def nothing_follows_an_end(self) -> None:
        assert not any(state in FINAL for state in self.states[:-1])

    @invariant()
    def it_is_reserved_in_one_stretch(self) -> None:
        reserved = [state in ACTIVE for state in self.states]
        assert len(list(itertools.groupby(reserved))) <= 3

    def teardown(self) -> None:
        for _ in S:
            if self.states[-1] in FINAL:
                return
            self.states.append(min(state for state in S if may_follow(self.states[-1], state)))
        raise AssertionError(self.states)


TestLife = Life.TestCase

#: docs/rules.md, `device steps`: quiet, lists, rotate, revoke.
DEVICE = {
    "owner stays": ((False, True, Connection.KEEP), (False, True, False, False)),
    "owner changes, group stays": ((True, False, Connection.KEEP), (False, False, True, False)),
    "to a user, keep": ((True, True, Connection.KEEP), (True, True, True, False)),
    "to a user, delete": ((True, True, Connection.DELETE), (True, True, False, True)),
}


@pytest.mark.parametrize(("what", "steps"), DEVICE.values(), ids=list(DEVICE))
def test_the_charger_is_told_what_the_table_says(
    what: tuple[bool, bool, Connection], steps: tuple[bool, bool, bool, bool]
) -> None:
    owner_changes, group_changes, connection = what
    told = device_steps(owner_changes=owner_changes, group_changes=group_changes, connection=connection)
    assert told == DeviceSteps(*steps)


def test_an_operator_may_leave_out_steps_at_the_charger_only() -> None:
    assert {
        StepName.QUIET_CHARGER,
        StepName.REPLACE_LISTS,
        StepName.ROTATE_CREDENTIALS,
        StepName.RELEASE_CHARGER,
    } == DEVICE_STEPS
