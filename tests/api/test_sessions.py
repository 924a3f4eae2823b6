"""Charging sessions over HTTP: each holder's own; ended by hand, and settled, by operators, once, on record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from domain.reconciliation import Finding as Kind
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, ChargingSession, Finding, OwnershipPeriod, UnmatchedStop
from persistence.transfers import findings
from tests.api.engine import Engine
from tests.api.test_lists import walk
from tests.api.world import add, add_transfer, bearer, change, check, period

SESSIONS, STOPS = "/v1/charge-points/cp-1/sessions", "/v1/charge-points/cp-1/unmatched-stops"
SETTLE = f"{SESSIONS}/settle"
#: When it changed hands: Olga's team had it before, and Adam has it on his own since.
CHANGED = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def sold(database: Database) -> None:
    await change(database, OwnershipPeriod, ended_at=CHANGED)
    await change(database, ChargePoint, owner_id="u-adam", group_id="g-adam", version=1)
    await add(database, period("cp-1", 1, "u-adam", "g-adam", started_at=CHANGED))


async def add_session(database: Database, owner: str = "olga", group: str = "team", **more: Any) -> int:
    """Write a session that began two hours after the change of hands; gives its id."""
    began = CHANGED + 2 * HOUR
    values = {"connector": 1, "id_tag": "TAG", "started_at": began, "reported_at": began, "arrived_at": began}
    values |= {"earliest_at": began, "doubts": [], "meter_start": 1000} | more
    row = ChargingSession(charge_point_id="cp-1", owner_id=f"u-{owner}", group_id=f"g-{group}", **values)
    await add(database, row)
    return row.id


async def add_stop(database: Database, **more: Any) -> int:
    at = CHANGED + 3 * HOUR
    values = {"said_id": -1, "meter": 4000, "reason": "Local", "reported_at": at, "stopped_at": at, "arrived_at": at}
    values |= more
    row = UnmatchedStop(charge_point_id="cp-1", **values)
    await add(database, row)
    return row.id


async def doubtful(database: Database, **more: Any) -> int:
    async with database.writing() as rows:
        await findings.note_parked(rows, Kind.SESSIONS_IN_DOUBT, "cp-1", CHANGED)
    return await add_session(database, "adam", "adam", doubts=["holder"], unsettled=True, **more)


async def row(database: Database, session_id: int) -> ChargingSession:
    async with database.reading() as rows:
        return await rows.get_one(ChargingSession, session_id)


async def parked(database: Database) -> list[str]:
    async with database.reading() as rows:
        return [one.kind for one in await findings.parked(rows)]


async def trail(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    async with database.reading() as rows:
        entries = await rows.scalars(select(AuditEvent).order_by(AuditEvent.sequence))
        return [(entry.actor, entry.action, entry.detail) for entry in entries]


async def ids(http: httpx.AsyncClient, name: str, query: str = "") -> list[int]:
    answer = await http.get(f"{SESSIONS}{query}", headers=bearer(name))
    return [one["id"] for one in answer.json()["items"]]


async def test_each_holder_sees_their_own_and_operators_all(http: httpx.AsyncClient, database: Database) -> None:
    await sold(database)
    olgas, adams = await add_session(database), await add_session(database, "adam", "adam")
    later = await add_session(database, "adam", "adam", started_at=CHANGED - HOUR)

    assert await ids(http, "olga") == [olgas]
    assert await ids(http, "adam") == [later, adams]
    assert await ids(http, "oscar") == [later, adams, olgas]
    for name in ("mia", "stan"):  # of the former group she was a member of, and a stranger
        check(await http.get(SESSIONS, headers=bearer(name)), 404, "not_found")
    check(await http.get("/v1/charge-points/cp-2/sessions", headers=bearer("olga")), 404, "not_found")


async def test_the_present_groups_members_see_its_sessions(http: httpx.AsyncClient, database: Database) -> None:
    here, elsewhere = await add_session(database), await add_session(database, "olga", "olga")
    assert await ids(http, "mia") == [here]
    assert await ids(http, "olga") == [elsewhere, here]


async def test_they_come_in_pages_the_latest_first(http: httpx.AsyncClient, database: Database) -> None:
    made = [await add_session(database) for _ in range(3)]
    pages = await walk(http, SESSIONS, "oscar", limit=2)
    assert [[one["id"] for one in page] for page in pages] == [made[:0:-1], made[:1]]


async def test_a_session_is_shown_with_its_energy_as_far_as_it_is_known(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_session(database, last_meter=1600)
    await add_session(database, meter_start=None, meter_stop=1600, stopped_at=CHANGED + 3 * HOUR, stop_reason="Local")
    await add_session(database, last_meter=2, meter_stop=1700, stopped_at=CHANGED + 3 * HOUR, stop_reason="Local")
    shown = (await http.get(SESSIONS, headers=bearer("olga"))).json()["items"]
    assert [one["energy"] for one in shown] == [700, None, 600]
    assert shown[0]["stopped_at"] == "2026-03-01T03:00:00Z"


async def test_only_operators_end_settle_and_see_stops(http: httpx.AsyncClient, database: Database) -> None:
    session_id = await doubtful(database)
    for path in (f"{SESSIONS}/{session_id}/end", SETTLE):
        check(await http.post(path, json={"reason": "r"}, headers=bearer("olga")), 403, "not_allowed")
        check(await http.post(path, json={"reason": "r"}, headers=bearer("stan")), 404, "not_found")
        assert "reason" in check(await http.post(path, json={}, headers=bearer("oscar")), 422, "invalid_request")
    check(await http.get(STOPS, headers=bearer("olga")), 403, "not_allowed")
    assert (await row(database, session_id)).unsettled
    assert await parked(database) == ["sessions_in_doubt"]


async def test_what_is_in_doubt_elsewhere_is_not_this_charge_points(
    http: httpx.AsyncClient, database: Database
) -> None:
    session_id, stop_id = await doubtful(database), await add_stop(database)
    elsewhere = SETTLE.replace("cp-1", "cp-2")
    for named in ({"session_ids": [session_id]}, {"stop_ids": [stop_id]}):
        answer = await http.post(elsewhere, json={"reason": "r"} | named, headers=bearer("oscar"))
        check(answer, 404, "not_found")
    assert (await http.post(elsewhere, json={"reason": "r"}, headers=bearer("oscar"))).json()["sessions"] == []
    assert (await row(database, session_id)).unsettled


async def test_one_is_ended_by_hand_with_its_last_reading_once(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database)
    session_id = await add_session(database, last_meter=1600)
    headers = bearer("oscar") | {"Idempotency-Key": "k"}
    for _ in range(2):
        answer = await http.post(f"{SESSIONS}/{session_id}/end", json={"reason": "He left."}, headers=headers)
        shown = answer.json()
        assert (answer.status_code, shown["energy"], shown["stop_reason"]) == (200, 600, "ByHand")
    assert ("cp-1", "session_ended") in [(point, fact) for _, point, fact in engine.told]
    again = await http.post(f"{SESSIONS}/{session_id}/end", json={"reason": "r"}, headers=bearer("oscar"))
    assert "ended already" in check(again, 409, "not_possible")
    assert await trail(database) == [("operator:u-oscar", "session_ended", {"session": session_id})]
    events = (await http.get("/v1/charge-points/cp-1/events", headers=bearer("olga"))).json()["items"]
    assert events[-1]["detail"] == {"session": session_id, "reason": "He left."}
    other = await http.post(f"{SESSIONS}/{session_id}/end", json={"reason": "Another."}, headers=headers)
    check(other, 422, "idempotency_conflict")


async def test_what_is_not_the_charge_points_is_not_ended(http: httpx.AsyncClient, database: Database) -> None:
    session_id, stop_id = await add_session(database), await add_stop(database)
    elsewhere = await http.post(
        f"/v1/charge-points/cp-2/sessions/{session_id}/end", json={"reason": "r"}, headers=bearer("oscar")
    )
    check(elsewhere, 404, "not_found")
    for wrong in (4711, 2**31 - 1):
        body = {"reason": "r", "stop_id": wrong}
        answer = await http.post(f"{SESSIONS}/{session_id}/end", json=body, headers=bearer("oscar"))
        assert f"stop {wrong}" in check(answer, 404, "not_found")
    assert (await row(database, session_id)).stopped_at is None
    assert [one["id"] for one in (await http.get(STOPS, headers=bearer("oscar"))).json()["items"]] == [stop_id]


@pytest.mark.parametrize("lost", [False, True])
async def test_one_is_ended_by_a_stop_that_fitted_none(http: httpx.AsyncClient, database: Database, lost: bool) -> None:
    async with database.writing() as rows:
        await findings.note_parked(rows, Kind.SESSIONS_IN_DOUBT, "cp-1", CHANGED)
    ended: dict[str, Any] = {"stopped_at": CHANGED + 9 * HOUR, "stop_reason": "Lost"} if lost else {}
    session_id, stop_id = await add_session(database, **ended), await add_stop(database)
    body = {"reason": "It is his.", "stop_id": stop_id}
    shown = (await http.post(f"{SESSIONS}/{session_id}/end", json=body, headers=bearer("oscar"))).json()
    assert (shown["energy"], shown["stop_reason"]) == (3000, "Local")
    assert shown["stopped_at"] == "2026-03-01T03:00:00Z"
    assert (await http.get(STOPS, headers=bearer("oscar"))).json()["items"] == []
    assert await parked(database) == []
    answer = await http.post(f"{SESSIONS}/{session_id}/end", json=body, headers=bearer("oscar"))
    check(answer, 409, "not_possible")


async def test_what_is_settled_stays_as_it_is_and_the_finding_ends_with_the_last(
    http: httpx.AsyncClient, database: Database
) -> None:
    one, other, stop_id = await doubtful(database), await doubtful(database), await add_stop(database)
    body = {"reason": "Asked both.", "session_ids": [one]}
    answer = await http.post(SETTLE, json=body, headers=bearer("oscar"))
    assert answer.json() == {"sessions": [one], "stops": []}
    assert await ids(http, "oscar", "?in_doubt=true") == [other]
    assert await parked(database) == ["sessions_in_doubt"]
    headers = bearer("oscar") | {"Idempotency-Key": "k"}
    for _ in range(2):
        answer = await http.post(SETTLE, json={"reason": "All else."}, headers=headers)
        assert answer.json() == {"sessions": [other], "stops": [stop_id]}
    assert await parked(database) == []
    assert {(await row(database, each)).owner_id for each in (one, other)} == {"u-adam"}
    shown = (await http.get(SESSIONS, headers=bearer("oscar"))).json()["items"]
    assert [(each["doubts"], each["settled"]) for each in shown] == [(["holder"], True)] * 2
    assert [detail for _, _, detail in await trail(database)] == [
        {"sessions": str(one), "stops": ""},
        {"sessions": str(other), "stops": str(stop_id)},
    ]
    nothing = await http.post(SETTLE, json={"reason": "r"}, headers=bearer("oscar"))
    assert nothing.json() == {"sessions": [], "stops": []}
    assert len(await trail(database)) == 2
    again = await http.post(SETTLE, json=body, headers=bearer("oscar"))
    assert f"session {one}" in check(again, 404, "not_found")


async def test_without_ids_only_those_are_booked_of_which_it_is_in_doubt_whose_they_are(
    http: httpx.AsyncClient, database: Database
) -> None:
    await sold(database)
    whose, energy, stop_id = await doubtful(database), await doubtful(database), await add_stop(database)
    async with database.writing() as rows:
        (await rows.get_one(ChargingSession, energy)).doubts = ["energy"]
    answer = await http.post(SETTLE, json={"reason": "r", "owner_id": "u-olga"}, headers=bearer("oscar"))
    assert answer.json() == {"sessions": [whose], "stops": []}
    assert ((await row(database, energy)).owner_id, (await row(database, energy)).unsettled) == ("u-adam", True)
    assert [one["id"] for one in (await http.get(STOPS, headers=bearer("oscar"))).json()["items"]] == [stop_id]


async def test_nothing_is_booked_to_who_did_not_have_it_yet(http: httpx.AsyncClient, database: Database) -> None:
    await sold(database)
    session_id = await doubtful(database, started_at=CHANGED - 3 * HOUR, stopped_at=CHANGED - HOUR)
    await change(database, ChargingSession, owner_id="u-olga", group_id="g-team")
    answer = await http.post(SETTLE, json={"reason": "r", "owner_id": "u-adam"}, headers=bearer("oscar"))
    assert f"session {session_id}" in check(answer, 409, "not_possible")
    assert (await row(database, session_id)).unsettled


async def test_a_session_is_booked_to_another_holder_who_is_told(http: httpx.AsyncClient, database: Database) -> None:
    await sold(database)
    session_id = await doubtful(database)
    for wrong in ("u-stan", "nobody"):
        body = {"reason": "r", "owner_id": wrong}
        answer = await http.post(SETTLE, json=body, headers=bearer("oscar"))
        assert "never had" in check(answer, 409, "not_possible")
    assert (await row(database, session_id)).unsettled
    body = {"reason": "It was before the sale.", "owner_id": "u-olga"}
    assert (await http.post(SETTLE, json=body, headers=bearer("oscar"))).status_code == 200
    found = await row(database, session_id)
    assert (found.owner_id, found.group_id, found.to_be_told, found.unsettled) == ("u-olga", "g-team", True, False)
    assert found.started_at < CHANGED, "it lies in their time"
    assert await ids(http, "olga") == [session_id]
    async with database.reading() as rows:
        assert [one.settled_at is not None for one in await rows.scalars(select(Finding))] == [True]
