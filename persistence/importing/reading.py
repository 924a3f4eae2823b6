"""Reads the lines of an import file one after the other, and says in plain words what is wrong with one."""

import codecs
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from domain.printable import is_printable
from persistence.importing.import_lines import AnyLine, Line

_SHAPES: TypeAdapter[AnyLine] = TypeAdapter(AnyLine)

#: A field's name that is longer is not repeated.
_LONGEST_FIELD = 64


@dataclass(frozen=True)
class Wrong:
    """A line that can't be taken."""

    text: str
    """What is wrong with it, in plain words, without its values."""
    id: str | None = None
    """What it calls itself: whoever speaks of that is not wrong as well."""


def read_lines(source: Iterable[bytes]) -> Iterator[tuple[int, Line | Wrong]]:
    """Give each line of a file with its number from 1, none before it is asked for; blank ones are passed over."""
    for number, row in enumerate(source, start=1):
        if row.removeprefix(codecs.BOM_UTF8).strip():
            yield number, _take(row)


def _take(row: bytes) -> Line | Wrong:
    try:
        values, problem = _read(row)
    except (ValueError, RecursionError):
        return Wrong("not JSON in UTF-8; write one object a line.")
    try:
        line = _SHAPES.validate_python(values)
    except ValidationError as error:
        problem = problem or _explain(error)
    if not problem:
        return line
    return Wrong(problem, str(values.get("id")) if isinstance(values, dict) else None)


def _read(row: bytes) -> tuple[Any, str]:
    """Read a line's JSON, and say what is wrong with its fields' names; raises ValueError, RecursionError for none."""
    problems: list[str] = []

    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, times in Counter(name for name, _ in pairs).items():
            if len(name) > _LONGEST_FIELD or not is_printable(name):  # it may turn the terminal, or not reach it
                problems.append("a field's name is too long, or holds a character that is not printed; correct it.")
            elif times > 1:
                problems.append(f"`{name}` stands twice in it; keep one.")
        return dict(pairs)

    # no field is a number: none need be exact, and none is too long to be read
    values = json.loads(row.decode("utf-8-sig"), parse_int=float, object_pairs_hook=fields)
    return values, " ".join(problems)


def _explain(error: ValidationError) -> str:
    """Say everything that is wrong with one line, without its values."""
    return "; ".join(_explain_one(dict(one)) for one in error.errors(include_url=False, include_input=False)) + "."


def _explain_one(one: dict[str, object]) -> str:
    where = one["loc"]
    field = str(where[-1]) if isinstance(where, tuple) and where else "type"
    match one["type"]:
        case "missing":
            return f"`{field}` is missing"
        case "extra_forbidden":
            return f"`{field}` is not known here; take it out or correct its spelling"
        case "union_tag_invalid" | "union_tag_not_found":
            return "`type` must be user, group, membership, tag or charge_point"
        case "model_attributes_type" | "model_type":
            return "not a JSON object; write one object a line"
        case "string_pattern_mismatch":
            return f"`{field}` {_PATTERNS.get(field, _ID)}"
        case _:
            return f"`{field}`: {str(one['msg']).removeprefix('Value error, ').rstrip('.')}"


_ID = "must have 1 to 64 letters, digits or _ . -, and begin with a letter or digit"
_PATTERNS = {
    "password": "must have 16 to 40 printable characters without spaces",
    "identity": "must have 1 to 48 letters, digits or * _ = + | @ . -",
    "id_tag": "must have 1 to 36 printable ASCII characters",
    "locale": "must be a language like fr, or one with its region like fr-FR",
}
