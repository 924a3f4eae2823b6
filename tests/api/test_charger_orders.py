"""A fresh key and a restart, asked for over HTTP: by whom, once for each request, and what is answered."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from domain.charger import KeyAnswer, RestartAnswer
from domain.errors import HandoverError, NotPossible, TransferInProgress, Unavailable
from domain.keys import KnownTo
from persistence.session import Database
from persistence.tables import ChargePoint
from tests.api.engine import Engine
from tests.api.world import add_key, bearer, check

ROTATE, IDENTIFY = "/v1/charge-points/cp-1/key/rotate", "/v1/charge-points/cp-1/identify"
BOTH = pytest.mark.parametrize(("call", "order"), [(ROTATE, "rotate_key"), (IDENTIFY, "identify")])


@pytest.mark.parametrize("answer", KeyAnswer)
async def test_the_charger_s_answer_to_a_key_is_given_with_the_key_in_use(
    http: httpx.AsyncClient, database: Database, engine: Engine, answer: KeyAnswer
) -> None:
    await add_key(database, KnownTo.CHARGER, serials=["S-1"])
    engine.key_answer = answer

    said = await http.post(ROTATE, headers=bearer("olga"))
    shown = (await http.get("/v1/charge-points/cp-1", headers=bearer("olga"))).json()

    assert said.status_code == 200
    assert said.json() == {"answer": answer.value, "key": shown["key"]}
    assert set(shown["key"]) == {"known_to", "open_line", "since", "rotates", "serials"}, "and never the key"


@pytest.mark.parametrize("answer", RestartAnswer)
async def test_the_charger_s_answer_to_a_restart_is_given(
    http: httpx.AsyncClient, engine: Engine, answer: RestartAnswer
) -> None:
    engine.restart_answer = answer
    said = await http.post(IDENTIFY, headers=bearer("olga"))
    assert (said.status_code, said.json()) == (200, {"answer": answer.value})


@BOTH
async def test_its_owner_and_operators_ask_and_nobody_else(
    http: httpx.AsyncClient, engine: Engine, call: str, order: str
) -> None:
    assert "ask them" in check(await http.post(call, headers=bearer("adam")), 403, "not_allowed")
    check(await http.post(call, headers=bearer("stan")), 404, "not_found")
    check(await http.post(call), 401, "not_authenticated")
    assert engine.orders == []
    for name in ("olga", "oscar"):
        assert (await http.post(call, headers=bearer(name))).status_code == 200
    assert [asked[:4] for asked in engine.orders] == [
        ("cp-1", order, "user:u-olga", "u-olga"),
        ("cp-1", order, "operator:u-oscar", None),
    ]


@BOTH
async def test_a_former_owner_may_not_have_it_told_anything(
    http: httpx.AsyncClient, engine: Engine, database: Database, call: str, order: str
) -> None:
    async with database.writing() as rows:
        await rows.execute(update(ChargePoint).where(ChargePoint.id == "cp-1").values(owner_id="u-adam"))
    check(await http.post(call, headers=bearer("olga")), 403, "not_allowed")
    assert (await http.post(call, headers=bearer("adam"))).status_code == 200


@BOTH
async def test_a_repeat_is_the_same_request_and_without_a_key_each_is_one(
    http: httpx.AsyncClient, engine: Engine, call: str, order: str
) -> None:
    for key in ("k", "k", "l", None, None):
        headers = bearer("olga") | ({"Idempotency-Key": key} if key else {})
        assert (await http.post(call, headers=headers)).status_code == 200
    requests = [asked[-1] for asked in engine.orders]
    assert requests[0] == requests[1]
    assert len(set(requests)) == 4


async def test_a_key_that_was_used_for_something_else_is_a_conflict(http: httpx.AsyncClient, engine: Engine) -> None:
    headers = bearer("oscar") | {"Idempotency-Key": "k"}
    assert (await http.post(ROTATE, headers=headers)).status_code == 200
    for other in (IDENTIFY, ROTATE.replace("cp-1", "cp-2"), "/v1/charge-points/cp-1/connection"):
        check(await http.post(other, headers=headers), 422, "idempotency_conflict")
    assert len(engine.orders) == 1


@BOTH
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotPossible("The charger is not connected: ask again once it is."), 409),
        (TransferInProgress("The charge point has a transfer under way; wait for its end."), 409),
        (Unavailable("Nothing was heard in time."), 503),
    ],
)
async def test_what_the_engine_refuses_is_told_and_may_be_asked_again(
    http: httpx.AsyncClient, engine: Engine, call: str, order: str, error: HandoverError, status: int
) -> None:
    engine.fails = error
    headers = bearer("olga") | {"Idempotency-Key": "k"}
    refused = await http.post(call, headers=headers)
    assert check(refused, status, error.code.value) == error.message
    assert ("retry-after" in refused.headers) is (status == 503)
    engine.fails = None
    assert (await http.post(call, headers=headers)).status_code == 200


@BOTH
async def test_a_query_is_not_understood(http: httpx.AsyncClient, engine: Engine, call: str, order: str) -> None:
    check(await http.post(f"{call}?dry_run=true", headers=bearer("olga")), 422, "invalid_request")
    assert engine.orders == []


async def test_a_charge_point_without_a_key_has_none_to_show(http: httpx.AsyncClient) -> None:
    said: dict[str, Any] = (await http.post(ROTATE, headers=bearer("olga"))).json()
    assert said["key"] is None
