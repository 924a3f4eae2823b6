"""Names are spelled as the library spells them."""

import json
from pathlib import Path
from typing import Any

import ocpp
from ocpp.charge_point import camel_to_snake_case, snake_to_camel_case

from gateway.ocpp.spelling import to_camel, to_snake


def names(schema: Any) -> set[str]:
    """Give the names of all properties in a schema."""
    if isinstance(schema, list):
        return {name for part in schema for name in names(part)}
    if not isinstance(schema, dict):
        return set()
    own = schema.get("properties", {})
    return {name for part in schema.values() for name in names(part)} | (set(own) if isinstance(own, dict) else set())


def test_every_name_of_both_versions_is_spelled_as_the_library_does_and_so_are_invented_ones() -> None:
    folder = Path(ocpp.__file__).parent
    files = [file for version in ("v16", "v201") for file in (folder / version / "schemas").glob("*.json")]
    found = {name for file in files for name in names(json.loads(file.read_text("utf-8-sig")))}
    assert len(found) > 200
    payload = {name: [{name: 1}] for name in sorted(found | {"x" * 100 + "Y", "", "É", "a b", "SOC"})}
    for _ in range(2):  # worked out, then remembered
        assert to_snake(payload) == camel_to_snake_case(payload)
        assert to_camel(to_snake(payload)) == snake_to_camel_case(camel_to_snake_case(payload))
