"""Operators pause a step and resume it."""

import httpx
import pytest

from domain.errors import AlreadyDecided, HandoverError, NotFound, NotPossible, Unavailable
from domain.transfer import StepName
from persistence.session import Database
from tests.api.conftest import Trail
from tests.api.engine import Engine
from tests.api.world import add_transfer, bearer

BODY = {"step": "replace_lists", "reason": "the charger is being repaired"}
PAUSE, RESUME = "/v1/transfers/trf_1/pause", "/v1/transfers/trf_1/resume"


async def test_an_operator_pauses_and_resumes_a_step_with_reasons_on_record(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database, state="reconfiguring", steps={"replace_lists": "running"})

    paused = await http.post(PAUSE, json=BODY, headers=bearer("oscar"))
    resumed = await http.post(RESUME, json=BODY, headers=bearer("oscar"))
    events = (await http.get("/v1/transfers/trf_1/events", headers=bearer("oscar"))).json()["items"]

    assert [answer.status_code for answer in (paused, resumed)] == [200, 200]
    held = [[step["name"] for step in answer.json()["steps"] if step["paused"]] for answer in (paused, resumed)]
    assert held == [["replace_lists"], []]
    lists, who = StepName.REPLACE_LISTS, "operator:u-oscar"
    assert engine.held == [("pause", "trf_1", lists, BODY["reason"], who), ("resume", "trf_1", lists, who)]
    assert [(event["actor"], event["action"], event["detail"]) for event in events] == [
        (who, "step_paused", BODY),
        (who, "step_resumed", BODY),
    ]


async def test_the_same_key_is_the_same_act(
    http: httpx.AsyncClient, database: Database, engine: Engine, trail: Trail
) -> None:
    """The repeat of a resume must not come to nothing, or refuse, because the step has gone on since."""
    await add_transfer(database, state="reconfiguring")
    keyed = bearer("oscar") | {"Idempotency-Key": "k"}

    first = await http.post(RESUME, json=BODY, headers=keyed)
    engine.fails = NotPossible("The step replace_lists is not paused; there is nothing to resume.")
    again = await http.post(RESUME, json=BODY, headers=keyed)
    other = await http.post(PAUSE, json=BODY, headers=keyed)

    assert (first.status_code, again.status_code) == (200, 200)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    assert len(engine.held) == 1
    assert [action for _, action, _ in await trail("trf_1")] == ["step_resumed", "pause_refused"]


async def test_without_a_key_each_call_is_an_act_of_its_own(
    http: httpx.AsyncClient, database: Database, trail: Trail
) -> None:
    await add_transfer(database, state="reconfiguring")

    for _ in range(2):
        await http.post(PAUSE, json=BODY, headers=bearer("oscar"))

    assert [action for _, action, _ in await trail("trf_1")] == ["step_paused", "step_paused"]


@pytest.mark.parametrize("call", ["pause", "resume"])
@pytest.mark.parametrize(("name", "status", "code"), [("olga", 403, "not_allowed"), ("stan", 404, "not_found")])
async def test_nobody_but_operators_does_and_the_attempt_is_noted(
    http: httpx.AsyncClient,
    database: Database,
    engine: Engine,
    trail: Trail,
    call: str,
    name: str,
    status: int,
    code: str,
) -> None:
    await add_transfer(database, state="reconfiguring")

    answer = await http.post(f"/v1/transfers/trf_1/{call}", json=BODY, headers=bearer(name))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert engine.held == []
    assert await trail() == [(f"user:u-{name}", f"{call}_refused", code)]


@pytest.mark.parametrize(
    ("fails", "status", "code", "noted"),
    [
        (NotPossible("There is nothing to pause."), 409, "not_possible", ["pause_refused"]),
        (AlreadyDecided("The transfer has ended."), 409, "already_decided", ["pause_refused"]),
        (NotFound("There is no such transfer under way."), 409, "already_decided", ["pause_refused"]),
        (Unavailable("The engine does not answer."), 503, "unavailable", []),
    ],
)
async def test_what_the_engine_refuses_is_told_and_noted_and_an_outage_is_no_refusal(
    http: httpx.AsyncClient,
    database: Database,
    engine: Engine,
    trail: Trail,
    fails: HandoverError,
    status: int,
    code: str,
    noted: list[str],
) -> None:
    await add_transfer(database, state="completed")
    engine.fails = fails

    answer = await http.post(PAUSE, json=BODY, headers=bearer("oscar"))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [action for _, action, _ in await trail("trf_1")] == noted


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"step": "replace_lists"}, "reason is missing; add it."),
        ({"reason": "why not"}, "step is missing; add it."),
        ({"step": "lists", "reason": "why not"}, "step should be 'validate_rights'"),
        (BODY | {"until": "tomorrow"}, "until is not known here"),
    ],
)
async def test_a_pause_says_what_it_is_missing(
    http: httpx.AsyncClient, database: Database, body: dict[str, str], text: str
) -> None:
    await add_transfer(database, state="reconfiguring")

    answer = await http.post(PAUSE, json=body, headers=bearer("oscar"))

    assert answer.status_code == 422
    assert text in answer.json()["detail"]
