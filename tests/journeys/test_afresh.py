"""A connection that was deleted with a transfer: the charger is kept out, until its new owner connects it afresh."""

import asyncio
from pathlib import Path

from persistence.tables import PresentConnection
from tests.journeys.people import LOOK_EVERY, ask, see_it_end
from tests.journeys.system import running, two_users
from tools.simulator.simulation import Station
from tools.stage.readiness import knows_keys

TO_BOB = {
    "kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "not_required", "connection": "delete",
}  # fmt: skip


async def test_the_new_owner_connects_it_afresh(tmp_path: Path, database_url: str) -> None:
    lines = [*two_users(1), {"type": "tag", "group_id": "personal-bob", "id_tag": "BOB1"}]
    async with running(tmp_path / "system", database_url, lines, away={"cp-1"}) as system:
        former = Station(system.stage.gateway, "CP-1", "first-password-of-1", tmp_path / "former.json", enrolled=True)
        keeps_trying = asyncio.create_task(former.run())
        await former.until(lambda: former.online, 30)
        async with system.user("ada") as ada, system.user("bob") as bob:
            assert (await ada.get("/v1/charge-points/cp-1")).json()["connected"]
            found = await see_it_end(ada, await ask(ada, "cp-1", TO_BOB, key="delete"))
            assert (found["state"], found["warnings"]) == ("completed", [])
            await former.until(lambda: former.refused, 30)
            made = (await bob.post("/v1/charge-points/cp-1/connection")).json()
        state = tmp_path / "afresh.json"
        afresh = Station(system.stage.gateway, made["identity"], made["password"], state)
        charges = asyncio.create_task(afresh.run())
        async with asyncio.timeout(60):
            while not await knows_keys(system.db, ["cp-1"]):
                await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
        await afresh.until(lambda: afresh.online, 30)
        assert await afresh.start_session("NORTH") != "charging"
        assert await afresh.start_session("BOB1") == "charging"
        refused = former.refused
        await former.until(lambda: former.refused > refused, 30)
        async with system.db.reading() as rows:
            assert (await rows.get_one(PresentConnection, "cp-1")).node is not None
        for station in (keeps_trying, charges):
            station.cancel()


async def test_one_that_was_away_gets_its_new_list_once_it_is_connected_afresh(
    tmp_path: Path, database_url: str
) -> None:
    lines = [*two_users(1), {"type": "tag", "group_id": "personal-bob", "id_tag": "BOB1"}]
    async with (
        running(tmp_path / "system", database_url, lines, away={"cp-1"}) as system,
        system.user("ada") as ada,
        system.user("bob") as bob,
    ):
        transfer_id = await ask(ada, "cp-1", TO_BOB, key="delete")
        found = await see_it_end(ada, transfer_id)
        assert (found["state"], found["warnings"]) == ("completed_with_warnings", ["lists_due"])
        made = (await bob.post("/v1/charge-points/cp-1/connection")).json()
        station = Station(system.stage.gateway, made["identity"], made["password"], tmp_path / "afresh.json")
        station.state.local_list = {"NORTH": "Accepted"}  # what its former group had put on it
        connected = asyncio.create_task(station.run())
        async with asyncio.timeout(60):
            while (await ada.get(f"/v1/transfers/{transfer_id}")).json()["warnings"]:
                await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
        assert station.state.local_list == {"BOB1": "Accepted"}
        connected.cancel()
