"""Frames that fit nothing, and what the log may know: never a key, never a frame."""

import asyncio
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call
from websockets.typing import Subprotocol

from domain.charger import CommandOutcome, KeyAnswer
from domain.errors import HandoverError
from gateway.facts import Fact
from gateway.ocpp.line import CallNotSupported, CallRefused, NoAnswer
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.world import CP, OLD_KEY, ORDER, World, gateway_world, said, seed
from tools.simulator.faults import Fault as Trouble

GARBAGE: list[str | bytes] = [
    "not json, but secret-content",
    b"\xff\xfe secret-content",
    "{}",
    "[]",
    "5",
    '["secret-content"]',
    '[2,"id"]',
    '[2,{},"Heartbeat",{}]',
    '[3,"never-asked",{}]',
    '[4,"never-asked","InternalError","secret-content",{}]',
    "[" * 50_000,
    f"[{'9' * 5000}]",
]


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Catch what any logger says, however talkative somebody made it."""
    caplog.set_level(logging.DEBUG)
    return caplog


async def test_garbage_is_counted_and_the_conversation_goes_on(
    world: World, everything: pytest.LogCaptureFixture
) -> None:
    async with world.client() as socket:
        for frame in GARBAGE:
            await socket.send(frame)
        await socket.send('[2,"last","Heartbeat",{}]')
        assert json.loads(await said(socket))[:3] == [4, "id", "FormationViolation"], "the one that can be answered"
        assert json.loads(await said(socket))[:2] == [3, "last"]
    lines = [record.getMessage() for record in everything.records if record.name == "gateway.ocpp.line"]
    assert len(lines) == 4  # the 1st, 2nd, 4th and 8th
    assert "(8 so far)" in lines[-1]
    own = [record.getMessage() for record in everything.records if not record.name.startswith("websockets.client")]
    assert not any("secret-content" in line for line in own)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('[2,"1","Unheard",{}]', "NotImplemented"),
        ('[2,"1",["Heartbeat"],{}]', "NotImplemented"),
        ('[2,"1","ReserveNow",{}]', "NotImplemented"),
        ('[2,"1","Authorize",{}]', "ProtocolError"),
        ('[2,"1","Authorize",{"idTag":5}]', "TypeConstraintViolation"),
        ('[2,"1","Heartbeat",[]]', "TypeConstraintViolation"),
        ('[2,"1","StatusNotification",{"connectorId":0,"errorCode":"x","status":"y"}]', "FormationViolation"),
    ],
)
async def test_a_bad_call_is_answered_with_its_error(world: World, frame: str, code: str) -> None:
    async with world.client() as socket:
        await socket.send(frame)
        assert json.loads(await said(socket))[:3] == [4, "1", code]
        await socket.send('[2,"2","Heartbeat",{}]')
        assert json.loads(await said(socket))[0] == 3


@pytest.mark.parametrize(
    ("ocpp", "frame", "answer"),
    [
        ("1.6", '[2,"a1","Heartbeat"]', [4, "a1", "FormationViolation"]),
        ("1.6", '[2,"a1"]', [4, "a1", "FormationViolation"]),
        ("1.6", '[2,"a1","Heartbeat",{},"more"]', [4, "a1", "FormationViolation"]),
        ("1.6", '[2,5,"Heartbeat",{}]', [3, 5]),
        ("1.6", '[2,5,"Unheard",{}]', [4, 5, "NotImplemented"]),
        ("2.0.1", '[2,"a1","Heartbeat"]', [4, "a1", "RpcFrameworkError"]),
        ("2.0.1", '[2,5,"Heartbeat",{}]', [4, "-1", "RpcFrameworkError"]),
        ("2.0.1", '[2,null,"Heartbeat",{}]', [4, "-1", "RpcFrameworkError"]),
        ("2.0.1", "not json", [4, "-1", "RpcFrameworkError"]),
        ("2.0.1", "{}", [4, "-1", "RpcFrameworkError"]),
        ("2.0.1", "[]", [4, "-1", "RpcFrameworkError"]),
        ("2.0.1", '[7,"a1"]', [4, "-1", "RpcFrameworkError"]),
    ],
)
async def test_a_frame_that_is_no_message_is_answered_where_it_can_be(
    world: World, ocpp: str, frame: str, answer: list[Any]
) -> None:
    """OCPP-J 2.0.1, 4.2.3: what has no id that can be read is answered under -1; 1.6 has no such answer."""
    async with world.client(subprotocols=[Subprotocol(f"ocpp{ocpp}")]) as socket:
        await socket.send(frame)
        assert json.loads(await said(socket))[: len(answer)] == answer
        await socket.send('[2,"2","Heartbeat",{}]')
        assert json.loads(await said(socket))[:2] == [3, "2"]


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        ('[4,"{}"]', CallRefused),
        ('[4,"{}","InternalError"]', CallRefused),
        ('[4,"{}","NotImplemented"]', CallNotSupported),
        ('[4,"{}",null,null,null,null]', CallRefused),
        ('[3,"{}"]', NoAnswer),
        ('[3,"{}",{{}},{{}}]', NoAnswer),
    ],
)
async def test_an_answer_that_lacks_something_is_one_all_the_same(
    world: World, ocpp: str, reply: str, raised: type[HandoverError]
) -> None:
    async with world.client(subprotocols=[Subprotocol(f"ocpp{ocpp}")]) as socket:
        await world.heard(Fact.CONNECTED)
        held = world.gateway._sockets.find(CP)
        assert held is not None
        telling = asyncio.create_task(held.dialect.restart())
        frame = json.loads(await said(socket))
        await socket.send(reply.format(frame[1]))
        if raised is CallNotSupported:
            assert await asyncio.wait_for(telling, 1) is CommandOutcome.NOT_SUPPORTED
            return
        with pytest.raises(raised):
            await asyncio.wait_for(telling, 1)


async def test_a_call_that_does_not_fit_its_schema_is_not_sent(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        held = world.gateway._sockets.find(CP)
        assert held is not None
        with pytest.raises(CallRefused) as caught:
            await held.dialect._line.ask(call.Reset(type="secret-kind"))
        assert "secret-kind" not in repr(caught.value)
        assert caught.value.__context__ is None
        with pytest.raises(TimeoutError):
            await said(socket, seconds=0.2)


async def test_a_frame_that_is_too_large_closes_the_socket_with_1009(world: World) -> None:
    async with world.client() as socket:
        await socket.send("x" * 300_000)
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1009
    async with world.client():
        await world.heard(Fact.CONNECTED, 2)


async def test_calls_of_no_consequence_are_answered(world: World) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available"}),
        ("FirmwareStatusNotification", {"status": "Idle"}),
        ("DiagnosticsStatusNotification", {"status": "Idle"}),
        ("SecurityEventNotification", {"type": "StartupOfTheDevice", "timestamp": "2026-01-01T00:00:00Z"}),
    ]
    async with world.client() as socket:
        for action, payload in calls:
            await socket.send(json.dumps([2, action, action, payload]))
            assert json.loads(await said(socket)) == [3, action, {}]
        await socket.send('[2,"d","DataTransfer",{"vendorId":"V"}]')
        assert json.loads(await said(socket)) == [3, "d", {"status": "UnknownVendorId"}]


async def test_a_key_is_never_in_the_log_nor_in_an_error(
    database: Database, vault: Vault, tmp_path: Path, everything: pytest.LogCaptureFixture
) -> None:
    """Every way in which a rotation may go wrong, the time-out of ChangeConfiguration included."""
    await seed(database, vault)
    secrets = [OLD_KEY]
    answers = [
        None,
        '[4,"%s","InternalError","%s",{}]',
        '[4,"%s","NoSuchCode","%s",{}]',
        '[3,"%s",{"status":"%s"}]',
        '[3,"%s",["%s"]]',
    ]
    async with gateway_world(database, vault, tmp_path, call_timeout=timedelta(milliseconds=300)) as world:
        secrets.append(await world.order_key())
        async with world.client(logger=logging.getLogger("their.side")) as socket:
            await world.heard(Fact.CONNECTED)
            logging.getLogger("their.side").setLevel(logging.CRITICAL)
            for answer in answers:
                rotating = asyncio.create_task(world.gateway.orders.rotate(CP, ORDER))
                frame = json.loads(await said(socket))
                assert frame[3]["value"] == secrets[1]
                if answer is not None:
                    await socket.send(answer % (frame[1], secrets[1]))
                assert (await rotating).said is KeyAnswer.UNKNOWN
        async with world.station(faults=[Trouble.LOSE_REPLY]) as station:
            await station.until(lambda: station.online)
            await world.heard(Fact.CONNECTED, 2)
            await world.gateway.orders.rotate(CP, ORDER)
            await world.heard(Fact.PROVED)
            await station.until(lambda: station.online)
        await world.refuses(secrets[0])
    told = "\n".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in everything.records)
    for secret in secrets:
        assert secret not in told
        assert secret not in everything.text


async def test_an_error_carries_nothing_of_the_frame_along(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault)
    async with (
        gateway_world(database, vault, tmp_path, call_timeout=timedelta(milliseconds=300)) as world,
        world.client() as socket,
    ):
        await world.heard(Fact.CONNECTED)
        for answer, kind in ((None, NoAnswer), ('[3,"%s",{"status":"secret"}]', NoAnswer), ("x", CallRefused)):
            asking = asyncio.create_task(world.gateway.orders.reset(CP))
            frame = json.loads(await said(socket))
            if answer == "x":
                await socket.send(json.dumps([4, frame[1], "GenericError", "secret", {"secret": 1}]))
            elif answer is not None:
                await socket.send(answer % frame[1])
            with pytest.raises(kind) as caught:
                await asking
            error: BaseException | None = caught.value
            while error is not None:
                assert "secret" not in repr(error)
                assert "Soft" not in repr(error)
                error = error.__cause__ or error.__context__
