"""Somebody sells and buys in a whole running system, and is erased: their words are in no table, log or history."""

from pathlib import Path

import pytest

from tests.journeys.people import ask, patiently, see_it_end
from tests.journeys.searches import check_nowhere
from tests.journeys.system import running, two_users

NAME, EMAIL, MESSAGE, REASON, TAG = (
    *("Zoe Quittenbaum", "zoe.quittenbaum@example.com", "quince for zoe", "quince of the operator", "QUINCE-TAG"),
)
LINES = [
    *two_users(1),
    {"type": "user", "id": "p-1", "name": NAME, "email": EMAIL, "locale": "fr"},
    {"type": "tag", "group_id": "personal-p-1", "id_tag": TAG},
]
TO_ZOE = {"kind": "transfer_to_user", "recipient": EMAIL, "message": MESSAGE, "reason": f"{NAME} wrote: {REASON}"}
TO_ADA = {"kind": "transfer_to_user", "recipient": "ada@example.com", "message": MESSAGE}


@pytest.mark.timeout(300)
async def test_nothing_of_somebody_erased_is_left_in_a_running_system(tmp_path: Path, sqlite_url: str) -> None:
    async with (
        running(tmp_path / "system", sqlite_url, LINES) as system,
        system.user("ada") as ada,
        system.user("p-1") as zoe,
    ):
        declined = await ask(ada, "cp-1", TO_ZOE, key="declined")
        assert (await patiently(lambda: zoe.post(f"/v1/transfers/{declined}/decline", json={}))).status_code == 200
        await system.ended(declined)
        bought = await ask(ada, "cp-1", TO_ZOE, key="bought")
        assert (await zoe.post(f"/v1/transfers/{bought}/accept", json={})).status_code == 200
        assert (await see_it_end(zoe, bought))["state"] == "completed"

        erasure = {"reason": "request 4711"}
        refused = await ada.post("/v1/users/p-1/erasure", json=erasure)
        assert (refused.status_code, "they own the charge points cp-1" in refused.text) == (409, True)
        sold = await ask(zoe, "cp-1", TO_ADA, key="sold")
        assert (await ada.post(f"/v1/transfers/{sold}/accept", json={})).status_code == 200
        assert (await see_it_end(ada, sold))["state"] == "completed"
        await system.ended(sold)
        assert (await zoe.get("/v1/me/data")).json()["account"]["email"] == EMAIL

        done = await ada.post("/v1/users/p-1/erasure", json=erasure)
        assert done.status_code == 200, done.text
        assert (await zoe.get("/v1/me")).status_code == 401
        assert (await ada.get(f"/v1/transfers/{sold}")).status_code == 200
        await check_nowhere(system.stage, system.db, [NAME, EMAIL, MESSAGE, REASON, TAG], there=sold)
