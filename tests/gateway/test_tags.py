"""Who may charge with what they present: a tag is its value and its type; a contract, and nobody, are judged too."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update
from websockets.typing import Subprotocol

from persistence.tables import Group, Tag
from tests.gateway.bare import ask
from tests.gateway.world import World

V201 = Subprotocol("ocpp2.0.1")
STATION = {"vendorName": "V", "model": "M"}


async def asked_of(world: World, token: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Give the answer to an Authorize of OCPP 2.0.1."""
    async with world.client(subprotocols=[V201]) as socket:
        await ask(socket, "BootNotification", chargingStation=STATION, reason="PowerUp")
        answer: dict[str, Any] = (await ask(socket, "Authorize", idToken=token, **more))[2]
    return answer


@pytest.mark.parametrize(
    ("type_", "status"),
    [("ISO14443", "Accepted"), ("ISO15693", "Invalid"), ("eMAID", "Invalid"), ("KeyCode", "Invalid")],
)
async def test_a_tag_of_another_type_is_another_tag(world: World, type_: str, status: str) -> None:
    assert (await asked_of(world, {"idToken": "ann1", "type": type_}))["idTokenInfo"] == {"status": status}


async def test_in_a_version_without_types_any_tag_of_that_value_charges(world: World) -> None:
    async with world.database.writing() as rows:
        rows.add(Tag(group_id="group-ann", id_tag="CONTRACT", type="eMAID"))
    async with world.client() as socket:
        await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M")
        assert (await ask(socket, "Authorize", idTag="contract"))[2]["idTagInfo"]["status"] == "Accepted"


async def test_a_contract_is_judged_by_its_value_but_never_by_a_certificate_that_nobody_checked(world: World) -> None:
    async with world.database.writing() as rows:
        rows.add(Tag(group_id="group-ann", id_tag="DEABC123", type="eMAID"))
    token = {"idToken": "DEABC123", "type": "eMAID"}
    assert (await asked_of(world, token))["idTokenInfo"] == {"status": "Accepted"}
    hashed = {
        "hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "1",
        "responderURL": "http://127.0.0.1/ocsp",
    }  # fmt: skip
    for more in ({"certificate": "pem"}, {"iso15118CertificateHashData": [hashed]}):
        answer = await asked_of(world, token, **more)
        assert answer == {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}


@pytest.mark.parametrize(("anybody", "status"), [(False, "Invalid"), (True, "Accepted")])
async def test_whether_who_names_nobody_may_charge_the_group_says(world: World, anybody: bool, status: str) -> None:
    async with world.database.writing() as rows:
        await rows.execute(update(Group).where(Group.id == "group-ann").values(charges_anybody=anybody))
    nobody = {"idToken": "", "type": "NoAuthorization"}
    assert (await asked_of(world, nobody))["idTokenInfo"] == {"status": status}
    async with world.client(subprotocols=[V201]) as socket:
        await ask(socket, "BootNotification", chargingStation=STATION, reason="PowerUp")
        event = await ask(
            socket, "TransactionEvent", eventType="Started", timestamp=datetime.now(UTC).isoformat(), seqNo=0,
            triggerReason="CablePluggedIn", transactionInfo={"transactionId": "tx"}, idToken=nobody,
        )  # fmt: skip
    assert event[2]["idTokenInfo"] == {"status": status}
