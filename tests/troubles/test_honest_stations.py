"""Chargers that do nothing wrong, and whose key people know: what keeps attackers out shuts none of them out."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import product
from pathlib import Path
from typing import get_args

from domain.keys import KnownTo
from domain.transfer import UntilNewKey
from persistence.tables import PresentConnection
from tests.journeys.people import ask, patiently, see_it_end
from tests.journeys.system import System, running, two_users
from tests.troubles.attacks import A_WAY_IN, eventually
from tests.troubles.relay import Relay
from tests.troubles.test_two_gateways import another_gateway
from tools.simulator.control import Control, tell
from tools.simulator.faults import Fault, Step, Trouble
from tools.simulator.simulation import Station, Version
from tools.stage.ports import free_port

SETTINGS = {
    "HANDOVER_ENROLMENT": "off",
    "HANDOVER_GATEWAY_PING_TIMEOUT": "PT3S",
    "HANDOVER_POLICY__OFFLINE_DEADLINE": "PT15S",
}


@asynccontextmanager
async def alive(station: Station) -> AsyncIterator[None]:
    """Run a charger inside the block."""
    runs = asyncio.create_task(station.run())
    try:
        yield
    finally:
        runs.cancel()
        with suppress(asyncio.CancelledError):
            await runs


@asynccontextmanager
async def two_nodes(folder: Path, url: str, charge_points: int) -> AsyncIterator[tuple[System, int]]:
    """Run a system with two gateways; gives it, and the port of the second."""
    whole = running(folder, url, two_users(charge_points), away=None, settings=SETTINGS, known_to=KnownTo.PEOPLE)
    async with whole as system:
        second = free_port()
        await system.supervisor.start(another_gateway(system, second))
        yield system, second


async def is_online(station: Station) -> None:
    await station.until(lambda: station.online, A_WAY_IN)


async def waits(system: System, charge_point: str) -> bool:
    async with system.db.reading() as rows:
        link = await rows.get(PresentConnection, charge_point)
    return link is not None and link.contender is not None


async def test_a_charger_whose_connection_is_lost_on_the_way_has_its_place_again(
    tmp_path: Path, sqlite_url: str
) -> None:
    """A change of network, a router that restarts, and a node that is killed while it is to ask the lost one."""
    async with two_nodes(tmp_path / "system", sqlite_url, 3) as (system, second), AsyncExitStack() as stack:
        relays = {number: Relay(system.stage.ports.gateway) for number in (1, 2, 3)}
        stations = {}
        for number, relay in relays.items():
            await stack.enter_async_context(relay.listening())
            state = tmp_path / f"cp-{number}.json"
            stations[number] = Station(relay.url, f"CP-{number}", f"first-password-of-{number}", state)
            await stack.enter_async_context(alive(stations[number]))
        for station in stations.values():
            await is_online(station)
        relays[1].target = second  # another network leads to another node
        relays[2].address = "127.0.0.3"  # the router has another address after its restart
        for number in (1, 2):
            before = await generation(system, number)
            relays[number].lose()
            await eventually(has_another(system, number, before), A_WAY_IN)
        relays[3].target = second
        before = await generation(system, 3)
        relays[3].lose()
        await eventually(lambda: waits(system, "cp-3"), A_WAY_IN)
        os.kill(system.supervisor.pid("gateway"), signal.SIGKILL)
        await eventually(has_another(system, 3, before), A_WAY_IN)
        for station in stations.values():
            await is_online(station)
        async with system.user("ada") as ada:
            for number in relays:
                trail = await patiently(lambda one=number: ada.get(f"/v1/charge-points/cp-{one}/events"))
                assert "two_holders" not in {event["action"] for event in trail.json()["items"]}


async def generation(system: System, number: int) -> int:
    async with system.db.reading() as rows:
        return (await rows.get_one(PresentConnection, f"cp-{number}")).generation


def has_another(system: System, number: int, before: int) -> Callable[[], Awaitable[bool]]:
    """Give the check that a charger has a later connection than `before`, for which nobody else waits."""

    async def it_is() -> bool:
        async with system.db.reading() as rows:
            link = await rows.get_one(PresentConnection, f"cp-{number}")
        return link.generation > before and link.node is not None and link.contender is None

    return it_is


async def test_one_that_takes_no_keys_and_was_offline_is_served_or_kept_as_the_recipient_chose(
    tmp_path: Path, sqlite_url: str
) -> None:
    """It has a connection whatever was chosen, and a key that is typed ends the matter."""
    cases = dict(enumerate(product(get_args(Version), UntilNewKey), start=1))
    async with AsyncExitStack() as stack:
        system, _ = await stack.enter_async_context(two_nodes(tmp_path / "system", sqlite_url, len(cases)))
        stations = {
            number: Station(
                system.stage.gateway,
                f"CP-{number}",
                f"first-password-of-{number}",
                tmp_path / f"cp-{number}.json",
                ocpp=ocpp,
                faults=[Trouble(Fault.NOT_SUPPORTED, step) for step in (Step.ENROL, Step.ROTATE)],
            )
            for number, (ocpp, _) in cases.items()
        }
        await stack.enter_async_context(Control(stations.values()).listening(system.stage.ports.stations))
        for station in stations.values():
            async with alive(station):
                await is_online(station)
        lives = (taken_over(system, stations[number], number, choice) for number, (_, choice) in cases.items())
        await asyncio.gather(*lives)


async def taken_over(system: System, station: Station, number: int, choice: UntilNewKey) -> None:
    body = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required"}
    point = f"/v1/charge-points/cp-{number}"
    async with system.user("ada") as ada, system.user("bob") as bob:
        transfer_id = await ask(ada, f"cp-{number}", {**body, "until_new_key": choice}, key=f"over-{number}")
        found = await see_it_end(ada, transfer_id)
        assert found["state"] == "completed_with_warnings"
        assert "old_key_known" in found["warnings"]
        async with alive(station):
            await station.until(lambda: station.connected, A_WAY_IN)
            if choice is UntilNewKey.SERVE:
                await is_online(station)

            async def there() -> bool:
                shown = (await patiently(lambda: bob.get(point))).json()
                return bool(shown["quarantined" if choice is UntilNewKey.QUARANTINE else "connected"])

            await eventually(there, A_WAY_IN)
            made = await patiently(lambda: bob.post(f"{point}/connection", headers={"Idempotency-Key": f"k-{number}"}))
            assert made.status_code == 201, made.text
            await tell(system.stage.ports.stations, f"CP-{number} password {made.json()['password']}")

            async def settled() -> bool:
                found = (await patiently(lambda: bob.get(f"/v1/transfers/{transfer_id}"))).json()
                shown = (await patiently(lambda: bob.get(point))).json()
                return shown["connected"] and "old_key_known" not in found["warnings"]

            await eventually(settled, A_WAY_IN)
