"""A fresh key and a restart, asked for on a whole running system, before a transfer and while one waits for a key."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.keys import KnownTo
from tests.journeys.people import LOOK_EVERY, ask, patiently
from tests.journeys.searches import check_no_secret_is_left, check_reasons_lie_with_orders
from tests.journeys.system import System, running, two_users
from tools.simulator.control import tell
from tools.simulator.faults import Fault, Step, Trouble

OWNERSHIP = {"kind": "transfer_ownership", "user_id": "bob"}
#: Nothing is enrolled by itself here: each key is one that somebody asked for.
SETTINGS = {"HANDOVER_ENROLMENT": "off"}


async def order(user: httpx.AsyncClient, charge_point: str, call: str, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await patiently(lambda: user.post(f"/v1/charge-points/{charge_point}/{call}", headers=headers))


async def until(user: httpx.AsyncClient, path: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while not holds(found := (await user.get(path)).json()):
            await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
        return dict(found)


async def boots(system: System, identity: str, more_than: int = -1) -> int:
    """Give how often a station has started, once that is more than so often."""
    async with asyncio.timeout(60):
        while (seen := int((await tell(system.stage.ports.stations, f"{identity} state"))["boots"])) <= more_than:
            await asyncio.sleep(LOOK_EVERY)
        return seen


async def actions(user: httpx.AsyncClient, charge_point: str) -> list[tuple[str, str]]:
    found = (await user.get(f"/v1/charge-points/{charge_point}/events")).json()
    return [(event["actor"], event["action"]) for event in found["items"]]


@pytest.mark.timeout(300)
async def test_keys_and_restarts_are_had_by_asking(tmp_path: Path, database_url: str) -> None:
    options: dict[str, Any] = {
        "settings": SETTINGS,
        "known_to": KnownTo.PEOPLE,
        "away": {"cp-4"},
        "faults": {"cp-3": [Trouble(Fault.REJECT, Step.ENROL)]},
        "models": dict.fromkeys(("cp-1", "cp-2", "cp-3"), "Plain"),
    }
    async with (
        running(tmp_path / "system", database_url, two_users(4), **options) as system,
        system.user("ada") as ada,
        system.user("bob") as bob,
    ):
        for number in (1, 2, 3):
            await until(ada, f"/v1/charge-points/cp-{number}", lambda point: bool(point["connected"]))
        await a_fresh_key_is_the_chargers_own(ada)
        await one_that_refuses_says_so(ada)
        await a_restart_is_one_however_often_it_is_asked_for(system, ada)
        refused = await order(ada, "cp-4", "identify")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_possible")
        await while_a_transfer_waits_for_a_key(system, ada, bob)
        await check_no_secret_is_left(system.stage, system.db, system.keys, system.charge_points)
        await check_reasons_lie_with_orders(system.stage, system.db)


def has_newer_key(since: str, point: dict[str, Any]) -> bool:
    return bool(point["key"]["since"] != since)


async def a_fresh_key_is_the_chargers_own(ada: httpx.AsyncClient) -> None:
    """Twice: from the key that people know, and from the one that only the charger does."""
    point = (await ada.get("/v1/charge-points/cp-1")).json()
    assert point["key"]["known_to"] == "people"
    for number in (1, 2):
        since = point["key"]["since"]
        rotated = await order(ada, "cp-1", "key/rotate", key=f"fresh-{number}")
        assert (rotated.status_code, rotated.json()["answer"]) == (200, "accepted")
        assert set(rotated.json()) == {"answer", "key"}
        point = await until(ada, "/v1/charge-points/cp-1", partial(has_newer_key, since))
        assert (point["key"]["known_to"], point["key"]["rotates"]) == ("charger", "yes")
        again = await order(ada, "cp-1", "key/rotate", key=f"fresh-{number}")
        assert again.json()["answer"] == "accepted"
        await until(ada, "/v1/charge-points/cp-1", lambda found: bool(found["connected"]))
    found = await actions(ada, "cp-1")
    assert [one for one in found if one[1] == "key_rotation_asked"] == [("user:ada", "key_rotation_asked")] * 2
    assert [action for _, action in found].count("key_sent") == 2


async def one_that_refuses_says_so(ada: httpx.AsyncClient) -> None:
    for _ in range(2):
        refused = (await order(ada, "cp-3", "key/rotate")).json()
        assert refused["answer"] == "rejected"
        assert (refused["key"]["known_to"], refused["key"]["rotates"]) == ("people", "no")


async def a_restart_is_one_however_often_it_is_asked_for(system: System, ada: httpx.AsyncClient) -> None:
    before = await boots(system, "CP-2")
    for _ in range(3):
        said = await order(ada, "cp-2", "identify", key="which")
        assert (said.status_code, said.json()) == (200, {"answer": "accepted"})
    assert await boots(system, "CP-2", more_than=before) == before + 1
    await until(ada, "/v1/charge-points/cp-2", lambda point: bool(point["connected"]))
    assert (await actions(ada, "cp-2")).count(("user:ada", "identified")) == 1
    other = await order(ada, "cp-2", "key/rotate", key="which")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


async def while_a_transfer_waits_for_a_key(system: System, ada: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    """Its new owner may have the charger restarted, to find the one that the key goes into; none is sent to it."""
    transfer = await ask(ada, "cp-2", OWNERSHIP, key="to-bob")
    await until(ada, f"/v1/transfers/{transfer}", lambda found: found["attention"] == "new_key")
    before = await boots(system, "CP-2")
    rotated = await order(bob, "cp-2", "key/rotate")
    assert (rotated.status_code, rotated.json()["code"]) == (409, "transfer_in_progress")
    said = await order(bob, "cp-2", "identify")
    assert (said.status_code, said.json()) == (200, {"answer": "accepted"})
    await boots(system, "CP-2", more_than=before)
    body = {"action": "complete", "reason": "the key is typed in later"}
    await until(bob, "/v1/charge-points/cp-2", lambda point: bool(point["connected"]))
    resolved = await patiently(lambda: bob.post(f"/v1/transfers/{transfer}/resolve", json=body))
    assert resolved.status_code == 200, resolved.text
    await until(ada, f"/v1/transfers/{transfer}", lambda found: found["finished_at"] is not None)
    late = await order(bob, "cp-2", "key/rotate")
    assert (late.status_code, late.json()["code"]) == (409, "not_possible")
    assert "former owner may know it" in late.json()["detail"]
