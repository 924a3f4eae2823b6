"""The audit trail's words: each is described, each that is needed is there, and marks say what they are read for."""

import ast
import inspect
import re
from datetime import date

import pytest

from domain import trail
from domain.actors import Actor
from domain.approval import Decision
from domain.charger_orders import ChargerOrder
from domain.errors import ErrorCode
from domain.ids import ID_PATTERN, ChargePointId, LinkId, OrderId
from domain.letters import Subject
from domain.trail import Attempt, TrailAction, of_charge_point, tells_place, without_places
from domain.transfer import FINAL, OperatorAction, TransferState
from tests.conftest import ROOT

#: The actions of a row, and what it says of them, as the table in docs/api.md has them.
_ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|(.*?)\| (.+) \|$", re.MULTILINE)
_LONGEST_ID = "x" * 64


def said() -> dict[str, str]:
    """Give what the docstring of each action says, by its word; empty where it has none."""
    [defined] = ast.parse(inspect.getsource(TrailAction)).body
    assert isinstance(defined, ast.ClassDef)
    found = {}
    for line, after in zip(defined.body, [*defined.body[1:], None], strict=True):
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            doc = after.value if isinstance(after, ast.Expr) else None
            text = doc.value if isinstance(doc, ast.Constant) else ""
            found[TrailAction[line.targets[0].id].value] = str(text)
    return found


def test_every_action_says_what_its_detail_holds() -> None:
    assert list(said()) == list(TrailAction)
    assert [word for word, text in said().items() if not text] == []


def test_every_action_is_in_the_docs_of_the_api_once_with_the_same_keys_and_no_other_is() -> None:
    part = (ROOT / "docs" / "api.md").read_text().partition("## What an audit trail says\n")[2].partition("\n## ")[0]
    rows = [row for row in _ROW.findall(part) if row[0] != "`action`"]
    shown = [(word, sorted(_words(keys))) for words, keys, _ in rows for word in _words(words)]
    held = [(word, sorted(_words(text))) for word, text in said().items()]
    assert sorted(shown) == sorted(held)


def _words(text: str) -> list[str]:
    return re.findall(r"`(\w+)`", text)


def test_every_decision_end_order_and_attempt_has_a_word_of_its_own() -> None:
    led_to = FINAL | {TransferState.TRANSFERRING, TransferState.ROLLING_BACK}
    assert {trail.of_state(state) for state in led_to} == {TrailAction(state.value) for state in led_to}
    assert [trail.of_resolution(one) for one in OperatorAction] == [f"resolved_{one}" for one in OperatorAction]
    assert [trail.of_refused(one) for one in Attempt] == [f"{one}_refused" for one in Attempt]
    assert {one.value for one in Decision} - {Decision.EXPIRE} <= {one.value for one in Attempt}


def test_a_mark_is_read_back_and_no_other_is_taken_for_it() -> None:
    for decision in Decision:
        assert trail.read_decided(trail.decided(decision, Actor("user:u-1"))) == (decision, Actor("user:u-1"))
    assert trail.read_resent(trail.resent(OrderId("a:b"))) == "a:b"
    others = [
        *(trail.once(action) for action in TrailAction),
        trail.FINISHED,
        trail.told(Subject.ENDED),
        trail.asked(1, 0),
        trail.account_opened(LinkId("l")),
        trail.attempt_refused(Attempt.CANCEL, Actor("user:u-1"), ErrorCode.TOO_LATE),
        trail.held(Attempt.PAUSE, "act"),
        trail.noted(TrailAction.ROLLING_BACK, ""),
        trail.ordered(ChargerOrder.ROTATE_KEY, OrderId("act")),
    ]
    assert [trail.read_decided(mark) for mark in others] == [None] * len(others)
    assert [trail.read_resent(mark) for mark in others] == [None] * len(others)


def test_the_end_is_told_under_the_mark_that_is_looked_for() -> None:
    assert trail.told(Subject.ENDED) == trail.TOLD_OF_END


@pytest.mark.parametrize("code", ErrorCode)
def test_the_longest_marks_fit_their_column(code: ErrorCode) -> None:
    actor, day = Actor(f"operator:{_LONGEST_ID}"), date(2026, 11, 29)
    marks = [
        trail.request_refused(Actor(f"user:{_LONGEST_ID}"), code, day),
        trail.ended_key_tried("6f1c2a9e-0000-0000-0000-000000000000", day, 2**31, awaited=True),
        trail.two_holders(day, 2**31),
        *(trail.ordered(order, OrderId(f"ord_{'0' * 32}")) for order in ChargerOrder),
        *(trail.noted(trail.of_resolution(action), f"resolve-ord_{'0' * 32}-{'0' * 8}") for action in OperatorAction),
        *(trail.attempt_refused(attempt, actor, code) for attempt in Attempt),
    ]
    assert max(map(len, marks)) <= 128


def test_a_charge_points_trail_is_no_transfers() -> None:
    subject = of_charge_point(ChargePointId(_LONGEST_ID))
    assert ID_PATTERN.fullmatch(_LONGEST_ID)
    assert not ID_PATTERN.fullmatch(subject)
    assert len(subject) <= 80


def test_what_tells_where_somebody_is_is_left_out_wherever_it_stands() -> None:
    detail = {
        "purpose": "transfer",
        "address": "203.0.113.9",
        "holder_address": "203.0.113.10",
        "connection": {"generation": 3, "address": "203.0.113.9"},
        "modems": [{"iccid": "89", "imsi": "26", "slot": 1}],
    }
    left = {"purpose": "transfer", "connection": {"generation": 3}, "modems": [{"slot": 1}]}
    assert without_places(detail) == left
    assert tells_place(detail)
    assert not tells_place(left)
