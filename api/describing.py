"""What the OpenAPI document says of a call: its name, its answers with examples, and every error that it can give."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from api.examples import Examples
from api.problems import PROBLEMS, RETRY_AFTER_SECONDS, described_fault, larger_than, problem
from domain.errors import (
    ErrorCode,
    HandoverError,
    IdempotencyConflict,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    TransferInProgress,
    Unavailable,
)
from domain.ids import UserId
from domain.kinds import TransferKind
from domain.rights import DEFAULT_COOL_DOWN, UNDER_WAY, CoolingDownUntil
from domain.transfer import TransferState
from domain.transitions import Action, Change, Parties, Progress, not_theirs, refusal
from persistence.intake.idempotency import CONFLICT
from persistence.intake.limits import STARTS, rate_limited
from persistence.people.callers import NOT_VALID
from persistence.session import AWAY
from persistence.views.transfer_reads import NO_TRANSFER

#: What every call with a key may come to.
_ANY: Final = (ErrorCode.NOT_AUTHENTICATED, ErrorCode.UNAVAILABLE)
#: What a POST may come to besides.
_POST: Final = (ErrorCode.TOO_LARGE, ErrorCode.INVALID_REQUEST, ErrorCode.IDEMPOTENCY_CONFLICT)
#: What a decision or an operator's act may be too late for.
DECIDED: Final = (
    *(ErrorCode.NOT_ALLOWED, ErrorCode.NOT_FOUND, ErrorCode.ALREADY_DECIDED, ErrorCode.TOO_LATE),
    *(ErrorCode.NOT_POSSIBLE, ErrorCode.RATE_LIMITED),
)

_NOW: Final = datetime(2026, 11, 25, 6, 57, 12, tzinfo=UTC)
_FAULT: Final = described_fault({"type": "missing", "loc": ("body", "move_to_group", "group_id")})
_PARTIES: Final = Parties(
    TransferKind.TRANSFER_OWNERSHIP, UserId("amelie"), UserId("amelie"), UserId("ben"), frozenset()
)
#: What each code may come of, as the rules themselves say it.
_SAID: Final[Mapping[ErrorCode, HandoverError]] = {
    error.code: error
    for error in (
        NotAuthenticated(NOT_VALID),
        not_theirs(Action.CANCEL, _PARTIES, UserId("chloe")),
        NotFound(NO_TRANSFER),
        TransferInProgress(UNDER_WAY),
        refusal(Action.ACCEPT, Progress(TransferState.DECLINED)),
        refusal(Action.CANCEL, Progress(TransferState.TRANSFERRING, change=Change.BEGUN)),
        CoolingDownUntil(_NOW + DEFAULT_COOL_DOWN),
        refusal(Action.ROLL_BACK, Progress(TransferState.REQUESTED)),
        larger_than(64 * 1024),
        InvalidRequest(_FAULT["problem"]),
        IdempotencyConflict(CONFLICT),
        rate_limited(STARTS.format(10), _NOW + timedelta(hours=1), _NOW),
        Unavailable(AWAY),
    )
    if error is not None
}
_RETRY_AFTER: Final = {
    "description": "After how many seconds to try again.",
    "schema": {"type": "integer", "minimum": 0},
    "example": RETRY_AFTER_SECONDS,
}
_HEADERS: Final[Mapping[int, Mapping[str, Any]]] = {
    401: {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"const": "Bearer"}}},
    429: {"Retry-After": _RETRY_AFTER},
    503: {"Retry-After": _RETRY_AFTER},
}
PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}


def call(
    name: str,
    summary: str,
    examples: Examples,
    *errors: ErrorCode,
    answered: str = "Done.",
    status: int = 200,
    post: bool = False,
    more: Mapping[int, Mapping[str, Any]] | None = None,
    **usual: Any,
) -> dict[str, Any]:
    """Give what a route's decorator takes.

    `name` is its operation id, `answered` describes its usual answer, `errors` are those that not every call can give,
    `more` describes its other answers, each with its own examples; `usual` says more of the usual one.
    """
    codes = [*_ANY, *(_POST if post else ()), *errors]
    usual |= {"description": answered, "content": {"application/json": {"examples": examples}}}
    return {
        "operation_id": name,
        "summary": summary,
        "status_code": status,
        "responses": {status: usual, **(more or {}), **_problems(codes)},
    }


def example_of(code: ErrorCode, **more: Any) -> dict[str, Any]:
    """Give the problem that a code is told as, as callers get it."""
    if code is ErrorCode.INVALID_REQUEST:
        more = {"errors": [_FAULT], **more}
    found: dict[str, Any] = json.loads(bytes(problem(_SAID[code], **more).body))
    return found


def described(code: ErrorCode, *, example: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the one problem that an answer can be."""
    (told,) = _problems([code]).values()
    told["content"]["application/problem+json"]["examples"] = {code.value: {"summary": "For example", "value": example}}
    return told


def _problems(codes: Sequence[ErrorCode]) -> dict[int, dict[str, Any]]:
    """Describe the problem of each status that the codes have, with an example for each code."""
    found: dict[int, dict[str, Any]] = {}
    for code in PROBLEMS:
        if code not in codes:
            continue
        status, title = PROBLEMS[code]
        told = found.setdefault(status, {"description": "", "content": {"application/problem+json": {}}})
        told["description"] = " ".join(filter(None, [told["description"], f"{title}: `{code.value}`."]))
        content = told["content"]["application/problem+json"]
        content["schema"] = PROBLEM
        content.setdefault("examples", {})[code.value] = {"summary": title, "value": example_of(code)}
        if status in _HEADERS:
            told["headers"] = _HEADERS[status]
    return found
