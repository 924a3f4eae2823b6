"""Every refusal there is.

HandoverError
├── Refusal             a business rule says no; final, never retried
│   ├── NotAuthenticated
│   ├── NotAllowed
│   ├── NotFound
│   ├── TransferInProgress
│   ├── AlreadyDecided
│   ├── TooLate
│   ├── CoolingDown
│   ├── NotPossible
│   ├── TooLarge
│   ├── InvalidRequest
│   ├── IdempotencyConflict
│   └── RateLimited
└── Unavailable         a part we need does not answer; the same call may succeed later

A refusal's text is shown to the caller as it is: it says what to do, and holds no address, name or key.
"""

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """The stable `code` of a problem response and of a refusal that crosses Temporal."""

    NOT_AUTHENTICATED = "not_authenticated"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    TRANSFER_IN_PROGRESS = "transfer_in_progress"
    ALREADY_DECIDED = "already_decided"
    TOO_LATE = "too_late"
    COOLING_DOWN = "cooling_down"
    NOT_POSSIBLE = "not_possible"
    TOO_LARGE = "too_large"
    INVALID_REQUEST = "invalid_request"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


class HandoverError(Exception):
    """Root of everything this project raises on purpose."""

    code: ClassVar[ErrorCode]

    def __init__(self, message: str) -> None:
        """Keep `message`, a sentence for the caller."""
        super().__init__(message)
        self.message = message


class Refusal(HandoverError):
    """A business rule says no; trying again changes nothing."""


class NotAuthenticated(Refusal):
    """No API key, or one that is not valid."""

    code = ErrorCode.NOT_AUTHENTICATED


class NotAllowed(Refusal):
    """The caller lacks the role or the scope."""

    code = ErrorCode.NOT_ALLOWED


class NotFound(Refusal):
    """It does not exist, or the caller may not know that it does."""

    code = ErrorCode.NOT_FOUND


class TransferInProgress(Refusal):
    """The charge point has an active transfer."""

    code = ErrorCode.TRANSFER_IN_PROGRESS


class AlreadyDecided(Refusal):
    """Another decision was first."""

    code = ErrorCode.ALREADY_DECIDED


class TooLate(Refusal):
    """The transfer is past the point at which this was possible."""

    code = ErrorCode.TOO_LATE


class CoolingDown(Refusal):
    """The charge point's owner changed too recently."""

    code = ErrorCode.COOLING_DOWN


class NotPossible(Refusal):
    """The facts do not allow it, whoever asks."""

    code = ErrorCode.NOT_POSSIBLE


class TooLarge(Refusal):
    """The body is larger than accepted."""

    code = ErrorCode.TOO_LARGE


class InvalidRequest(Refusal):
    """A value is malformed."""

    code = ErrorCode.INVALID_REQUEST


class IdempotencyConflict(Refusal):
    """The idempotency key was used with another body."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT


class RateLimited(Refusal):
    """Too many tries."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        """Keep after how many seconds it works again; None where waiting does not help."""
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(HandoverError):
    """A part we need (database, Temporal) does not answer now."""

    code = ErrorCode.UNAVAILABLE


#: From a code back to its class: how a refusal comes out of Temporal as what it went in.
REFUSALS: dict[str, type[Refusal]] = {kind.code: kind for kind in Refusal.__subclasses__()}
