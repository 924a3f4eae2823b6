"""What a charge point shows of its charger: whether it is there, what it is, and who can know its key."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain.keys import KnownTo
from persistence.session import Database
from persistence.tables import ChargePoint, PresentConnection
from tests.api.world import LONG_AGO, add_key, bearer, change

POINT = "/v1/charge-points/cp-1"


async def seen(http: httpx.AsyncClient, who: str = "olga") -> dict[str, Any]:
    answer = await http.get(POINT, headers=bearer(who))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    [listed] = [one for one in (await http.get("/v1/charge-points", headers=bearer(who))).json()["items"]
                if one["id"] == "cp-1"]  # fmt: skip
    assert listed == found, "a list shows the same"
    return found


@pytest.mark.parametrize(
    ("link", "connected", "quarantined", "held"),
    [
        ({"node": None}, False, False, False),
        ({"node": "node-1"}, True, False, False),
        ({"node": "node-1", "quarantined": True}, False, True, False),
        ({"node": None, "quarantined": True}, False, False, False),
        ({"node": "node-1", "contender": "socket-2", "contender_node": "node-2"}, True, False, True),
        (
            {"node": "node-1", "quarantined": True, "contender": "socket-2", "contender_node": "node-2"},
            False,
            True,
            True,
        ),
    ],
)
async def test_connected_is_only_what_may_charge(
    http: httpx.AsyncClient, database: Database, link: dict[str, Any], connected: bool, quarantined: bool, held: bool
) -> None:
    await change(database, PresentConnection, **link)

    found = await seen(http)

    assert (found["connected"], found["quarantined"], found["held"]) == (connected, quarantined, held)


async def test_a_charger_that_never_came_has_no_key_and_is_not_there(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/charge-points/cp-2", headers=bearer("oscar"))

    found = answer.json()
    assert (found["connected"], found["quarantined"], found["held"]) == (False, False, False)
    assert (found["key"], found["firmware"], found["serials"]) == (None, None, [])


@pytest.mark.parametrize("who", ["olga", "mia", "oscar"])
async def test_members_and_operators_see_who_can_know_its_key(
    http: httpx.AsyncClient, database: Database, who: str
) -> None:
    await add_key(database, KnownTo.CHARGER, proved_at=LONG_AGO + timedelta(days=2), open_line=True, serials=["S-1"])
    await change(database, ChargePoint, rotates=True, serials=["S-2"], firmware="2.1")

    found = await seen(http, who)

    assert found["key"] == {
        "known_to": "charger", "open_line": True, "since": "2026-01-03T12:00:00Z", "rotates": "yes", "serials": ["S-1"],
    }  # fmt: skip
    assert (found["firmware"], found["serials"]) == ("2.1", ["S-2"])


@pytest.mark.parametrize(("rotates", "said"), [(None, "unknown"), (False, "no"), (True, "yes")])
async def test_a_key_that_nobody_was_seen_to_take_is_as_old_as_its_making(
    http: httpx.AsyncClient, database: Database, rotates: bool | None, said: str
) -> None:
    await add_key(database, KnownTo.PEOPLE)
    await change(database, ChargePoint, rotates=rotates)

    key = (await seen(http))["key"]

    assert (key["known_to"], key["since"], key["rotates"]) == ("people", "2026-01-01T12:00:00Z", said)


async def test_a_key_that_has_ended_or_is_to_come_is_not_the_one_in_use(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_key(database, KnownTo.PEOPLE, state="revoked")
    await add_key(database, KnownTo.CHARGER, state="pending")

    assert (await seen(http))["key"] is None
