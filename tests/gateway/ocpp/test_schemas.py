"""Compiled schemas judge as the library does: the same messages pass, the same errors come back."""

import copy
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ocpp
import pytest
from ocpp.exceptions import OCPPError
from ocpp.messages import Call, CallResult, get_validator, validate_payload

from gateway.ocpp import schemas

FOLDER = Path(ocpp.__file__).parent
#: Every schema of both versions: version, action, kind of message.
MESSAGES: list[tuple[str, str, type[Call] | type[CallResult]]] = [
    (version, file.stem.removesuffix("Request").removesuffix("Response"), kind)
    for version, folder in (("1.6", "v16"), ("2.0.1", "v201"))
    for file in sorted((FOLDER / folder / "schemas").glob("*.json"))
    for kind in (CallResult if file.stem.endswith("Response") else Call,)
]
WRONG: list[Any] = [
    None, True, 0, -1, 1.0, 0.5, 101, 10**400, float("nan"), float("inf"), "", "x", "é" * 20_000, [], [None] * 2000, {},
    {"more": 1},
]  # fmt: skip
TRIES = 20


def make(version: str, action: str, kind: type[Call] | type[CallResult], payload: Any) -> Call | CallResult:
    """Make the message anew: the library changes the payloads that it judges."""
    fresh = copy.deepcopy(payload)
    return Call("1", action, fresh) if kind is Call else CallResult("1", fresh, action)


def sample(schema: dict[str, Any], root: dict[str, Any], depth: int = 0) -> Any:
    """Give a value that fits a schema, with every property of it as far down as `depth` is small."""
    if "$ref" in schema:
        return sample(root["definitions"][schema["$ref"].rpartition("/")[2]], root, depth)
    if "enum" in schema:
        return schema["enum"][-1]
    kind = schema.get("type", "string")
    if kind == "object":
        wanted = schema.get("required", []) if depth > 4 else schema.get("properties", {})
        return {name: sample(schema["properties"][name], root, depth + 1) for name in wanted}
    if kind == "array":
        return [sample(schema["items"], root, depth + 1)] * max(1, schema.get("minItems", 1))
    return {"integer": 1, "number": 1.5, "boolean": True, "string": "é" * min(schema.get("maxLength", 10), 10)}[kind]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of everything inside."""
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def spoil(payload: Any, chance: random.Random) -> Any:
    """Put something else in some place, or take it away, or add to it: mostly wrong, sometimes not."""
    spoiled = {"payload": copy.deepcopy(payload)}
    *way, last = chance.choice(list(places(spoiled)))
    inside: Any = spoiled
    for step in way:
        inside = inside[step]
    match chance.randrange(5):
        case 0 if way:
            del inside[last]
        case 1 if isinstance(inside[last], dict):
            inside[last]["more"] = 1
        case 2 if isinstance(inside[last], str):
            inside[last] += chance.choice(["x", " ", "\n", "é" * 10_000])
        case _:
            inside[last] = chance.choice(WRONG)
    return spoiled["payload"]


async def passes(message: Call | CallResult, version: str) -> bool:
    """Whether the library lets a message pass."""
    try:
        await validate_payload(message, version)
    except (OCPPError, TypeError):  # the latter for NaN among exact fractions
        return False
    return True


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_compiled_schemas_judge_as_the_library_does(version: str) -> None:
    chance = random.Random(version)  # noqa: S311 - the same tries each time
    passed = refused = 0
    for _, action, kind in (message for message in MESSAGES if message[0] == version):
        schema = get_validator(kind.message_type_id, action, version, Decimal if version == "1.6" else float).schema
        good = sample(schema, schema)
        for payload in [good, *(spoil(good, chance) for _ in range(TRIES))]:
            expected = await passes(make(version, action, kind, payload), version)
            assert schemas.fits(make(version, action, kind, payload), version) is expected, (action, payload)
            assert payload is not good or expected
            passed, refused = passed + expected, refused + (not expected)
    assert passed > len(MESSAGES) / 2
    assert refused > passed
