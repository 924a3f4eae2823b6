"""Pages of lists: their order, their filters, their cursors."""

from datetime import timedelta

import httpx
import pytest

from domain.actors import SYSTEM
from domain.ids import TransferId
from domain.trail import TrailAction
from persistence.session import Database
from persistence.tables import ChargerChange, Credential, Table
from persistence.transfers import audit
from tests.api.engine import Engine
from tests.api.world import LONG_AGO, add, add_transfer, bearer, charge_point, period


async def walk(http: httpx.AsyncClient, path: str, name: str, limit: int) -> list[list[dict[str, object]]]:
    """Follow `next` to the end, and give the pages."""
    pages, cursor = [], None
    while True:
        asked = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = await http.get(path, params=asked, headers=bearer(name))
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        if (cursor := answer.json()["next"]) is None:
            return pages


async def test_transfers_are_listed_latest_first_and_no_page_skips_or_repeats_one(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    """Two share their moment, and one is a request that has not started: the cursor must get past all of them."""
    engine.worker_answers = False
    for number, day in enumerate((1, 2, 2, 3)):
        at = LONG_AGO + timedelta(days=day)
        await add_transfer(database, f"trf_{number}", state="declined", requested_at=at)
    body = {"kind": "transfer_to_user", "recipient": "rita@example.com"}
    new = (await http.post("/v1/charge-points/cp-1/transfers", json=body, headers=bearer("olga"))).json()["id"]

    pages = await walk(http, "/v1/transfers", "olga", limit=2)

    assert [[item["id"] for item in page] for page in pages] == [[new, "trf_3"], ["trf_2", "trf_1"], ["trf_0"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=declined", ["trf_2"]),
        ("attention=operator", ["trf_3"]),
        ("kind=transfer_ownership", ["trf_2"]),
        ("charge_point_id=cp-2", ["trf_4"]),
        ("charge_point_id=cp-1&state=transferring", ["trf_3"]),
        ("state=requested", []),
        ("charge_point_id=cp-9", []),
        ("group_id=g-stan", ["trf_4"]),
        ("group_id=g-team", ["trf_3", "trf_2"]),
        ("group_id=g-adam", ["trf_4"]),
        ("group_id=g-olga", []),
        ("requested_before=2026-01-02T12:00:01Z", ["trf_2"]),
        ("requested_before=2026-01-02T12:00:00Z", []),
        ("requested_before=2026-01-02T14:00:01%2B02:00", ["trf_2"]),
    ],
)
async def test_filters_narrow_the_list(
    http: httpx.AsyncClient, database: Database, query: str, expected: list[str]
) -> None:
    day = LONG_AGO + timedelta(days=1)
    await add_transfer(database, "trf_2", state="declined", kind="transfer_ownership", requested_at=day)
    await add_transfer(database, "trf_3", state="transferring", attention="operator")
    await add_transfer(database, "trf_4", charge_point_id="cp-2", from_owner_id="u-stan", from_group_id="g-stan",
                       to_group_id="g-adam")  # fmt: skip

    answer = await http.get(f"/v1/transfers?{query}", headers=bearer("oscar"))

    assert [item["id"] for item in answer.json()["items"]] == expected


async def test_requests_that_have_not_started_are_filtered_by_age_and_by_their_charge_points_group(
    http: httpx.AsyncClient, engine: Engine
) -> None:
    engine.worker_answers = False
    body = {"kind": "transfer_to_user", "recipient": "rita@example.com"}
    new = (await http.post("/v1/charge-points/cp-1/transfers", json=body, headers=bearer("olga"))).json()["id"]

    async def listed(query: str) -> list[str]:
        answer = await http.get(f"/v1/transfers?{query}", headers=bearer("oscar"))
        return [item["id"] for item in answer.json()["items"]]

    assert await listed("group_id=g-team&requested_before=2099-01-01T00:00:00Z") == [new]
    assert await listed("group_id=g-stan") == await listed("requested_before=2026-01-01T00:00:00Z") == []


async def test_charge_points_ledger_groups_and_events_come_in_pages_too(
    http: httpx.AsyncClient, database: Database
) -> None:
    periods: list[Table] = [period("cp-1", version, "u-olga", "g-team") for version in (1, 2)]
    await add(database, *charge_point("cp-3", "u-olga", "g-team"), *periods)
    await add_transfer(database)
    async with database.writing() as rows:
        for _ in range(3):
            await audit.append(rows, TransferId("trf_1"), actor=SYSTEM, action=TrailAction.TAKEN_UP)

    async def seen(path: str, field: str) -> list[list[object]]:
        return [[item[field] for item in page] for page in await walk(http, path, "oscar", limit=2)]

    assert await seen("/v1/charge-points", "id") == [["cp-1", "cp-2"], ["cp-3"]]
    assert await seen("/v1/charge-points/cp-1/ownership", "version") == [[0, 1], [2]]
    assert await seen("/v1/transfers/trf_1/events", "sequence") == [[1, 2], [3]]
    assert [name for page in await seen("/v1/groups", "id") for name in page] == sorted(
        ["g-team", *(f"g-{name}" for name in ("olga", "adam", "mia", "rita", "stan", "oscar", "blanca"))]
    )


async def test_an_event_has_its_sequence_time_actor_action_and_detail(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database)
    async with database.writing() as rows:
        await audit.append(rows, "trf_1", actor="system", action=TrailAction.RESERVED, detail={"kind": "x"})  # type: ignore[arg-type]

    [event] = (await http.get("/v1/transfers/trf_1/events", headers=bearer("mia"))).json()["items"]

    assert event.pop("at").endswith("Z")
    assert event == {"sequence": 1, "actor": "system", "action": "reserved", "detail": {"kind": "x"}}


@pytest.mark.parametrize(
    "path", ["/v1/transfers", "/v1/charge-points", "/v1/groups", "/v1/charge-points/cp-1/ownership"]
)
@pytest.mark.parametrize("cursor", ["x", "%00", "W10", "WzFd" * 60, "WyJcdTAwMDAiXQ", "e30", "WzEsMiwzLDRd"])
async def test_a_cursor_that_is_not_ours_is_refused(http: httpx.AsyncClient, path: str, cursor: str) -> None:
    answer = await http.get(f"{path}?cursor={cursor}", headers=bearer("oscar"))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "cursor is not one of ours" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("state=lost", "state should be 'requested'"),
        ("stat=requested", "stat is not known here; leave it out, or correct its spelling."),
        ("limit=0", "limit should be greater than or equal to 1."),
        ("limit=201", "limit should be less than or equal to 200."),
        ("charge_point_id=a%00", "charge_point_id must be an id"),
        ("group_id=a/b", "group_id must be an id"),
        ("requested_before=yesterday", "requested_before must be a time in RFC 3339, like 2026-11-25T06:57:12Z"),
        ("requested_before=2026-01-01T00:00:00", "requested_before must be a time in RFC 3339"),
        ("requested_before=2026-01-01", "requested_before must be a time in RFC 3339"),
        ("requested_before=1767225600", "requested_before must be a time in RFC 3339"),
        ("requested_before=0001-01-01T00:00:00%2B14:00", "requested_before must be a time in RFC 3339"),
        ("requested_before=2026-01-01T00:00:00+02:00", "written %2B"),
    ],
)
async def test_a_filter_that_is_misspelt_is_refused_and_says_what_is_possible(
    http: httpx.AsyncClient, query: str, text: str
) -> None:
    answer = await http.get(f"/v1/transfers?{query}", headers=bearer("olga"))

    assert answer.status_code == 422
    assert text in answer.json()["detail"]


async def test_a_transfer_shows_what_was_done_at_its_charger_and_how_often_its_key_was_sent(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database, state="completed_with_warnings", steps={"rotate_credentials": "done"})
    changed = {"name": "AllowOfflineTxForUnknownId", "was": "true", "now": "false"}
    limit = {"id": 3, "purpose": "ChargingStationMaxProfile", "source": "CSO", "evse": 0}
    key = Credential(
        id="key-1", charge_point_id="cp-1", state="current", known_to="charger", purpose="transfer", version=0, mac="m",
        order_id="trf_1", sendings=3, created_at=LONG_AGO, quarantines_old=False, old_key_returns=0,
    )  # fmt: skip
    left = ChargerChange(
        order_id="trf_1", charge_point_id="cp-1", settings=[changed], former_tags=4, charging_limits=[limit]
    )
    await add(database, key, left)
    for path in ("/v1/transfers/trf_1", "/v1/transfers"):
        shown = (await http.get(path, headers=bearer("olga"))).json()
        one = shown["items"][0] if "items" in shown else shown
        assert (one["settings_changed"], one["former_tags"], one["charging_limits"]) == ([changed], 4, [limit])
        attempts = {step["name"]: step["attempts"] for step in one["steps"]}
        assert attempts["rotate_credentials"] == 3
