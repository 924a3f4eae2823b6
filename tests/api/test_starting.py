"""Starting a transfer: what is kept, what is answered."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from api.app import create_app
from api.dependencies import Options
from domain.errors import Unavailable
from domain.request import TransferRequest
from persistence.session import Database
from persistence.tables import ApiKey, Request
from persistence.vault import Vault
from tests.api.conftest import Trail
from tests.api.engine import Engine
from tests.api.world import bearer, check

START = "/v1/charge-points/cp-1/transfers"
TO_USER = {"kind": "transfer_to_user", "recipient": "Rita@Example.com"}


async def requests(database: Database) -> list[Request]:
    async with database.reading() as rows:
        return list((await rows.scalars(select(Request))).all())


def unsealed(vault: Vault, request: Request) -> TransferRequest:
    return TransferRequest.model_validate_json(vault.unseal(request.sealed_body))


async def test_a_start_is_answered_with_the_reserved_transfer_and_where_it_is(
    http: httpx.AsyncClient, database: Database, vault: Vault
) -> None:
    answer = await http.post(START, json=TO_USER, headers=bearer("olga"))
    [request] = await requests(database)

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/transfers/{request.transfer_id}"
    shown = answer.json()
    assert list(shown) == [
        *("id", "kind", "state", "attention", "waiting_until", "reason", "warnings"),
        *("settings_changed", "former_tags", "charging_limits", "actions", "resolutions"),
        *("charge_point_id", "connection", "acceptance", "running_session", "if_offline", "until_new_key"),
        *("from", "to"),
        *("requested_by", "requested_at", "expires_at", "finished_at", "steps"),
    ]
    assert (shown["id"], shown["state"], shown["to"]) == (request.transfer_id, "awaiting_acceptance", None)
    assert shown["from"] == {"group_id": "g-team", "owner_id": "u-olga"}
    assert shown["actions"] == ["cancel", "resend"]
    assert shown["requested_at"].endswith("Z")
    assert len(shown["steps"]) == 10
    assert request.started_at is not None
    assert len(request.transfer_id) == 30
    assert unsealed(vault, request).recipient == "rita@example.com", "normalised"


async def test_the_body_is_kept_sealed_and_no_hash_of_it_can_be_guessed_from_outside(
    http: httpx.AsyncClient, database: Database
) -> None:
    await http.post(START, json=TO_USER, headers=bearer("olga") | {"Idempotency-Key": "k"})
    [request] = await requests(database)

    assert b"rita" not in request.sealed_body
    assert len(request.body_hash) == 64


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"kind": "move_to_group", "group_id": "g-olga"}, {"acceptance": "not_required", "group_id": "g-olga"}),
        (
            {"kind": "transfer_ownership", "user_id": "u-adam", "if_offline": "roll_back"},
            {"acceptance": "not_required", "user_id": "u-adam", "if_offline": "roll_back", "until_new_key": "serve"},
        ),
        (
            {"kind": "transfer_ownership", "user_id": "u-adam", "until_new_key": "quarantine"},
            {"acceptance": "not_required", "until_new_key": "quarantine"},
        ),
        (TO_USER, {"acceptance": "required", "connection": "keep", "expires_in": timedelta(days=7)}),
        (
            {"kind": "transfer_to_user", "recipient": "06 12 34 56 78", "connection": "delete", "expires_in": "P2D"},
            {"recipient": "+33612345678", "recipient_channel": "phone", "expires_in": timedelta(days=2)},
        ),
        (
            TO_USER
            | {"acceptance": "not_required", "running_session": "stop", "message": "  Voilà\u00a0! \r\n bonne route "},
            {"acceptance": "not_required", "running_session": "stop", "message": "Voilà\u00a0! \n bonne route"},
        ),
    ],
)
async def test_a_request_is_kept_with_its_defaults_filled_in(
    http: httpx.AsyncClient, database: Database, vault: Vault, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert (await http.post(START, json=body, headers=bearer("olga"))).status_code == 201

    kept = unsealed(vault, (await requests(database))[0])

    assert {name: getattr(kept, name) for name in expected} == expected


async def test_the_callers_scopes_are_kept_with_the_request(http: httpx.AsyncClient, database: Database) -> None:
    await http.post(START, json=TO_USER, headers=bearer("oscar"))

    assert (await requests(database))[0].scopes == ["operator"]


async def test_without_a_worker_the_request_is_kept_and_shown_as_requested(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    engine.worker_answers = False

    answer = await http.post(START, json=TO_USER, headers=bearer("olga"))
    seen = await http.get(answer.headers["location"], headers=bearer("olga"))
    listed = await http.get("/v1/transfers?state=requested", headers=bearer("olga"))

    assert answer.status_code == 202
    assert seen.json()["state"] == "requested"
    assert seen.json()["actions"] == []
    assert [item["id"] for item in listed.json()["items"]] == [seen.json()["id"]]
    assert (await requests(database))[0].started_at is None, "to be started again"
    assert (await http.get(answer.headers["location"], headers=bearer("adam"))).status_code == 404
    assert (await http.get(answer.headers["location"], headers=bearer("oscar"))).status_code == 200


async def test_with_the_engine_away_the_answer_says_when_to_retry_and_where_the_request_is(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    engine.fails = Unavailable("The engine does not answer; try again in a moment.")
    headers = bearer("olga") | {"Idempotency-Key": "again"}

    away = await http.post(START, json=TO_USER, headers=headers)
    engine.fails = None
    back = await http.post(START, json=TO_USER, headers=headers)

    assert (away.status_code, away.json()["code"], away.headers["retry-after"]) == (503, "unavailable", "5")
    assert away.headers["location"] == back.headers["location"]
    assert back.status_code == 201
    assert len(await requests(database)) == 1


async def test_a_charge_point_that_the_caller_can_not_see_is_not_found_and_the_try_is_noted(
    http: httpx.AsyncClient, engine: Engine, trail: Trail
) -> None:
    hidden = await http.post(START, json=TO_USER, headers=bearer("stan"))
    missing = await http.post("/v1/charge-points/cp-9/transfers", json=TO_USER, headers=bearer("stan"))

    assert hidden.status_code == 404
    assert hidden.json() == missing.json()
    assert engine.started == []
    assert await trail() == [("user:u-stan", "request_refused", "not_found")] * 2


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (TO_USER | {"recipient": "rita@"}, "like name@example.com"),
        (TO_USER | {"recipient": "12"}, "with its country"),
        (TO_USER | {"expires_in": "PT5M"}, "between PT1H and P60D"),
        (TO_USER | {"expires_in": "P61D"}, "between PT1H and P60D"),
    ],
)
async def test_a_value_that_the_rules_refuse_is_told_and_noted(
    http: httpx.AsyncClient, trail: Trail, body: dict[str, Any], text: str, database: Database
) -> None:
    answer = await http.post(START, json=body, headers=bearer("olga"))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert text in answer.json()["detail"]
    assert await trail() == [("user:u-olga", "request_refused", "invalid_request")]
    assert await requests(database) == []


async def test_expiry_follows_the_settings(database: Database, vault: Vault, engine: Engine, app: FastAPI) -> None:
    options = Options(default_expiry=timedelta(hours=5), shortest_expiry=timedelta(seconds=1))
    own = create_app(database, vault, engine, options)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(own), base_url="http://handover.test") as http:
        engine.worker_answers = False
        await http.post(START, json=TO_USER, headers=bearer("olga"))
        await http.post(START, json=TO_USER | {"expires_in": "PT2S"}, headers=bearer("olga"))
        refused = await http.post(START, json=TO_USER | {"expires_in": "PT0.5S"}, headers=bearer("olga"))

    kept = sorted(unsealed(vault, request).expires_in for request in await requests(database))
    assert kept == [timedelta(seconds=2), timedelta(hours=5)]
    assert "between PT1S and P60D" in refused.json()["detail"]


async def test_a_query_parameter_that_is_not_understood_keeps_the_call_from_doing_anything(
    http: httpx.AsyncClient, engine: Engine
) -> None:
    answer = await http.post(f"{START}?dry-run=true", json=TO_USER, headers=bearer("olga"))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert engine.started == []


async def test_an_unknown_scope_on_a_key_gives_nothing(http: httpx.AsyncClient, database: Database) -> None:
    async with database.writing() as rows:
        await rows.execute(update(ApiKey).where(ApiKey.id == "olga").values(scopes=["everything"]))

    assert (await http.get("/v1/me", headers=bearer("olga"))).json()["scopes"] == []


@pytest.mark.parametrize("message", ["Bonne route\u00a0!\n\tAmélie", "👩\u200d👧 à vous", "一\u3000二"])
async def test_a_message_may_hold_what_people_write(http: httpx.AsyncClient, message: str) -> None:
    body = {"kind": "transfer_to_user", "recipient": "rita@example.com", "message": message}

    answer = await http.post("/v1/charge-points/cp-1/transfers", json=body, headers=bearer("olga"))

    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "body", [TO_USER, {"kind": "transfer_ownership", "user_id": "u-adam", "acceptance": "required"}]
)
@pytest.mark.parametrize("dry_run", ["", "?dry_run=true"])
async def test_what_is_the_recipients_to_choose_is_refused_to_the_sender(
    http: httpx.AsyncClient, database: Database, body: dict[str, Any], dry_run: str
) -> None:
    answer = await http.post(START + dry_run, json=body | {"until_new_key": "serve"}, headers=bearer("olga"))

    said = check(answer, 422, "invalid_request")
    assert "the recipient's to choose" in said
    assert "leave it out" in said
    assert await requests(database) == []
