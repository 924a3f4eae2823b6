"""A charger whose key people know is given one that only it knows, at no cost, in both versions, and in numbers."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from websockets.typing import Subprotocol

from domain.charger import KeyAnswer
from domain.keys import KnownTo
from domain.transfer import UntilNewKey
from gateway import enrolment
from gateway.enrolment import Enrolment, EnrolmentOptions, _Begun
from gateway.facts import Fact
from gateway.metrics import GatewayMetrics
from persistence.chargers import credentials
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, Credential, Transfer
from persistence.vault import Vault
from tests.gateway.bare import ask, place
from tests.gateway.world import CP, OLD_KEY, ORDER, World, add_transfer, change_owner, gateway_world, keys, said, seed
from tools.simulator.faults import Fault as Trouble
from tools.simulator.faults import Step
from tools.simulator.faults import Trouble as At
from tools.simulator.simulation import Station

TAKES_IT = (
    *(None, Trouble.REBOOT_REQUIRED, Trouble.DECODE_HEX, Trouble.LOSE_REPLY),
    *(Trouble.TWO_SOCKETS, Trouble.NEVER_CLOSE),
)
ALL = EnrolmentOptions(restart_hours=(0, 24))


@pytest.fixture
async def world(database: Database, vault: Vault, tmp_path: Path) -> AsyncIterator[World]:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    async with gateway_world(database, vault, tmp_path, enrolment=ALL) as found:
        yield found


async def current(world: World) -> Credential:
    return (await keys(world.database))["current"]


async def until_enrolled(world: World, known_to: KnownTo = KnownTo.CHARGER) -> Credential:
    """Wait for the key that only the charger knows: the proof is a fact in the database."""
    await world.heard(Fact.PROVED)
    found = await current(world)
    assert found.known_to == known_to
    return found


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("fault", TAKES_IT)
async def test_a_charger_is_enrolled_whatever_it_makes_of_its_key(
    world: World, ocpp: Any, fault: Trouble | None
) -> None:
    faults = [At(fault, Step.ENROL)] if fault else []
    async with world.station(enrolled=False, ocpp=ocpp, faults=faults) as station:
        key = await until_enrolled(world)
        await station.until(lambda: station.online and station.state.password != OLD_KEY)
        assert station.refused == 0
        assert not (await place(world)).quarantined
    assert (key.purpose, key.open_line) == ("enrolment", True)
    assert key.serials == [station.serial]
    assert await world.refuses(OLD_KEY)


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("fault", [Trouble.REJECT, Trouble.NOT_SUPPORTED])
async def test_one_that_refuses_goes_on_as_before_and_is_left_alone(world: World, ocpp: Any, fault: Trouble) -> None:
    for boots in (1, 2):
        async with world.station(enrolled=False, ocpp=ocpp, faults=[At(fault, Step.ENROL)]) as station:
            await station.until(lambda: station.online)
            await until_known(world, rotates=False)
            station.boot_due = True
        assert boots
    assert set(await keys(world.database)) == {"current", "revoked"}
    async with world.database.reading() as rows:
        assert len((await rows.scalars(select(Credential))).all()) == 2, "it is asked once"
    assert not await world.refuses(OLD_KEY)


async def until_known(world: World, *, rotates: bool) -> None:
    """Wait for what the database is to say: nothing reports it."""
    async with asyncio.timeout(10):
        while True:
            async with world.database.reading() as rows:
                if (await rows.get_one(ChargePoint, CP)).rotates is rotates:
                    return
            await asyncio.sleep(0.02)


async def test_another_firmware_is_tried_anew(world: World) -> None:
    async with world.client() as socket:
        await boot(socket)
        await refuse(socket)
        await until_known(world, rotates=False)
    async with world.client() as socket:
        await boot(socket, firmwareVersion="2")
        frame = json.loads(await said(socket))
        assert frame[2] == "ChangeConfiguration"


async def boot(socket: Any, **more: str) -> Any:
    return await ask(socket, "BootNotification", chargePointVendor="V", chargePointModel="M", **more)


async def refuse(socket: Any) -> None:
    frame = json.loads(await said(socket))
    assert frame[2] == "ChangeConfiguration"
    await socket.send(json.dumps([3, frame[1], {"status": "Rejected"}]))


async def accept(socket: Any, status: str) -> None:
    frame = json.loads(await said(socket))
    assert frame[2] == "ChangeConfiguration"
    await socket.send(json.dumps([3, frame[1], {"status": status}]))


@pytest.mark.parametrize("status", ["Accepted", "RebootRequired"])
async def test_one_that_took_its_key_is_not_sent_it_again_over_another_connection(world: World, status: str) -> None:
    answer = KeyAnswer.ACCEPTED if status == "Accepted" else KeyAnswer.REBOOT_REQUIRED
    async with world.client() as socket:
        await boot(socket)
        await accept(socket, status)
        await until_sent(world, answer)
    async with world.client() as socket:
        await boot(socket)
        if answer is KeyAnswer.REBOOT_REQUIRED:
            assert json.loads(await said(socket))[2] == "Reset"
        else:
            with pytest.raises(TimeoutError):  # neither the key nor the end of its connection
                async with asyncio.timeout(1.5):
                    await socket.recv()
    assert not (await keys(world.database))["pending"].sent_elsewhere


async def test_a_liar_is_found_out_by_two_starts_and_serves_all_the_while(world: World) -> None:
    async with world.station(enrolled=False, faults=[At(Trouble.LIE, Step.ENROL)]) as station:
        await until_sent(world, KeyAnswer.ACCEPTED)
        for boots in (2, 3):
            station.boot_due = True
            await station.reconnect()
            await started(station, boots)
            assert not (await place(world)).quarantined
        await until_known(world, rotates=False)
        await station.until(lambda: station.online)
        assert await station.start_session("ANN1") == "charging"


async def test_a_charging_session_is_not_disturbed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "_LOOK_EVERY", 0.05)
    async with world.station(enrolled=False, faults=[At(Trouble.NEVER_CLOSE, Step.ENROL)]) as station:
        station.state.session = {"key": "k", "id_tag": "ANN1"}
        station._enqueue("started", "k", id_tag="ANN1")
        await until_sent(world, KeyAnswer.ACCEPTED)
        await station.until(lambda: not station.state.queue)
        with pytest.raises(TimeoutError):  # its socket is not closed while somebody charges
            await world.heard(Fact.PROVED, within=1.5)
        assert station.stop_session()
        await until_enrolled(world)


async def started(station: Station, boots: int) -> None:
    await station.until(lambda: station.state.boots == boots and station.online, 30)


async def until_sent(world: World, answer: KeyAnswer) -> None:
    async with asyncio.timeout(10):
        while (found := (await keys(world.database)).get("pending")) is None or found.answer != answer:
            await asyncio.sleep(0.02)


async def test_it_is_on_off_or_for_named_models(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    for models, taken in ((frozenset[str](), False), (frozenset({"other"}), False), (frozenset({"mine"}), True)):
        options = EnrolmentOptions(models=models, restart_hours=(0, 24))
        async with (
            gateway_world(database, vault, tmp_path, enrolment=options) as world,
            world.station(enrolled=False, model="Mine") as station,
        ):
            await station.until(lambda: station.online)
            if taken:
                await until_enrolled(world)
            else:
                with pytest.raises(TimeoutError):
                    await world.heard(Fact.PROVED, within=1)


@pytest.mark.parametrize("state", ["awaiting_acceptance", "transferring"])
async def test_none_begins_once_a_transfer_is_at_work(world: World, state: str) -> None:
    await add_transfer(world.database)
    async with world.database.writing() as rows:
        row = await rows.get_one(Transfer, ORDER)
        row.state, row.active = state, True
    async with world.station(enrolled=False) as station:
        await station.until(lambda: station.online)
        if state == "awaiting_acceptance":
            await until_enrolled(world)
        else:
            with pytest.raises(TimeoutError):
                await world.heard(Fact.PROVED, within=1)
            assert "pending" not in await keys(world.database)


async def test_a_key_that_was_sent_twice_over_is_enrolled_anew_at_once(world: World) -> None:
    async with world.client() as socket:
        await boot(socket)
        frame = json.loads(await said(socket))
    async with world.client() as socket:  # it did not hear the first one, or somebody else did
        await boot(socket)
        again = json.loads(await said(socket))
        assert again[3]["value"] == frame[3]["value"]
        await socket.send(json.dumps([3, again[1], {"status": "Accepted"}]))
        key = again[3]["value"]
        async with world.client(key) as mine:
            await until_enrolled(world, KnownTo.PEOPLE)
            await boot(mine)
            fresh = json.loads(await said(mine))
            assert fresh[3]["value"] != key


async def test_one_that_gives_no_answer_is_sent_it_again_after_its_next_boot(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    quick = {"enrolment": ALL, "call_timeout": timedelta(milliseconds=300)}
    async with gateway_world(database, vault, tmp_path, **quick) as world, world.client() as socket:
        keys_sent = set()
        for _ in range(2):
            await boot(socket)
            frame = json.loads(await said(socket))
            keys_sent.add(frame[3]["value"])
            await until_unanswered(world)
    assert len(keys_sent) == 1


async def until_unanswered(world: World) -> None:
    async with asyncio.timeout(10):
        while (await keys(world.database))["pending"].answer != KeyAnswer.UNKNOWN:
            await asyncio.sleep(0.02)


async def test_over_wss_the_line_is_not_open(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    async with (
        gateway_world(database, vault, tmp_path, enrolment=ALL, open_line=False) as world,
        world.station(enrolled=False),
    ):
        assert not (await until_enrolled(world)).open_line


async def test_more_than_a_fiftieth_lost_and_no_more_are_begun(
    database: Database, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    now = [0.0]
    limited = Enrolment(database, Any, ALL, 1, GatewayMetrics(), clock=lambda: now[0])  # type: ignore[arg-type]
    limited._begun.append(_Begun(CP, 0.0))
    now[0] = timedelta(minutes=16).total_seconds()
    await limited.look()
    assert limited._halted
    assert "1 of 1 chargers are not back" in caplog.text
    caplog.clear()
    now[0] = timedelta(minutes=80).total_seconds()
    for _ in range(2):  # nothing is told of it again
        await limited.look()
        assert not limited._halted


def test_the_hours_of_a_restart_may_go_over_midnight() -> None:
    at = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (0, 2, 12, 23)]
    assert [EnrolmentOptions(restart_hours=(22, 4)).may_restart(moment) for moment in at] == [True, True, False, True]
    assert [EnrolmentOptions(restart_hours=(1, 5)).may_restart(moment) for moment in at] == [False, True, False, False]
    assert all(ALL.may_restart(moment) for moment in at)


async def test_nothing_is_sent_after_the_change_over_what_a_former_owner_may_have_opened(world: World) -> None:
    async with world.client(subprotocols=[Subprotocol("ocpp1.6")]) as socket:
        await boot(socket)
        await refuse(socket)
        await until_known(world, rotates=False)
        async with world.database.writing() as rows:
            await change_owner(rows)
            assert await credentials.change_hands(
                rows,
                world.vault,
                CP,
                ORDER,
                quarantines_old=False,
                until_new_key=UntilNewKey.SERVE,
                now=datetime.now(UTC),
            )
        assert (await world.gateway.orders.rotate(CP, ORDER)).said is KeyAnswer.REJECTED, "no key is of that order"
        async with world.database.writing() as rows:
            assert await credentials.make_own(rows, world.vault, CP, datetime.now(UTC), asked=True) is None
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)


async def test_one_that_waits_for_its_hour_holds_up_no_other(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    never = (datetime.now(UTC).hour + 2) % 24
    options = EnrolmentOptions(at_once=1, restart_hours=(never, never + 1))
    async with (
        gateway_world(database, vault, tmp_path, enrolment=options) as world,
        world.station(enrolled=False, faults=[At(Trouble.REBOOT_REQUIRED, Step.ENROL)]),
    ):
        await until_sent(world, KeyAnswer.REBOOT_REQUIRED)
        await asyncio.wait_for(world.gateway._enrolment._slots.acquire(), 5)


async def test_a_named_model_is_enrolled_however_late_it_says_what_it_is(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault, known_to=KnownTo.PEOPLE)
    options = EnrolmentOptions(models=frozenset({"m"}), restart_hours=(0, 24))
    async with (
        gateway_world(database, vault, tmp_path, enrolment=options, boot_patience=timedelta()) as world,
        world.client() as socket,
    ):
        await world.heard(Fact.CONNECTED)
        await ask(socket, "Heartbeat")
        await boot(socket)
        assert json.loads(await said(socket))[2] == "ChangeConfiguration"


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_what_was_connected_when_a_key_was_sent_is_on_record(world: World, ocpp: str) -> None:
    named: dict[str, Any] = {"chargePointSerialNumber": "SN-1", "iccid": "8933", "imsi": "2080"}
    about: dict[str, Any] = {"chargePointVendor": "V", "chargePointModel": "M", **named}
    if ocpp == "2.0.1":
        modem = {"iccid": "8933", "imsi": "2080"}
        station = {"vendorName": "V", "model": "M", "serialNumber": "SN-1", "modem": modem}
        about = {"reason": "PowerUp", "chargingStation": station}
    async with world.client(subprotocols=[Subprotocol(f"ocpp{ocpp}")]) as socket:
        await ask(socket, "BootNotification", **about)
        await said(socket)
        async with world.database.reading() as rows:
            sent = select(AuditEvent.detail).where(AuditEvent.action == "key_sent")
            detail = (await rows.scalars(sent)).one()
    assert (detail["serials"], detail["iccid"], detail["imsi"], detail["open_line"]) == (["SN-1"], "8933", "2080", True)
