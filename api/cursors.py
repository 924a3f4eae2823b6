"""Cursors of pages: opaque to callers, the place of the last item to us."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.types import AwareDatetime, StringConstraints

from domain.errors import InvalidRequest
from domain.ids import TransferId

Place = TypeVar("Place")
_TIMED = TypeAdapter(tuple[AwareDatetime, Annotated[str, StringConstraints(max_length=80)]])
_NUMBER = TypeAdapter(tuple[Annotated[int, Field(ge=0, le=2**31 - 1)]])
_ID = TypeAdapter(tuple[Annotated[str, StringConstraints(max_length=80, pattern=r"^[!-~]+$")]])


def of_time(at: datetime, transfer_id: TransferId) -> str:
    """Give the cursor behind a transfer."""
    return _write(at.isoformat(), transfer_id)


def time(cursor: str | None) -> tuple[datetime, TransferId] | None:
    """Read what `of_time` gave; raises InvalidRequest."""
    if cursor is None:
        return None
    at, transfer_id = _read(_TIMED, cursor)
    return at, TransferId(transfer_id)


def of_number(number: int) -> str:
    """Give the cursor behind an entry with a number."""
    return _write(number)


def number(cursor: str | None, start: int) -> int:
    """Read what `of_number` gave, `start` without one; raises InvalidRequest."""
    return start if cursor is None else _read(_NUMBER, cursor)[0]


def of_id(last: str) -> str:
    """Give the cursor behind an item with an id."""
    return _write(last)


def id_(cursor: str | None) -> str:
    """Read what `of_id` gave, the empty text without one; raises InvalidRequest."""
    return "" if cursor is None else _read(_ID, cursor)[0]


def _write(*parts: str | int) -> str:
    return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def _read(adapter: TypeAdapter[Place], cursor: str) -> Place:
    try:
        return adapter.validate_json(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, ValidationError):
        raise InvalidRequest("cursor is not one of ours; take it from `next` of the page before.") from None
