"""OCPP's JSON schemas, each compiled once: whether a message fits the one that it has to."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

import fastjsonschema
from ocpp.messages import Call, CallResult, get_validator, validate_payload

#: The rules by which the library reads every schema, whichever the schema names itself.
_RULES: Final = "http://json-schema.org/draft-04/schema#"


async def validate(message: Call | CallResult, version: str) -> None:
    """Raise an OCPPError where a payload does not fit: each that the library's `validate_payload` raises.

    What its compiled schema refuses is judged by the library, which is slow, and says what is wrong.
    """
    if not fits(message, version):
        await validate_payload(message, version)


def fits(message: Call | CallResult, version: str) -> bool:
    """Whether a payload fits its schema; what may be off by a rounding error does not."""
    try:
        _compiled(message.message_type_id, message.action, version)(message.payload)
    except (ValueError, ArithmeticError, OSError):  # refused; a number that is none; there is no such schema
        return False
    return True


def schema_of(message: Call | CallResult, version: str) -> Mapping[str, Any] | None:
    """Give the schema of a message; None where there is none."""
    try:
        found: Mapping[str, Any] = get_validator(
            message.message_type_id, message.action, version, Decimal if version == "1.6" else float
        ).schema
    except (OSError, ValueError):
        return None
    return found


@cache
def _compiled(kind: int, action: str, version: str) -> Callable[[Any], Any]:
    # the library keeps the schema too, and wants OCPP 1.6's fractions exact
    schema = get_validator(kind, action, version, Decimal if version == "1.6" else float).schema
    return fastjsonschema.compile(
        {**schema, "$schema": _RULES},
        use_default=False,
        use_formats=False,
        detailed_exceptions=False,  # they would hold keys
    )
