"""The trail of a charge point: who sees which entries of it, for how long where somebody was, and the live stream."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update

from api.app import create_app
from api.dependencies import Options
from domain.actors import SYSTEM, Actor
from domain.ids import ChargePointId, TransferId
from domain.trail import TrailAction, of_charge_point
from persistence.session import Database
from persistence.tables import AuditCounter, AuditEvent, ChargePoint, Membership, OwnershipPeriod, Table
from persistence.transfers import audit
from persistence.vault import Vault
from tests.api.conftest import Trail
from tests.api.engine import Engine
from tests.api.listeners import application, listening, served
from tests.api.world import add, add_transfer, bearer, check, period
from tests.persistence.unguarded import unguarded

EVENTS = "/v1/charge-points/cp-1/events"
TRAIL = of_charge_point(ChargePointId("cp-1"))
NOW = datetime.now(UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def entry(sequence: int, at: datetime, **detail: Any) -> AuditEvent:
    return AuditEvent(
        subject=TRAIL, sequence=sequence, at=at, actor="system", action="key_sent", detail=detail, tells_place=True
    )


@pytest.fixture
async def story(database: Database) -> Database:
    """Three periods, by 30 days: stan's, then adam's in his own group, then olga's in g-team.

    Five entries: one before there was any period, one at the moment that each began, one an hour ago.
    """
    stans = {"started_at": ago(90), "ended_at": ago(60), "owner_id": "u-stan", "group_id": "g-stan"}
    async with unguarded(database) as owners:
        await owners.execute(update(OwnershipPeriod).values(stans))
    rows: list[Table] = [
        period("cp-1", 1, "u-adam", "g-adam", started_at=ago(60), ended_at=ago(30)),
        period("cp-1", 2, "u-olga", "g-team", started_at=ago(30)),
        Membership(group_id="g-adam", user_id="u-mia", role="member"),
        AuditCounter(subject=TRAIL, last=5),
    ]
    for sequence, at in enumerate((ago(91), ago(90), ago(60), ago(30), ago(1 / 24)), 1):
        rows.append(entry(sequence, at, address=f"203.0.113.{sequence}", purpose="transfer"))
    await add(database, *rows)
    return database


async def seen(http: httpx.AsyncClient, name: str) -> list[int]:
    answer = await http.get(EVENTS, headers=bearer(name))
    assert answer.status_code == 200, answer.text
    return [event["sequence"] for event in answer.json()["items"]]


@pytest.mark.parametrize(
    ("name", "sequences"),
    [
        ("olga", [4, 5]),
        ("mia", [4, 5]),  # of g-adam, too, which has it no more
        ("adam", [3, 4, 5]),
        ("stan", [2]),
        ("oscar", [1, 2, 3, 4, 5]),
    ],
)
@pytest.mark.usefixtures("story")
async def test_everybody_sees_the_entries_of_the_periods_that_they_see_in_the_ledger(
    http: httpx.AsyncClient, name: str, sequences: list[int]
) -> None:
    assert await seen(http, name) == sequences


@pytest.mark.parametrize("asked", [True, False])
async def test_a_stranger_and_a_recipient_who_is_only_asked_are_told_of_no_such_charge_point(
    http: httpx.AsyncClient, story: Database, asked: bool
) -> None:
    if asked:
        await add_transfer(story)
    detail = check(await http.get(EVENTS, headers=bearer("rita")), 404, "not_found")
    missing = check(await http.get("/v1/charge-points/cp-9/events", headers=bearer("oscar")), 404, "not_found")
    assert detail == missing


@pytest.mark.usefixtures("story")
async def test_pages_are_cut_among_what_the_reader_sees(http: httpx.AsyncClient) -> None:
    first = (await http.get(f"{EVENTS}?limit=2", headers=bearer("adam"))).json()
    second = (await http.get(f"{EVENTS}?limit=2&cursor={first['next']}", headers=bearer("adam"))).json()

    assert [[event["sequence"] for event in page["items"]] for page in (first, second)] == [[3, 4], [5]]
    assert second["next"] is None


# --- where somebody was -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["olga", "mia", "stan", "oscar"])
async def test_where_somebody_was_is_shown_of_the_readers_own_time_and_no_longer_than_it_is_kept(
    story: Database, vault: Vault, name: str
) -> None:
    async def shown(kept: timedelta) -> dict[int, dict[str, Any]]:
        app = create_app(story, vault, Engine(story), Options(places_kept=kept))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://handover.test") as http:
            items = (await http.get(EVENTS, headers=bearer(name))).json()["items"]
        return {event["sequence"]: event["detail"] for event in items}

    long, short = await shown(timedelta(days=92)), await shown(timedelta(days=1))

    for sequence, detail in long.items():
        assert detail == {"address": f"203.0.113.{sequence}", "purpose": "transfer"}
        old = sequence < 5
        assert short[sequence] == ({"purpose": "transfer"} if old else detail)


async def test_a_transfers_trail_which_both_sides_see_tells_nobody_where_somebody_was(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database)
    detail = {"code": "too_late", "address": "203.0.113.9"}
    async with database.writing() as rows:
        action = TrailAction.CANCEL_REFUSED
        await audit.append(rows, TransferId("trf_1"), actor=Actor("user:u-olga"), action=action, detail=detail)

    for name in ("olga", "oscar"):
        [event] = (await http.get("/v1/transfers/trf_1/events", headers=bearer(name))).json()["items"]
        assert event["detail"] == {"code": "too_late"}


# --- what the API itself writes ---------------------------------------------------------------------------------------


async def test_new_credentials_and_a_refused_request_are_on_the_charge_points_trail(
    http: httpx.AsyncClient, trail: Trail
) -> None:
    start, body = "/v1/charge-points/cp-1/transfers", {"kind": "transfer_to_user", "recipient": "rita@example.com"}
    await http.post("/v1/charge-points/cp-1/connection", headers=bearer("olga"))
    for _ in range(3):
        check(await http.post(start, json=body, headers=bearer("stan")), 404, "not_found")
    check(await http.post(start, json=body | {"recipient": "12"}, headers=bearer("olga")), 422, "invalid_request")

    assert await trail(TRAIL) == [
        ("user:u-olga", "connected_afresh", ""),
        ("user:u-stan", "request_refused", "not_found"),
        ("user:u-olga", "request_refused", "invalid_request"),
    ], "each refusal once a day"
    assert await trail() == await trail(TRAIL)
    assert await seen(http, "mia") == [1, 2, 3]


# --- live -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def place(story: Database, vault: Vault) -> AsyncIterator[str]:
    """Where an API is that looks at its callers once an hour."""
    async with served(application(story, vault)) as found:
        yield found


async def say(database: Database) -> None:
    async with database.writing() as rows:
        detail = {"address": "203.0.113.9"}
        await audit.append(rows, TRAIL, actor=SYSTEM, action=TrailAction.TWO_HOLDERS, detail=detail)


async def have(database: Database, owner: str, group: str, version: int) -> None:
    """Change who has the charge point."""
    now = datetime.now(UTC)
    async with database.writing() as rows:
        last = OwnershipPeriod.charge_point_id == "cp-1", OwnershipPeriod.version == version - 1
        await rows.execute(update(OwnershipPeriod).where(*last).values(ended_at=now))
        rows.add(period("cp-1", version, owner, group, started_at=now))
        await rows.execute(update(ChargePoint).where(ChargePoint.id == "cp-1").values(owner_id=owner, group_id=group))


async def test_what_was_said_comes_first_then_what_is_said_live_and_it_resumes(place: str, story: Database) -> None:
    async with listening(place, "cp-1", of="charge-points") as stream:
        assert await stream.take(2) == [4, 5]
        await say(story)
        heard = await stream.next()
        assert heard is not None
        assert (heard.id, heard.event) == ("6", "audit")
        assert (heard.data["action"], heard.data["detail"]) == ("two_holders", {"address": "203.0.113.9"})
    await say(story)
    async with listening(place, "cp-1", of="charge-points", after=6) as stream:
        assert await stream.take(1) == [7]
        await say(story)
        assert await stream.take(1) == [8]


async def test_a_former_owner_hears_nothing_of_the_time_of_others_and_goes_on_hearing_of_their_own(
    place: str, story: Database
) -> None:
    async with (
        listening(place, "cp-1", of="charge-points") as olgas,
        listening(place, "cp-1", of="charge-points", name="oscar", after=5) as all_of_it,
    ):
        assert await olgas.take(2) == [4, 5]
        await have(story, "u-rita", "g-rita", 3)
        await say(story)
        assert await all_of_it.take(1) == [6]
        await have(story, "u-olga", "g-team", 4)
        await say(story)
        assert await all_of_it.take(1) == [7]
        assert await olgas.take(1) == [7], "6 was said in rita's time"


async def test_whoever_loses_sight_of_all_of_it_is_fed_no_more(place: str, story: Database) -> None:
    async with listening(place, "cp-1", of="charge-points", name="mia") as stream:
        assert await stream.take(2) == [4, 5]
        async with story.writing() as rows:
            await rows.execute(delete(Membership).where(Membership.user_id == "u-mia"))
        await say(story)
        assert await stream.rest() == []


async def test_a_place_behind_the_readers_last_event_is_refused_and_does_not_tell_how_far_it_goes_for_others(
    place: str,
) -> None:
    async with listening(place, "cp-1", of="charge-points", name="stan", after=3) as behind:
        assert "the last event, 2;" in check(behind.answer, 422, "invalid_request")
    async with listening(place, "cp-1", of="charge-points", name="stan", after=2) as stream:
        assert stream.answer.status_code == 200, "it may be theirs once more"
    async with listening(place, "cp-1", of="charge-points", name="rita") as stranger:
        check(stranger.answer, 404, "not_found")
