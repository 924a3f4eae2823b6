"""How errors are told: one table from error to problem response (RFC 9457), and the texts of what is malformed."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from domain.errors import ErrorCode, HandoverError, InvalidRequest, NotFound, RateLimited, TooLarge, Unavailable
from domain.kinds import TransferKind

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS: Final = 5

#: The one table: the code of an error, the status and the title of its problem.
PROBLEMS: Final[Mapping[ErrorCode, tuple[int, str]]] = {
    ErrorCode.NOT_AUTHENTICATED: (401, "No valid API key"),
    ErrorCode.NOT_ALLOWED: (403, "Not allowed"),
    ErrorCode.NOT_FOUND: (404, "Not found"),
    ErrorCode.TRANSFER_IN_PROGRESS: (409, "A transfer is in progress"),
    ErrorCode.ALREADY_DECIDED: (409, "Already decided"),
    ErrorCode.TOO_LATE: (409, "Too late"),
    ErrorCode.COOLING_DOWN: (409, "Cooling down"),
    ErrorCode.NOT_POSSIBLE: (409, "Not possible"),
    ErrorCode.TOO_LARGE: (413, "Too large"),
    ErrorCode.INVALID_REQUEST: (422, "Invalid request"),
    ErrorCode.IDEMPOTENCY_CONFLICT: (422, "Idempotency-Key used before"),
    ErrorCode.RATE_LIMITED: (429, "Too many tries"),
    ErrorCode.UNAVAILABLE: (503, "Unavailable for the moment"),
}
_HEADERS: Final[Mapping[ErrorCode, dict[str, str]]] = {
    ErrorCode.NOT_AUTHENTICATED: {"WWW-Authenticate": "Bearer"},
    ErrorCode.UNAVAILABLE: {"Retry-After": str(RETRY_AFTER_SECONDS)},
}
#: What a problem looks like, for the OpenAPI document.
SCHEMA: Final[Mapping[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"enum": [code.value for code in PROBLEMS], "description": "Stable: what programs go by."},
        "detail": {"type": "string", "description": "What to do, in a sentence."},
        "errors": {
            "type": "array",
            "description": "The malformed fields.",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
_BODY: Final = "The body must be a JSON object, sent with Content-Type: application/json."
_AWAY: Final = "Something we need does not answer; try again in a moment."
_TAGS: Final = frozenset(kind.value for kind in TransferKind)


def status_of(error: HandoverError) -> int:
    """Give the HTTP status of an error."""
    return PROBLEMS[error.code][0]


def headers_of(error: HandoverError) -> dict[str, str]:
    """Give the headers that go with an error, on a page too."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return {"Retry-After": str(error.retry_after)}
    return _HEADERS.get(error.code, {})


def text_of(error: HandoverError) -> str:
    """Give the sentence for the caller; what is wrong with the server itself is not theirs to read."""
    return _AWAY if error.code is ErrorCode.UNAVAILABLE and not isinstance(error, Unavailable) else error.message


def problem(
    error: HandoverError, *, status: int | None = None, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Render an error; `status` overrides the table's, `more` adds members to the problem."""
    usual, title = PROBLEMS[error.code]
    status = status or usual
    body = {"type": f"urn:handover:problem:{error.code.value}", "title": title, "status": status}
    return JSONResponse(
        {**body, "code": error.code.value, "detail": text_of(error), **more},
        status,
        headers={**headers_of(error), **(headers or {})},
        media_type="application/problem+json",
    )


def unexpected(_request: Request) -> JSONResponse:
    """Render an error that nobody foresaw: to a caller the same as a part that does not answer."""
    return problem(Unavailable(_AWAY))


def too_large(limit: int) -> JSONResponse:
    """Render the refusal of a body above `limit` bytes."""
    return problem(larger_than(limit))


def larger_than(limit: int) -> TooLarge:
    """Give what a body is refused with that is above `limit` bytes."""
    return TooLarge(f"The body is larger than {limit} bytes; send less.")


def note_away(error: HandoverError) -> None:
    """Log why something is unavailable; refusals are the callers' affair and leave no line."""
    if error.code is ErrorCode.UNAVAILABLE:
        log.warning("unavailable: %s (%r)", error, error.__cause__)


def install(app: FastAPI) -> None:
    """Make `app` answer every error with a problem."""
    app.add_exception_handler(HandoverError, _handover_error)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http_error)


async def _handover_error(_request: Request, error: Exception) -> JSONResponse:
    error = cast(HandoverError, error)  # registered for nothing else
    note_away(error)
    return problem(error)


async def _malformed(_request: Request, error: Exception) -> JSONResponse:
    error = cast(RequestValidationError, error)  # registered for nothing else
    if any(fault["loc"][0] == "path" for fault in error.errors()):
        return problem(NotFound("There is nothing with such an id; correct it."))
    faults = [described_fault(fault) for fault in error.errors()]
    return problem(InvalidRequest(" ".join(fault["problem"] for fault in faults)), errors=faults)


def described_fault(fault: Mapping[str, Any]) -> dict[str, str]:
    """Name a field that pydantic finds malformed, and say what is wrong with it and what to do."""
    return {"field": _field(fault), "problem": _sentence(fault)}


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses: unknown paths, wrong methods, bodies that can't be read."""
    error = cast(HTTPException, error)  # registered for nothing else
    headers = error.headers or {}
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(NotFound("There is nothing at this path; /openapi.json lists what there is."))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers.get("Allow", "another method")
        return problem(
            InvalidRequest(f"{request.method} is not possible here; use {allowed}."), status=405, headers=headers
        )
    return problem(InvalidRequest(f"The body can't be read. {_BODY}"))


def _field(fault: Mapping[str, Any]) -> str:
    """Name the field as the caller wrote it: without `body`, and without the union's tag."""
    place: Sequence[Any] = fault["loc"]
    parts = [str(part) for index, part in enumerate(place) if index > 0 and not (index == 1 and part in _TAGS)]
    if fault["type"] == "json_invalid" or not parts:
        return "kind" if fault["type"].startswith("union_tag") else "body"
    return ".".join(parts)


def _sentence(fault: Mapping[str, Any]) -> str:
    """Say what is wrong with a field and what to do; never repeats what was sent."""
    field, context = _field(fault), fault.get("ctx", {})
    match fault["type"]:
        case "json_invalid":
            text = f"The body is not valid JSON at character {fault['loc'][-1]}: {context.get('error')}; correct it."
        case "missing" if field == "body":
            text = f"The body is missing. {_BODY}"
        case "missing":
            text = f"{field} is missing; add it."
        case "extra_forbidden":
            text = f"{field} is not known here; leave it out, or correct its spelling."
        case "union_tag_invalid" | "union_tag_not_found":
            text = f"kind must be one of {', '.join(sorted(_TAGS))}."
        case "model_attributes_type" | "dict_type" | "model_type" if field == "body":
            text = _BODY
        case "string_pattern_mismatch":
            text = f"{field} must be an id: at most 64 letters, digits, `.`, `_` or `-`."
        case "value_error":
            text = f"{field} {context.get('error')}."
        case _:
            message = str(fault["msg"]).removeprefix("Input ").removesuffix(".")
            text = f"{field} {message[:1].lower()}{message[1:]}."
    return text
