"""What the OpenAPI document says of a call: its name, its answers with examples, and every error that it can give."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.examples import Examples
from api.problems import PROBLEMS, RETRY_AFTER_SECONDS, problem
from domain.errors import REFUSALS, ErrorCode, HandoverError, InvalidRequest, Unavailable

#: What every call with a key may come to.
_ANY: Final = (ErrorCode.NOT_AUTHENTICATED, ErrorCode.UNAVAILABLE)
#: What a POST may come to besides.
_POST: Final = (ErrorCode.TOO_LARGE, ErrorCode.INVALID_REQUEST, ErrorCode.IDEMPOTENCY_CONFLICT)
#: What a decision or an operator's act may be too late for.
DECIDED: Final = (
    *(ErrorCode.NOT_ALLOWED, ErrorCode.NOT_FOUND, ErrorCode.ALREADY_DECIDED, ErrorCode.TOO_LATE),
    ErrorCode.NOT_POSSIBLE,
)

#: A sentence for each code, as one call or another gives it.
_SAID: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.NOT_AUTHENTICATED: "The API key is not valid; send a current one as Authorization: Bearer hk_….",
    ErrorCode.NOT_ALLOWED: "Only the charge point's owner, or an owner of its group, may transfer it; ask one of them.",
    ErrorCode.NOT_FOUND: "There is no such transfer, or you have no part in it.",
    ErrorCode.TRANSFER_IN_PROGRESS: "The charge point has a transfer under way; wait for its end, or cancel it.",
    ErrorCode.ALREADY_DECIDED: "The transfer is declined; it can't be decided any more; see how it stands.",
    ErrorCode.TOO_LATE: "The ownership has changed or is about to; ask an operator to roll the transfer back.",
    ErrorCode.COOLING_DOWN: (
        "The charge point's owner changed recently; it can be transferred again from 2026-11-26T06:57:14Z."
    ),
    ErrorCode.NOT_POSSIBLE: "The transfer has not started yet; try again in a moment.",
    ErrorCode.TOO_LARGE: "The body is larger than 65536 bytes; send less.",
    ErrorCode.INVALID_REQUEST: "group_id is missing; add it.",
    ErrorCode.IDEMPOTENCY_CONFLICT: (
        "This Idempotency-Key was used for another request; use a new key, or send the same request again."
    ),
    ErrorCode.RATE_LIMITED: (
        "At most 10 transfers may be started within an hour; try again after 2026-11-25 07:57:12 UTC."
    ),
    ErrorCode.UNAVAILABLE: "The database does not answer; try again in a moment.",
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
    kind: type[HandoverError] = REFUSALS.get(code, Unavailable)
    if kind is InvalidRequest:
        more = {"errors": [{"field": "group_id", "problem": _SAID[code]}], **more}
    found: dict[str, Any] = json.loads(bytes(problem(kind(_SAID[code]), **more).body))
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
