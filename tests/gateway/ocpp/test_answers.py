"""Every call that the standard lets a charger make is answered with a result."""

import json
from typing import Any

import pytest
from ocpp.messages import get_validator
from websockets.typing import Subprotocol

from tests.gateway.ocpp.test_schemas import sample
from tests.gateway.world import World, said

#: Of 1.6 with its security white paper, and of 2.0.1: part 2, the messages that a Charging Station starts.
CALLS = {
    "1.6": (
        *("Authorize", "BootNotification", "DataTransfer", "DiagnosticsStatusNotification"),
        *("FirmwareStatusNotification", "Heartbeat", "LogStatusNotification", "MeterValues"),
        *("SecurityEventNotification", "SignCertificate", "SignedFirmwareStatusNotification", "StartTransaction"),
        *("StatusNotification", "StopTransaction"),
    ),
    "2.0.1": (
        *("Authorize", "BootNotification", "ClearedChargingLimit", "DataTransfer", "FirmwareStatusNotification"),
        *("Get15118EVCertificate", "GetCertificateStatus", "Heartbeat", "LogStatusNotification", "MeterValues"),
        *("NotifyChargingLimit", "NotifyCustomerInformation", "NotifyDisplayMessages", "NotifyEVChargingNeeds"),
        *("NotifyEVChargingSchedule", "NotifyEvent", "NotifyMonitoringReport", "NotifyReport"),
        *("PublishFirmwareStatusNotification", "ReportChargingProfiles", "ReservationStatusUpdate"),
        *("SecurityEventNotification", "SignCertificate", "StatusNotification", "TransactionEvent"),
    ),
}
#: Services that there are none of here, as the protocol says so.
REFUSED = {
    ("1.6", "SignCertificate"): {"status": "Rejected"},
    ("2.0.1", "SignCertificate"): {"status": "Rejected"},
    ("2.0.1", "Get15118EVCertificate"): {"status": "Failed", "exiResponse": ""},
    ("2.0.1", "GetCertificateStatus"): {"status": "Failed"},
    ("2.0.1", "NotifyEVChargingNeeds"): {"status": "Rejected"},
}


def payload(ocpp: str, action: str) -> Any:
    """Make a payload that fits the action's schema, with every property of it."""
    schema = get_validator(2, action, ocpp, float).schema
    return sample(schema, schema)


@pytest.mark.parametrize(("ocpp", "action"), [(ocpp, action) for ocpp, actions in CALLS.items() for action in actions])
async def test_a_call_of_the_standard_is_answered_and_a_service_that_is_not_offered_refused(
    world: World, ocpp: str, action: str
) -> None:
    async with world.client(subprotocols=[Subprotocol(f"ocpp{ocpp}")]) as socket:
        await socket.send(json.dumps([2, "1", action, payload(ocpp, action)]))
        kind, _, answer = json.loads(await said(socket))[:3]
    assert kind == 3, answer
    if (ocpp, action) in REFUSED:
        assert answer == REFUSED[ocpp, action]
