"""A charger that speaks OCPP 2.0.1: told the same things in its own words, and held to the same rules."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from domain.charger import CommandOutcome, KeyAnswer
from domain.ids import TransferId
from gateway.facts import Fact
from gateway.ocpp import v201
from persistence.chargers import charge_points, credentials
from persistence.tables import ChargePoint, ChargingSession, Tag
from tests.gateway.world import CP, OLD_KEY, ORDER, World, hand_over, keys
from tools.simulator.news import News

Answer = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]
STATION = {"vendorName": "Vendor", "model": "Model", "firmwareVersion": "1.2"}
TOKEN = {"idToken": "ann1", "type": "ISO14443"}


class Charger:
    """A scripted charger: answers what it is told from `answers`, and remembers it in `told`."""

    def __init__(self, socket: ClientConnection, answers: dict[str, Answer]) -> None:
        self.socket, self.answers = socket, answers
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._replies: asyncio.Queue[list[Any]] = asyncio.Queue()
        self._news = News()

    async def listen(self) -> None:
        async for text in self.socket:
            frame = json.loads(text)
            if frame[0] != 2:
                await self._replies.put(frame)
                continue
            _, unique_id, action, payload = frame
            self.told.append((action, payload))
            self._news.changed()
            answer = self.answers.get(action)
            if answer is None:
                await self.socket.send(json.dumps([4, unique_id, "NotImplemented", "", {}]))
            else:
                given = answer(payload) if callable(answer) else answer
                await self.socket.send(json.dumps([3, unique_id, given]))

    async def is_told(self, action: str) -> dict[str, Any]:
        """Wait for a call, and give it."""
        await self._news.until(lambda: any(told == action for told, _ in self.told), 5)
        return next(payload for told, payload in self.told if told == action)

    async def says(self, action: str, **payload: Any) -> list[Any]:
        await self.socket.send(json.dumps([2, "1", action, payload]))
        return await asyncio.wait_for(self._replies.get(), 5)

    async def boots(self) -> str:
        answer = await self.says("BootNotification", chargingStation=STATION, reason="PowerUp")
        return str(answer[2]["status"])

    async def event(self, kind: str, sequence: int, at: datetime, **more: Any) -> list[Any]:
        info = {"transactionId": "tx-1", **more.pop("info", {})}
        when = at.isoformat().replace("+00:00", "Z")
        triggers = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "EVDeparted"}
        return await self.says(
            "TransactionEvent", eventType=kind, timestamp=when, triggerReason=triggers[kind], seqNo=sequence,
            transactionInfo=info, **more,
        )  # fmt: skip


@asynccontextmanager
async def charger(world: World, /, password: str = OLD_KEY, **answers: Answer) -> AsyncIterator[Charger]:
    """Connect a charger that does what it is told, but for `answers`."""
    async with world.client(password, subprotocols=[Subprotocol("ocpp2.0.1"), Subprotocol("ocpp1.6")]) as socket:
        assert socket.subprotocol == "ocpp2.0.1"
        found = Charger(socket, answers)
        listening = asyncio.create_task(found.listen())
        yield found
        listening.cancel()


def energy(wh: float, **unit: Any) -> list[dict[str, Any]]:
    sample = {"value": wh, **({"unitOfMeasure": unit} if unit else {})}
    return [{"timestamp": "2026-11-25T10:00:00Z", "sampledValue": [sample]}]


def password_status(status: str) -> Answer:
    def answer(payload: dict[str, Any]) -> dict[str, Any]:
        [wanted] = payload["setVariableData"]
        result = {"attributeStatus": status, "component": wanted["component"], "variable": wanted["variable"]}
        return {"setVariableResult": [result]}

    return answer


async def session_row(world: World) -> ChargingSession:
    async with world.database.reading() as rows:
        return (await rows.scalars(select(ChargingSession))).one()


async def test_it_boots_and_is_known_by_its_version(world: World) -> None:
    async with charger(world) as station:
        assert await station.boots() == "Accepted"
        assert "currentTime" in (await station.says("Heartbeat"))[2]
        for action, payload in (
            ("NotifyReport", {"requestId": 1, "generatedAt": "2026-11-25T10:00:00Z", "seqNo": 0}),
            ("StatusNotification", {"timestamp": "2026-11-25T10:00:00Z", "connectorStatus": "Available",
                                    "evseId": 1, "connectorId": 1}),
        ):  # fmt: skip
            assert (await station.says(action, **payload))[0] == 3
        assert (await station.says("Heartbeat", sheep=1))[0] == 3, "nobody reads that"
    async with world.database.reading() as rows:
        found = await rows.get_one(ChargePoint, CP)
    assert (found.ocpp, found.vendor, found.model, found.firmware) == ("2.0.1", "Vendor", "Model", "1.2")


async def test_a_session_is_recorded_once_and_ends(world: World) -> None:
    async with charger(world) as station:
        await station.boots()
        now = datetime.now(UTC)
        for _ in range(2):  # its answer was lost: the same event again
            begun = await station.event("Started", 0, now, idToken=TOKEN, evse={"id": 2}, meterValue=energy(100))
            assert begun[2]["idTokenInfo"]["status"] == "Accepted"
        await station.event("Updated", 1, now, meterValue=energy(1.5, unit="kWh"))
        assert (await session_row(world)).last_meter == 1500
        await station.event(
            "Ended", 2, now, meterValue=energy(2, multiplier=3), info={"stoppedReason": "EVDisconnected"}
        )
        await world.heard(Fact.SESSION_ENDED)
    row = await session_row(world)
    assert (row.reference, row.connector, row.id_tag, row.meter_start) == ("tx-1", 2, "ANN1", 100)
    assert (row.meter_stop, row.stop_reason, row.owner_id) == (2000, "EVDisconnected", "ann")


async def test_a_session_whose_tag_comes_later_is_named_then_and_may_be_blocked(world: World) -> None:
    async with charger(world) as station:
        await station.boots()
        now = datetime.now(UTC)
        assert "idTokenInfo" not in (await station.event("Started", 0, now, evse={"id": 1}))[2]
        async with world.database.writing() as rows:
            await charge_points.block_sessions(rows, CP, TransferId("trf_1"))
        named = await station.event("Updated", 1, now, idToken=TOKEN)
        assert named[2]["idTokenInfo"]["status"] == "Blocked"
        again = await station.event("Updated", 2, now, idToken=TOKEN)  # it charges already: not for a block to stop
        assert again[2]["idTokenInfo"]["status"] == "Accepted"
    assert (await session_row(world)).id_tag == "ANN1"


async def test_a_session_reported_late_is_booked_to_who_had_the_charger_then(world: World) -> None:
    async with charger(world) as station:
        await station.boots()
    await world.heard(Fact.DISCONNECTED)
    away = datetime.now(UTC)
    await hand_over(world.database, datetime.now(UTC))
    async with charger(world) as station:
        await station.boots()
        late = await station.event("Ended", 2, away, idToken=TOKEN, meterValue=energy(5), offline=True)
        assert late[2]["idTokenInfo"]["status"] == "Accepted"
        now = await station.says("Authorize", idToken=TOKEN)
        assert now[2]["idTokenInfo"]["status"] == "Invalid"
    assert (await session_row(world)).owner_id == "ann"


async def test_the_end_of_a_session_is_taken_also_once_the_connection_is_deleted(world: World) -> None:
    async with charger(world) as station:
        await station.boots()
        await station.event("Started", 0, datetime.now(UTC), idToken=TOKEN, evse={"id": 1})
        async with world.database.writing() as rows:
            await credentials.revoke_all(rows, CP, datetime.now(UTC))
        ended = await station.event("Ended", 1, datetime.now(UTC), meterValue=energy(7))
        assert ended[0] == 3
    assert (await session_row(world)).meter_stop == 7


async def test_it_is_quieted_its_session_stopped_and_released(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v201, "_LOOK_EVERY", 0.01)
    queued = iter([True, True, False])
    told: dict[str, Answer] = {
        "ChangeAvailability": {"status": "Accepted"}, "RequestStopTransaction": {"status": "Accepted"},
        "GetTransactionStatus": lambda _: {"messagesInQueue": next(queued)},
    }  # fmt: skip
    async with charger(world, OLD_KEY, **told) as station:
        await station.boots()
        await station.event("Started", 0, datetime.now(UTC), idToken=TOKEN, evse={"id": 1})
        assert await world.gateway.orders.quiet(CP, stop_session=True) is CommandOutcome.DONE
        assert await world.gateway.orders.release(CP) is CommandOutcome.DONE
        assert station.told == [
            ("ChangeAvailability", {"operationalStatus": "Inoperative"}),
            ("RequestStopTransaction", {"transactionId": "tx-1"}),
            *[("GetTransactionStatus", {})] * 3,
            ("ChangeAvailability", {"operationalStatus": "Operative"}),
        ]


async def test_its_list_is_replaced_in_parts_as_large_as_it_takes(world: World) -> None:
    def one_a_message(payload: dict[str, Any]) -> dict[str, Any]:
        told = [
            {"attributeStatus": "Accepted", "attributeValue": "1", **wanted} for wanted in payload["getVariableData"]
        ]
        return {"getVariableResult": told}

    await hand_over(world.database, datetime.now(UTC))
    told: dict[str, Answer] = {
        "GetVariables": one_a_message, "GetLocalListVersion": {"versionNumber": 4},
        "SendLocalList": {"status": "Accepted"}, "ClearCache": {"status": "Rejected"},
        "CustomerInformation": {"status": "Invalid"},
    }  # fmt: skip
    async with charger(world, OLD_KEY, **told) as station:
        await station.boots()
        assert (await world.gateway.orders.replace_lists(CP, ORDER, restore=False)).outcome is CommandOutcome.DONE
        lists = [payload for action, payload in station.told if action == "SendLocalList"]
        assert [(one["versionNumber"], one["updateType"]) for one in lists] == [
            (5, "Full"), (6, "Differential"), (7, "Differential"),
        ]  # fmt: skip
        entries = [entry for one in lists for entry in one["localAuthorizationList"]]
        assert [(entry["idToken"]["idToken"], entry["idTokenInfo"]["status"]) for entry in entries] == [
            ("BEN1", "Accepted"), ("ANN1", "Blocked"), ("ANN2", "Blocked"),
        ]  # fmt: skip
        order = [action for action, _ in station.told if action not in {"GetVariables", "SetVariables", "GetReport"}]
        assert order == [
            "ClearCache", "GetLocalListVersion", "CustomerInformation", *["SendLocalList"] * 3, "GetChargingProfiles",
            "ClearChargingProfile",
        ]  # fmt: skip


async def test_a_charger_without_lists_says_so(world: World) -> None:
    async with charger(world) as station:
        await station.boots()
        assert (
            await world.gateway.orders.replace_lists(CP, ORDER, restore=False)
        ).outcome is CommandOutcome.NOT_SUPPORTED


@pytest.mark.parametrize("as_bytes", [False, True])
async def test_its_new_key_is_proven_by_coming_back_with_it_as_text_or_as_bytes(world: World, as_bytes: bool) -> None:
    async with charger(world, SetVariables=password_status("Accepted")) as station:
        await station.boots()
        key = await world.order_key()
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is KeyAnswer.ACCEPTED
        [(_, payload)] = station.told
        assert payload["setVariableData"] == [
            {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}, "attributeValue": key}
        ]
        async with world.client(bytes.fromhex(key) if as_bytes else key, subprotocols=[Subprotocol("ocpp2.0.1")]):
            await world.heard(Fact.PROVED)
    assert (await world.status()).proven
    assert await world.refuses(OLD_KEY)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Rejected", KeyAnswer.REJECTED),
        ("UnknownComponent", KeyAnswer.NOT_SUPPORTED),
        ("RebootRequired", KeyAnswer.REBOOT_REQUIRED),
    ],
)
async def test_what_it_says_of_its_new_key_is_understood(world: World, said: str, answer: KeyAnswer) -> None:
    async with charger(world, SetVariables=password_status(said), Reset={"status": "Accepted"}) as station:
        await station.boots()
        await world.order_key()
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is answer
        assert await world.gateway.orders.reset(CP) is CommandOutcome.DONE
        assert station.told[-1] == ("Reset", {"type": "OnIdle"})
    assert not await world.refuses(OLD_KEY)


async def test_a_charger_that_does_not_know_the_call_can_not_be_rotated(world: World) -> None:
    async with charger(world) as station:
        await station.boots()
        await world.order_key()
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is KeyAnswer.NOT_SUPPORTED
    assert "pending" not in await keys(world.database)


async def test_in_quarantine_it_is_given_its_key_and_nothing_is_taken_from_it(world: World) -> None:
    key = await world.order_key(quarantines_old=True)
    async with charger(world, SetVariables=password_status("Accepted")) as station:
        assert await station.boots() == "Pending"
        now = datetime.now(UTC)
        blocked = await station.event("Started", 0, now, idToken=TOKEN, evse={"id": 1})
        assert blocked[2]["idTokenInfo"]["status"] == "Blocked"
        for event in (
            station.event("Started", 0, now - timedelta(hours=1), idToken=TOKEN, evse={"id": 1}),
            station.event("Updated", 1, now),
            station.event("Ended", 2, now),
        ):
            assert (await event)[:3] == [4, "1", "SecurityError"]
        assert (await station.says("Authorize", idToken=TOKEN))[2]["idTokenInfo"]["status"] == "Blocked"
        sent = await station.is_told("SetVariables")
        assert sent["setVariableData"][0]["attributeValue"] == key
    async with world.database.reading() as rows:
        assert list(await rows.scalars(select(ChargingSession))) == []
    async with charger(world, key) as station:
        await world.heard(Fact.PROVED)
        assert await station.boots() == "Accepted"


async def test_what_became_of_an_earlier_session_is_not_taken_in_quarantine(world: World) -> None:
    now = datetime.now(UTC)
    async with charger(world) as station:
        await station.boots()
        await station.event("Started", 0, now, evse={"id": 1}, meterValue=energy(5))
    await world.order_key(quarantines_old=True)
    async with charger(world, SetVariables=password_status("Accepted")) as station:
        assert await station.boots() == "Pending"
        for event in (
            station.event("Updated", 1, now, idToken=TOKEN),
            station.event("Updated", 2, now, meterValue=energy(9)),
            station.event("Ended", 3, now, meterValue=energy(9)),
        ):
            assert (await event)[:3] == [4, "1", "SecurityError"]
    row = await session_row(world)
    assert (row.id_tag, row.last_meter, row.stopped_at) == ("", None, None)


async def test_a_tag_of_36_characters_charges_and_is_on_its_list_but_on_no_list_of_1_6(world: World) -> None:
    long = "X" * 36
    async with world.database.writing() as rows:
        rows.add(Tag(group_id="group-ann", id_tag=long))
    told: dict[str, Answer] = {"SendLocalList": {"status": "Accepted"}, "GetLocalListVersion": {"versionNumber": 0}}
    async with charger(world, OLD_KEY, **told) as station:
        await station.boots()
        answer = await station.says("Authorize", idToken={"idToken": long, "type": "ISO14443"})
        assert answer[2]["idTokenInfo"]["status"] == "Accepted"
        assert (await world.gateway.orders.replace_lists(CP, ORDER, restore=False)).outcome is CommandOutcome.DONE
        listed = (await station.is_told("SendLocalList"))["localAuthorizationList"]
        assert long in [entry["idToken"]["idToken"] for entry in listed]
    async with world.station() as old:
        await old.until(lambda: old.online)
        assert (await world.gateway.orders.replace_lists(CP, ORDER, restore=False)).outcome is CommandOutcome.DONE
        assert set(old.state.local_list) == {"ANN1", "ANN2"}
