"""Every refusal there is, and the way back to it from its code."""

import pytest

from domain import errors
from domain.errors import REFUSALS, ErrorCode, HandoverError, Refusal, Unavailable

CLASSES = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, HandoverError) and found not in {HandoverError, Refusal}
]

#: docs/api.md, the table of problem codes.
CODES = {
    *("not_authenticated", "not_allowed", "not_found", "transfer_in_progress", "already_decided", "too_late"),
    *("cooling_down", "not_possible", "too_large", "invalid_request", "idempotency_conflict", "rate_limited"),
    "unavailable",
}


def test_the_codes_are_those_of_the_api() -> None:
    assert {code.value for code in ErrorCode} == CODES


def test_every_code_has_one_class_and_every_class_its_code() -> None:
    assert sorted(found.code for found in CLASSES) == sorted(ErrorCode)


def test_every_refusal_is_found_by_its_code() -> None:
    assert {code: REFUSALS[code] for code in CODES - {"unavailable"}} == {
        found.code.value: found for found in CLASSES if issubclass(found, Refusal)
    }
    assert set(REFUSALS) == CODES - {"unavailable"}


def test_what_may_succeed_later_is_no_refusal() -> None:
    assert not issubclass(Unavailable, Refusal)


@pytest.mark.parametrize("found", CLASSES)
def test_an_error_says_its_message(found: type[HandoverError]) -> None:
    error = found("Do this.")
    assert error.message == str(error) == "Do this."


def test_the_tree_in_the_docstring_names_every_class() -> None:
    assert errors.__doc__ is not None
    assert all(found.__name__ in errors.__doc__ for found in CLASSES)
