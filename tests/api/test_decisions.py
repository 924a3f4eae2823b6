"""The parties' decisions and the operators' acts."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from domain.approval import Decision
from domain.errors import AlreadyDecided, HandoverError, NotAllowed, NotFound, NotPossible, TooLate, Unavailable
from domain.transfer import OperatorAction, UntilNewKey
from persistence.session import Database
from persistence.tables import Request
from persistence.vault import Vault
from tests.api.conftest import Trail
from tests.api.engine import Engine
from tests.api.world import add, add_transfer, bearer, check

ACCEPT = "/v1/transfers/trf_1/accept"


@pytest.mark.parametrize(
    ("name", "call", "state"),
    [("rita", "accept", "transferring"), ("rita", "decline", "declined"), ("olga", "cancel", "cancelled")],
)
async def test_a_decision_is_answered_with_the_transfer_as_it_stands_then(
    http: httpx.AsyncClient, database: Database, engine: Engine, name: str, call: str, state: str
) -> None:
    await add_transfer(database)

    answer = await http.post(f"/v1/transfers/trf_1/{call}", headers=bearer(name))

    assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert engine.decided == [("trf_1", Decision(call), f"user:u-{name}", f"u-{name}", None)]


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (NotAllowed("Only the recipient may accept this transfer."), 403, "not_allowed"),
        (AlreadyDecided("It is cancelled."), 409, "already_decided"),
        (TooLate("The ownership has changed."), 409, "too_late"),
        (NotPossible("No usable account."), 409, "not_possible"),
    ],
)
async def test_a_refused_decision_is_told_and_noted(
    http: httpx.AsyncClient,
    database: Database,
    engine: Engine,
    trail: Trail,
    refusal: HandoverError,
    status: int,
    code: str,
) -> None:
    await add_transfer(database)
    engine.fails = refusal

    for _ in range(2):
        answer = await http.post("/v1/transfers/trf_1/accept", headers=bearer("rita"))

    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json()["detail"] == refusal.message
    assert await trail("trf_1") == [("user:u-rita", "accept_refused", code)], "once, however often it is tried"


@pytest.mark.parametrize(("name", "call"), [("mia", "accept"), ("olga", "decline"), ("rita", "cancel")])
async def test_a_decision_that_is_not_the_callers_does_not_reach_the_workflow(
    http: httpx.AsyncClient, database: Database, engine: Engine, trail: Trail, name: str, call: str
) -> None:
    await add_transfer(database)

    for _ in range(2):
        check(await http.post(f"/v1/transfers/trf_1/{call}", headers=bearer(name)), 403, "not_allowed")

    assert engine.decided == []
    assert await trail("trf_1") == [(f"user:u-{name}", f"{call}_refused", "not_allowed")]


async def test_a_strangers_try_is_not_found_but_noted(
    http: httpx.AsyncClient, database: Database, engine: Engine, trail: Trail
) -> None:
    await add_transfer(database)

    tried = await http.post("/v1/transfers/trf_1/accept", headers=bearer("stan"))
    missing = await http.post("/v1/transfers/trf_2/accept", headers=bearer("stan"))

    assert tried.status_code == missing.status_code == 404
    assert tried.json() == missing.json()
    assert engine.decided == []
    assert await trail() == [("user:u-stan", "accept_refused", "not_found")], "nothing for one that does not exist"


async def test_with_the_engine_away_a_decision_is_unknown_and_not_noted_as_refused(
    http: httpx.AsyncClient, database: Database, engine: Engine, trail: Trail
) -> None:
    await add_transfer(database)
    engine.fails = Unavailable("No answer yet: it may still be done. Send the same request again.")

    answer = await http.post("/v1/transfers/trf_1/accept", headers=bearer("rita"))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Send the same request again" in answer.json()["detail"]
    assert await trail() == []


async def test_what_the_engine_has_forgotten_was_decided_long_ago(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database, state="completed", accepted_by="u-rita")
    engine.fails = NotFound("There is no such transfer under way.")

    answer = await http.post("/v1/transfers/trf_1/cancel", headers=bearer("olga"))

    assert (answer.status_code, answer.json()["code"]) == (409, "already_decided")


async def test_a_request_that_has_not_started_can_not_be_decided_yet(
    http: httpx.AsyncClient, database: Database, engine: Engine, vault: Vault
) -> None:
    body = b'{"kind":"transfer_to_user","acceptance":"required","expires_in":"P7D"}'
    request = Request(
        transfer_id="trf_1",
        user_id="u-olga",
        scopes=[],
        charge_point_id="cp-1",
        kind="transfer_to_user",
        body_hash="0" * 64,
        sealed_body=vault.seal(body),
        requested_at=datetime.now(UTC),
    )
    await add(database, request)

    answer = await http.post("/v1/transfers/trf_1/cancel", headers=bearer("olga"))

    assert (answer.status_code, answer.json()["code"]) == (409, "not_possible")
    assert engine.decided == []


async def test_a_key_binds_a_decision_to_one_transfer(http: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database)
    headers = bearer("rita") | {"Idempotency-Key": "k"}

    first = await http.post("/v1/transfers/trf_1/accept", headers=headers)
    again = await http.post("/v1/transfers/trf_1/accept", headers=headers)
    other = await http.post("/v1/transfers/trf_1/decline", headers=headers)

    assert (first.status_code, again.json()) == (200, first.json())
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


async def test_the_recipient_chooses_what_an_old_key_opens(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database)

    answer = await http.post(ACCEPT, json={"until_new_key": "quarantine"}, headers=bearer("rita"))

    assert (answer.status_code, answer.json()["until_new_key"]) == (200, "quarantine")
    assert engine.choices == [UntilNewKey.QUARANTINE]


async def test_who_accepts_without_a_choice_has_made_none(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database)

    answers = [await http.post(ACCEPT, headers=bearer("rita")) for _ in range(2)]

    assert [(answer.status_code, answer.json()["until_new_key"]) for answer in answers] == [(200, "serve")] * 2
    assert engine.choices == [None, None]


@pytest.mark.parametrize("first", [None, {"until_new_key": "serve"}])
async def test_another_choice_with_the_same_key_is_a_conflict(
    http: httpx.AsyncClient, database: Database, engine: Engine, first: dict[str, str] | None
) -> None:
    await add_transfer(database)
    headers = bearer("rita") | {"Idempotency-Key": "k"}

    assert (await http.post(ACCEPT, json=first, headers=headers)).status_code == 200
    assert (await http.post(ACCEPT, json=first, headers=headers)).status_code == 200
    other = await http.post(ACCEPT, json={"until_new_key": "quarantine"}, headers=headers)

    check(other, 422, "idempotency_conflict")
    assert UntilNewKey.QUARANTINE not in engine.choices


async def test_a_choice_that_comes_after_another_is_refused(http: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database)

    await http.post(ACCEPT, json={"until_new_key": "quarantine"}, headers=bearer("rita"))
    again = await http.post(ACCEPT, json={"until_new_key": "quarantine"}, headers=bearer("rita"))
    other = await http.post(ACCEPT, json={"until_new_key": "serve"}, headers=bearer("rita"))

    assert again.status_code == 200
    assert "until_new_key quarantine, which stands" in check(other, 409, "already_decided")
    misspelt = await http.post(ACCEPT, json={"until_new_key": "maybe"}, headers=bearer("rita"))
    check(misspelt, 422, "invalid_request")


async def test_an_operator_resolves_with_a_reason_on_record(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database, state="transferring", attention="operator")
    body = {"action": "retry", "reason": "charger is back"}
    keyed = bearer("oscar") | {"Idempotency-Key": "k"}

    for headers in (keyed, keyed, bearer("oscar"), bearer("oscar")):
        assert (await http.post("/v1/transfers/trf_1/resolve", json=body, headers=headers)).status_code == 200

    assert {act[:4] for act in engine.resolved} == {
        ("trf_1", OperatorAction.RETRY, "charger is back", "operator:u-oscar")
    }
    ids = [act[4] for act in engine.resolved]
    assert ids[0] == ids[1], "the same key is the same act"
    assert len(set(ids)) == 3, "without a key each call is an act of its own"
    for other in ({"action": "roll_back", "reason": "charger is back"}, {"action": "retry", "reason": "other"}):
        answer = await http.post("/v1/transfers/trf_1/resolve", json=other, headers=keyed)
        check(answer, 422, "idempotency_conflict")
    assert len(engine.resolved) == len(ids)


@pytest.mark.parametrize(("name", "status", "code"), [("olga", 403, "not_allowed"), ("stan", 404, "not_found")])
async def test_only_operators_resolve(
    http: httpx.AsyncClient, database: Database, engine: Engine, trail: Trail, name: str, status: int, code: str
) -> None:
    await add_transfer(database, state="transferring")

    answer = await http.post(
        "/v1/transfers/trf_1/resolve", json={"action": "roll_back", "reason": "please"}, headers=bearer(name)
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert engine.resolved == []
    assert await trail() == [(f"user:u-{name}", "resolve_refused", code)]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"action": "retry"}, "reason is missing; add it."),
        ({"action": "retry", "reason": "   "}, "reason"),
        ({"action": "retry", "reason": "a\u0000b"}, "reason must not hold control characters"),
        ({"action": "explode", "reason": "x"}, "'retry', 'roll_back' or 'complete'"),
        ({"action": "retry", "reason": "x", "force": True}, "force is not known here"),
    ],
)
async def test_a_resolve_says_what_it_is_missing(
    http: httpx.AsyncClient, database: Database, body: dict[str, Any], text: str
) -> None:
    await add_transfer(database, state="transferring")

    answer = await http.post("/v1/transfers/trf_1/resolve", json=body, headers=bearer("oscar"))

    assert answer.status_code == 422
    assert text in answer.json()["detail"]
