"""A dry run: what a start would do, by the same rules, with nothing written."""

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from domain.keys import KnownTo
from domain.transfer import UNSUPPORTED
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, IdempotencyKey, Request, TransferStep
from tests.api.engine import Engine
from tests.api.world import add_key, add_transfer, bearer, check

START = "/v1/charge-points/cp-1/transfers?dry_run=true"
TO_USER = {"kind": "transfer_to_user", "recipient": "rita@example.com"}


async def rehearse(http: httpx.AsyncClient, body: dict[str, Any], who: str = "olga") -> dict[str, Any]:
    answer = await http.post(START, json=body, headers=bearer(who) | {"Idempotency-Key": "k"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def named(parts: list[dict[str, str]], key: str = "what") -> list[str]:
    return [part[key] for part in parts]


async def test_nothing_is_written_and_nobody_is_asked(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await rehearse(http, TO_USER)

    assert engine.started == []
    async with database.reading() as rows:
        for table in (Request, AuditEvent, IdempotencyKey):
            assert await rows.scalar(select(func.count()).select_from(table)) == 0


@pytest.mark.parametrize(
    ("body", "moves", "stays", "steps"),
    [
        (
            {"kind": "move_to_group", "group_id": "g-olga"},
            ["charge_point", "group", "credentials"],
            ["sessions", "history", "access", "tariff"],
            ["replace_lists"],
        ),
        (
            {"kind": "transfer_ownership", "user_id": "u-adam"},
            ["charge_point", "ownership", "access"],
            ["sessions", "history", "credentials"],
            ["rotate_credentials"],
        ),
        (
            TO_USER | {"connection": "delete"},
            ["charge_point", "ownership", "group"],
            ["sessions", "history", "access", "tariff", "credentials"],
            ["quiet_charger", "replace_lists", "release_charger"],
        ),
    ],
)
async def test_it_says_what_moves_what_stays_and_what_the_charger_is_told(
    http: httpx.AsyncClient, body: dict[str, Any], moves: list[str], stays: list[str], steps: list[str]
) -> None:
    found = await rehearse(http, body)

    assert (named(found["moves"]), named(found["stays"])) == (moves, stays)
    assert named(found["device_steps"], "name") == steps
    assert found["blockers"] == []


async def test_an_unknown_address_looks_like_a_known_one(http: httpx.AsyncClient) -> None:
    assert await rehearse(http, TO_USER | {"recipient": "nobody@example.com"}) == await rehearse(http, TO_USER)


async def test_every_blocker_is_named(http: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database)
    found = await rehearse(http, {"kind": "transfer_ownership", "user_id": "u-adam"}, "adam")

    assert named(found["blockers"], "code") == ["not_allowed", "transfer_in_progress"]
    check(await http.post(START, json=TO_USER, headers=bearer("stan")), 404, "not_found")
    check(await http.post(f"{START}&x=1", json=TO_USER, headers=bearer("olga")), 422, "invalid_request")


async def test_it_shows_what_chargers_of_that_model_did_before(http: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database, state="completed")
    async with database.writing() as rows:
        await rows.execute(update(ChargePoint).values(vendor="V", model="M"))
        lists = update(TransferStep).where(TransferStep.name == "replace_lists")
        await rows.execute(lists.values(state="skipped", last_error=UNSUPPORTED))
        keys = update(TransferStep).where(TransferStep.name == "rotate_credentials")
        await rows.execute(keys.values(state="done"))
    found = await rehearse(http, TO_USER)

    assert {step["name"]: step["supported"] for step in found["device_steps"]} == {
        "quiet_charger": "unknown", "replace_lists": "no", "rotate_credentials": "yes", "release_charger": "unknown",
    }  # fmt: skip


TO_ADAM = {"kind": "transfer_ownership", "user_id": "u-adam"}
TO_MYSELF = {"kind": "move_to_group", "group_id": "g-olga"}


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        (TO_USER, ["key_known_to_people", "delete_recommended"]),
        (TO_USER | {"connection": "delete"}, ["key_known_to_people"]),
        (TO_ADAM, ["key_known_to_people"]),
        (TO_MYSELF, []),
    ],
)
async def test_where_people_know_the_key_it_says_so_and_recommends_delete(
    http: httpx.AsyncClient, database: Database, body: dict[str, Any], notes: list[str]
) -> None:
    assert (await rehearse(http, body))["notes"] == [], "there is no key"
    await add_key(database, KnownTo.PEOPLE)

    found = await rehearse(http, body)

    assert named(found["notes"]) == notes
    if notes:
        ends = "with the change" if body.get("connection") else "once the new owner has typed a new one"
        assert ends in found["notes"][0]["text"]
        assert "gets new credentials" not in str(found["stays"]), "none are sent"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Only what was connected at 2026-01-01T12:00:00Z can know"),
        ({"serials": ["S-1", "S-2"]}, "at 2026-01-01T12:00:00Z (serial number: S-1, S-2) can know"),
    ],
)
@pytest.mark.parametrize("body", [TO_USER, TO_ADAM])
async def test_where_only_the_charger_knows_the_key_it_says_what_was_connected_then(
    http: httpx.AsyncClient, database: Database, body: dict[str, Any], values: dict[str, Any], said: str
) -> None:
    await add_key(database, KnownTo.CHARGER, **values)

    [note] = (await rehearse(http, body))["notes"]

    assert note["what"] == "key_known_to_charger"
    assert said in note["text"]


@pytest.mark.parametrize("known_to", KnownTo)
async def test_a_key_that_went_over_an_open_line_is_said_to_have(
    http: httpx.AsyncClient, database: Database, known_to: KnownTo
) -> None:
    await add_key(database, known_to, open_line=True)

    found = await rehearse(http, TO_ADAM)

    assert named(found["notes"]) == [f"key_known_to_{known_to}", "open_line"]
    assert "ws, a line that is not encrypted" in found["notes"][1]["text"]
