"""A payload that does not fit its schema, read as far as it can be: what is wrong is put right or left out.

The schema says what a value is; whether one that is left out was needed says who reads it. Nothing is guessed that says
who somebody is: a number in the place of a tag stays out.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

#: No text of OCPP that is kept here is longer.
_LONGEST: Final = 255
#: What a word of an enumeration stands for that is none of it, where there is such a word.
_OTHER: Final = "Other"


_Reader = Callable[[Any, Mapping[str, Any]], Any]


class _LeftOut(Exception):
    """The value can't be read."""


def mended(payload: Any, schema: Mapping[str, Any], *, numbers_as_text: bool = False) -> dict[str, Any] | None:
    """Give an object with all of it that its schema lets be read; None for what is no object.

    `numbers_as_text`: a number, or true, in the place of a text is one, as in the values of a configuration.
    """
    if not isinstance(payload, dict):
        return None
    return _Mender(schema, numbers_as_text=numbers_as_text).properties(payload, schema)


def storable(value: Any) -> Any:
    """Give a payload without what not every database keeps in a text: NUL, and halves of characters."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items()}
    return value


class _Mender:
    def __init__(self, root: Mapping[str, Any], *, numbers_as_text: bool) -> None:
        self._root = root
        self._numbers_as_text = numbers_as_text

    def properties(self, value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
        """Give those properties that the schema knows and that can be read."""
        known, found = schema.get("properties", {}), {}
        for name, inner in value.items():
            if name in known:
                try:
                    found[name] = self._value(inner, known[name])
                except _LeftOut:
                    continue
        return found

    def _value(self, value: Any, schema: Mapping[str, Any]) -> Any:
        if "$ref" in schema:
            schema = self._root["definitions"][schema["$ref"].rpartition("/")[2]]
        readers: dict[str, _Reader] = {
            "object": self._object,
            "array": self._array,
            "string": self._text,
            "integer": _whole,
            "number": _number,
            "boolean": _truth,
        }
        read = readers.get(schema.get("type", ""))
        return value if read is None else read(value, schema)

    def _object(self, value: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _LeftOut
        found = self.properties(value, schema)
        if not set(schema.get("required", ())) <= found.keys():
            raise _LeftOut
        return found

    def _array(self, value: Any, schema: Mapping[str, Any]) -> list[Any]:
        if not isinstance(value, list):
            raise _LeftOut
        found = []
        for item in value:
            try:
                found.append(self._value(item, schema.get("items", {})))
            except _LeftOut:
                continue
        return found

    def _text(self, value: Any, schema: Mapping[str, Any]) -> str:
        if self._numbers_as_text and isinstance(value, int | float):
            value = str(value).lower() if isinstance(value, bool) else str(value)
        if not isinstance(value, str):
            raise _LeftOut
        words = schema.get("enum")
        if words is None or value in words:
            return value[:_LONGEST]
        if _OTHER in words:
            return _OTHER
        raise _LeftOut


def _truth(value: Any, _schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, bool):
        raise _LeftOut
    return value


def _number(value: Any, _schema: Mapping[str, Any]) -> float:
    if isinstance(value, bool):
        raise _LeftOut
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _LeftOut from None
    if not math.isfinite(number):
        raise _LeftOut
    return number


def _whole(value: Any, schema: Mapping[str, Any]) -> int:
    """Read a whole number: a fraction is cut off, as a meter that has not counted on does."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    return int(_number(value, schema))
