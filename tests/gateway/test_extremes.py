"""Each field of each call of a charger at its extremes: the same answer on both databases, and no error of ours.

The fields and what they are come from OCPP's own schemas.
"""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from ocpp.messages import Call
from websockets.typing import Subprotocol

from gateway.ocpp.schemas import schema_of
from tests.gateway.bare import ask
from tests.gateway.world import World

NOW: Final = datetime.now(UTC).isoformat()
#: What each call must say, where that is kept.
CALLS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "1.6": {
        "Authorize": {"idTag": "ANN1"},
        "BootNotification": {
            "chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1", "chargePointSerialNumber": "S",
            "iccid": "1", "imsi": "2", "meterSerialNumber": "3", "chargeBoxSerialNumber": "4",
        },
        "MeterValues": {
            "connectorId": 1, "transactionId": 1,
            "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": "1", "unit": "Wh"}]}],
        },
        "StartTransaction": {"connectorId": 1, "idTag": "ANN1", "meterStart": 5, "timestamp": NOW},
        "StatusNotification": {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": NOW},
        "StopTransaction": {"transactionId": 1, "meterStop": 9, "timestamp": NOW, "reason": "Local", "idTag": "ANN1"},
    },
    "2.0.1": {
        "Authorize": {"idToken": {"idToken": "ANN1", "type": "ISO14443"}},
        "BootNotification": {
            "chargingStation": {
                "vendorName": "V", "model": "M", "firmwareVersion": "1", "serialNumber": "S",
                "modem": {"iccid": "1", "imsi": "2"},
            },
            "reason": "PowerUp",
        },
        "StatusNotification": {"timestamp": NOW, "connectorStatus": "Available", "evseId": 1, "connectorId": 1},
        "TransactionEvent": {
            "eventType": "Started", "timestamp": NOW, "triggerReason": "Authorized", "seqNo": 0,
            "transactionInfo": {"transactionId": "tx-1", "stoppedReason": "Local"},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": "ANN1", "type": "ISO14443"},
            "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": 1}]}],
        },
    },
}  # fmt: skip
NUMBERS: Final = (0, -1, 2**31 - 1, 2**31, 4294967295, 2**63 - 1, 2**63, -(2**63) - 1, 10**40)
FRACTIONS: Final = (*NUMBERS, 0.5, 1e308, -1e308)
TEXTS: Final = (
    "",
    "\0",
    "a\0b",
    "\ud800",
    "é" * 36,
    "\U0001d518" * 36,
    "x" * 255,
    "x" * 5000,
    "ß" * 36,
    "\u202e",
    "'; --",
)
TIMES: Final = (
    "", "yesterday", "0000-00-00T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z",
    "2026-01-01T00:00:00+14:00", "2026-01-01T00:00:00", NOW,
)  # fmt: skip


def extremes(version: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each call, once for each extreme of each of its fields."""
    for action, said in CALLS[version].items():
        schema = schema_of(Call("1", action, {}), version)
        assert schema is not None
        for path, values in fields(said, schema, schema):
            for value in values:
                yield action, with_value(said, path, value)


def fields(said: Any, schema: Any, root: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    if isinstance(said, dict):
        for name, inner in said.items():
            yield from fields(inner, schema["properties"][name], root, (*path, name))
    elif isinstance(said, list):
        for number, inner in enumerate(said):
            yield from fields(inner, schema["items"], root, (*path, number))
    elif schema["type"] == "integer":
        yield path, NUMBERS
    elif schema["type"] == "number":
        yield path, FRACTIONS
    elif schema.get("format") == "date-time":
        yield path, TIMES
    elif "enum" in schema:
        yield path, schema["enum"]
    else:
        yield path, TEXTS + tuple(str(number) for number in FRACTIONS)


def with_value(said: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(said)
    place: Any = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


#: What each call was answered with, over one database.
ANSWERS: Final[dict[str, list[Any]]] = {}


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_no_value_of_any_field_is_an_error_of_ours(world: World, version: str) -> None:
    """And the answers are the same on both databases."""
    found: list[Any] = []
    async with world.client(subprotocols=[Subprotocol(f"ocpp{version}")]) as socket:
        for action, payload in extremes(version):
            answer = await ask(socket, action, **payload)
            code = answer[2] if answer[0] == 4 else None
            assert code != "InternalError", (action, payload)
            found.append((action, answer[0], code))
    assert len(found) > 100
    assert ANSWERS.setdefault(version, found) == found
