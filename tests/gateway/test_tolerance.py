"""Chargers that say it otherwise than the standard: what is needed is read, the rest is put right or left out."""

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from gateway.facts import Fact
from gateway.ocpp.dialect import Setting
from gateway.ocpp.line import NoAnswer
from persistence.tables import ChargePoint, ChargingSession
from tests.gateway.bare import ask
from tests.gateway.world import CP, World, said

BOOT: dict[str, dict[str, Any]] = {
    "1.6": {"chargePointVendor": "Vendor", "chargePointModel": "Model"},
    "2.0.1": {"chargingStation": {"vendorName": "Vendor", "model": "Model"}, "reason": "PowerUp"},
}
#: How many entries one message may have, as a key of 1.6's configuration.
PART = {"key": "SendLocalListMaxLength", "readonly": True}


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def boots(socket: ClientConnection, ocpp: str, **more: Any) -> list[Any]:
    body = json.loads(json.dumps(BOOT[ocpp]))
    (body if ocpp == "1.6" else body["chargingStation"]).update(more)
    return await ask(socket, "BootNotification", **body)


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize(
    "more",
    [
        {"serialNumber": "s" * 26, "chargePointSerialNumber": "s" * 26, "chargeBoxSerialNumber": "s" * 26},
        {"firmwareVersion": "f" * 80},
        {"sheep": 1},
        {"firmwareVersion": None},
        {"firmwareVersion": 7},
        {"iccid": "i" * 40, "imsi": 5},
        {"modem": {"iccid": "i" * 40, "sheep": [1]}},
        {"serialNumber": "a\0b", "chargePointSerialNumber": "a\0b"},
    ],
)
async def test_a_charger_is_accepted_whatever_else_it_says_of_itself(
    world: World, ocpp: str, more: dict[str, Any]
) -> None:
    async with world.client(subprotocols=[Subprotocol(f"ocpp{ocpp}")]) as socket:
        assert (await boots(socket, ocpp, **more))[2]["status"] == "Accepted"
    async with world.database.reading() as rows:
        found = await rows.get_one(ChargePoint, CP)
    assert (found.vendor, found.model) == ("Vendor", "Model")
    assert "\0" not in "".join(found.serials)


async def test_a_vendor_that_is_too_long_is_one_all_the_same(world: World) -> None:
    async with world.client() as socket:
        assert (await boots(socket, "1.6", chargePointVendor="V" * 60))[2]["status"] == "Accepted"
    async with world.database.reading() as rows:
        assert (await rows.get_one(ChargePoint, CP)).vendor == "V" * 60


@pytest.mark.parametrize(
    "wrong",
    [
        {"idTag": "T" * 21},
        {"idTag": 5},
        {"meterStop": 1234.6},
        {"meterStop": "1234"},
        {"reason": "Sheep"},
        {"reason": 7},
        {"sheep": True},
        {"transactionData": [{"timestamp": "x", "sampledValue": [{"value": 5}]}, "nothing"]},
        {"transactionData": "none"},
        {"timestamp": 5},
        {"timestamp": "yesterday"},
    ],
)
async def test_a_stop_ends_its_session_whatever_else_it_says(world: World, wrong: dict[str, Any]) -> None:
    async with world.client() as socket:
        await boots(socket, "1.6")
        begun = await ask(socket, "StartTransaction", connectorId=1, idTag="ANN1", meterStart=5, timestamp=now())
        stop = {"transactionId": begun[2]["transactionId"], "meterStop": 1234, "timestamp": now()}
        assert (await ask(socket, "StopTransaction", **{**stop, **wrong}))[0] == 3
        await world.heard(Fact.SESSION_ENDED)
    async with world.database.reading() as rows:
        session = (await rows.scalars(select(ChargingSession))).one()
    assert session.meter_stop == 1234


@pytest.mark.parametrize("lacking", ["meterStop", "timestamp", "transactionId"])
async def test_a_stop_that_lacks_something_is_never_refused(world: World, lacking: str) -> None:
    async with world.client() as socket:
        await boots(socket, "1.6")
        begun = await ask(socket, "StartTransaction", connectorId=1, idTag="ANN1", meterStart=5, timestamp=now())
        stop = {"transactionId": begun[2]["transactionId"], "meterStop": 1234, "timestamp": now()}
        assert (await ask(socket, "StopTransaction", **{name: stop[name] for name in stop if name != lacking}))[0] == 3
    async with world.database.reading() as rows:
        session = (await rows.scalars(select(ChargingSession))).one()
    assert session.stopped_at is not None  # no other runs there
    assert session.meter_stop == (None if lacking == "meterStop" else 1234)


@pytest.mark.parametrize(
    ("ocpp", "action", "payload", "code"),
    [
        ("1.6", "Authorize", {"idTag": 5}, "TypeConstraintViolation"),
        ("1.6", "StartTransaction", {"connectorId": 1, "idTag": 7, "meterStart": 5, "timestamp": "x"}, None),
        ("1.6", "StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "y"}, "FormationViolation"),
        ("2.0.1", "Authorize", {"idToken": {"idToken": 5, "type": "ISO14443"}}, None),
        ("2.0.1", "BootNotification", {"chargingStation": {"model": "M"}, "reason": "PowerUp"}, None),
    ],
)
async def test_what_lacks_what_is_needed_is_refused_and_nothing_is_guessed(
    world: World, ocpp: str, action: str, payload: dict[str, Any], code: str | None
) -> None:
    async with world.client(subprotocols=[Subprotocol(f"ocpp{ocpp}")]) as socket:
        answer = await ask(socket, action, **payload)
    assert answer[0] == 4
    assert answer[2] != "InternalError"
    assert code is None or answer[2] == code


async def test_it_is_noted_once_for_each_action_and_without_what_was_said(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with world.client() as socket:
        for _ in range(3):
            await ask(socket, "Heartbeat", secret="secret-content")
        await ask(socket, "Authorize", idTag="ANN1", secret="secret-content")
    lines = [record.getMessage() for record in caplog.records if record.name == "gateway.ocpp.line"]
    assert [line.split()[2] for line in lines] == ["Heartbeat", "Authorize"]
    assert "secret-content" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ({"configurationKey": [{**PART, "value": 7}]}, "7"),
        ({"configurationKey": [{**PART, "value": "7"}], "sheep": 1}, "7"),
        ({"configurationKey": [{**PART, "key": "SENDLOCALLISTMAXLENGTH", "value": "7", "unit": "x"}]}, "7"),
        ({"configurationKey": [{"nothing": 1}, {**PART, "value": True}]}, "true"),
        ({"configurationKey": "none"}, None),
        ({}, None),
    ],
)
async def test_an_answer_is_read_as_far_as_it_is_needed(world: World, answer: dict[str, Any], read: str | None) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        held = world.gateway._sockets.find(CP)
        assert held is not None
        asking = asyncio.create_task(held.dialect.read({Setting.LIST_PART}))
        frame = json.loads(await said(socket))
        await socket.send(json.dumps([3, frame[1], answer]))
        assert (await asking).get(Setting.LIST_PART) == read


async def test_a_lists_version_in_the_other_versions_words_says_nothing(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        held = world.gateway._sockets.find(CP)
        assert held is not None
        asking = asyncio.create_task(held.dialect.list_version())
        frame = json.loads(await said(socket))
        await socket.send(json.dumps([3, frame[1], {"versionNumber": 5}]))
        assert await asking == 0


async def test_an_answer_that_lacks_what_is_needed_is_none(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        held = world.gateway._sockets.find(CP)
        assert held is not None
        asking = asyncio.create_task(held.dialect.restart())
        frame = json.loads(await said(socket))
        await socket.send(json.dumps([3, frame[1], {"status": "Sheep"}]))
        with pytest.raises(NoAnswer):
            await asking
