"""What a charger is told outside any transfer, in both versions: a fresh key of its owner's, and a restart."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.charger import CommandOutcome, KeyAnswer
from domain.keys import KnownTo
from domain.transfer import UntilNewKey
from gateway.facts import Fact
from gateway.ocpp.line import NotConnected
from persistence.chargers import credentials
from persistence.session import Database
from persistence.tables import ChargePoint
from persistence.vault import Vault
from tests.gateway.bare import place
from tests.gateway.world import CP, OLD_KEY, ORDER, World, change_owner, gateway_world, keys, said, seed
from tools.simulator.faults import Fault as Trouble

BOTH = pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])


@asynccontextmanager
async def world_of(database: Database, vault: Vault, folder: Path, known_to: KnownTo) -> AsyncIterator[World]:
    await seed(database, vault, known_to=known_to)
    async with gateway_world(database, vault, folder) as world:
        yield world


@BOTH
@pytest.mark.parametrize("known_to", KnownTo)
async def test_a_fresh_key_makes_one_that_only_the_charger_knows(
    database: Database, vault: Vault, tmp_path: Path, ocpp: Any, known_to: KnownTo
) -> None:
    """No enrolment is on here: it is because somebody asked."""
    async with world_of(database, vault, tmp_path, known_to) as world, world.station(ocpp=ocpp) as station:
        await station.until(lambda: station.online)
        answer = await world.gateway.orders.take_own_key(CP)
        assert answer is not None
        assert answer.said is KeyAnswer.ACCEPTED
        await world.heard(Fact.PROVED)
        await station.until(lambda: station.online and station.state.password != OLD_KEY)
        key = (await keys(database))["current"]
        assert key.purpose == ("enrolment" if known_to is KnownTo.PEOPLE else "rotation")
        assert key.known_to == KnownTo.CHARGER
        assert await world.refuses(OLD_KEY)


@BOTH
async def test_one_that_refused_before_is_asked_again(world: World, ocpp: Any) -> None:
    async with world.station(ocpp=ocpp, faults=[Trouble.REJECT]) as station:
        await station.until(lambda: station.online)
        for _ in range(2):
            answer = await world.gateway.orders.take_own_key(CP)
            assert answer is not None
            assert answer.said is KeyAnswer.REJECTED
        async with world.database.reading() as rows:
            assert (await rows.get_one(ChargePoint, CP)).rotates is False
        assert "pending" not in await keys(world.database)
        assert station.state.password == OLD_KEY


@BOTH
async def test_one_that_needs_a_restart_for_its_key_gets_one_once_it_is_idle(world: World, ocpp: Any) -> None:
    async with world.station(ocpp=ocpp, faults=[Trouble.REBOOT_REQUIRED]) as station:
        await station.until(lambda: station.online)
        answer = await world.gateway.orders.take_own_key(CP)
        assert answer is not None
        assert answer.said is KeyAnswer.REBOOT_REQUIRED
        await world.heard(Fact.PROVED)
        await station.until(lambda: station.online and station.state.password != OLD_KEY)


async def test_one_that_keeps_its_socket_is_made_to_come_back(world: World) -> None:
    async with world.station(faults=[Trouble.NEVER_CLOSE]) as station:
        await station.until(lambda: station.online)
        await world.gateway.orders.take_own_key(CP)
        await world.heard(Fact.PROVED)


@BOTH
async def test_a_restart_is_one(world: World, ocpp: Any) -> None:
    async with world.station(ocpp=ocpp) as station:
        await station.until(lambda: station.online)
        station.boot_due = False
        assert await world.gateway.orders.identify(CP) is CommandOutcome.DONE
        await world.heard(Fact.CONNECTED, 2)
        await station.until(lambda: station.online)
        assert station.state.password == OLD_KEY


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ([3, {"status": "Scheduled"}], CommandOutcome.SCHEDULED),
        ([3, {"status": "Rejected"}], CommandOutcome.REJECTED),
        ([4, "NotImplemented", "", {}], CommandOutcome.NOT_SUPPORTED),
        ([4, "InternalError", "", {}], CommandOutcome.REJECTED),
        (None, None),
    ],
)
async def test_what_is_heard_of_a_restart_and_what_is_not(
    world: World, reply: list[Any] | None, outcome: CommandOutcome | None
) -> None:
    """None: the socket is lost instead of an answer, as by a charger that restarts at once."""
    offered: Any = ["ocpp2.0.1"]
    async with world.client(subprotocols=offered) as socket:
        await world.heard(Fact.CONNECTED)
        asked = asyncio.create_task(world.gateway.orders.identify(CP))
        _, number, action, payload = json.loads(await said(socket))
        assert (action, payload) == ("Reset", {"type": "OnIdle"})
        if reply is None:
            await socket.close()
        else:
            await socket.send(json.dumps([reply[0], number, *reply[1:]]))
        assert await asked is outcome


@BOTH
async def test_in_quarantine_it_is_told_nothing(world: World, ocpp: Any) -> None:
    """A former owner may be at the other end, who would be sent the key."""
    async with world.database.writing() as rows:
        await change_owner(rows)
        await credentials.change_hands(
            rows,
            world.vault,
            CP,
            ORDER,
            quarantines_old=True,
            until_new_key=UntilNewKey.SERVE,
            now=datetime.now(UTC),
        )
    offered: Any = [f"ocpp{ocpp}"]
    async with world.client(subprotocols=offered) as socket:
        await world.heard(Fact.CONNECTED)
        assert (await place(world)).quarantined
        for order in (world.gateway.orders.take_own_key, world.gateway.orders.identify):
            with pytest.raises(NotConnected, match="in quarantine"):
                await order(CP)
        told = json.loads(await said(socket))[2]
        assert told in {"ChangeConfiguration", "SetVariables"}, "the transfer's own key, and no restart"


async def test_where_a_former_owner_may_know_the_key_none_is_sent(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    async with world_of(database, vault, tmp_path, KnownTo.PEOPLE) as world, world.client():
        await world.heard(Fact.CONNECTED)
        async with database.writing() as rows:
            await change_owner(rows)
        assert await world.gateway.orders.take_own_key(CP) is None
        assert "pending" not in await keys(database)


async def test_one_that_charges_is_not_restarted_for_its_key(world: World) -> None:
    async with world.station(faults=[Trouble.REBOOT_REQUIRED]) as station:
        await station.until(lambda: station.online)
        assert await station.start_session("ANN1") == "charging"
        await station.until(lambda: not station.state.queue)
        await world.gateway.orders.take_own_key(CP)
        await asyncio.sleep(0.5)  # nothing is to happen
        assert station.state.session is not None
        assert Fact.PROVED not in world.facts
