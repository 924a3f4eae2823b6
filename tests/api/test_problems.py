"""Errors: each a problem with a stable code and a sentence that says what to do; never a 500."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.dependencies import Options
from api.problems import PROBLEMS
from domain.errors import ErrorCode
from persistence.session import Database
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import add_transfer, bearer, check

START = "/v1/charge-points/cp-1/transfers"
TO_USER = {"kind": "transfer_to_user", "recipient": "rita@example.com"}


def test_every_code_has_its_problem() -> None:
    assert set(PROBLEMS) == set(ErrorCode)


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ({}, "kind", "kind must be one of move_to_group, transfer_ownership, transfer_to_user."),
        ({"kind": "give"}, "kind", "kind must be one of move_to_group"),
        ({"kind": "move_to_group"}, "group_id", "group_id is missing; add it."),
        ({"kind": "move_to_group", "group_id": "a/b"}, "group_id", "group_id must be an id"),
        ({"kind": "move_to_group", "group_id": "g\n"}, "group_id", "group_id must be an id"),
        ({"kind": "transfer_ownership", "user_id": 7}, "user_id", "user_id should be a valid string."),
        (TO_USER | {"recipient": "x" * 321}, "recipient", "at most 320 characters"),
        (TO_USER | {"connection": "drop"}, "connection", "connection should be 'keep' or 'delete'."),
        (TO_USER | {"colour": "red"}, "colour", "colour is not known here; leave it out"),
        (
            {"kind": "move_to_group", "group_id": "g", "connection": "keep"},
            "connection",
            "connection is not known here",
        ),
        (TO_USER | {"expires_in": "7 days"}, "expires_in", "expires_in must be an ISO 8601 duration"),
        (TO_USER | {"expires_in": 7}, "expires_in", "like P7D or PT12H"),
        (TO_USER | {"expires_in": "P1M"}, "expires_in", "in days, hours, minutes and seconds"),
        (TO_USER | {"expires_in": f"P{'9' * 30}D"}, "expires_in", "must be an ISO 8601 duration"),
        (TO_USER | {"message": "m" * 501}, "message", "at most 500 characters"),
        (TO_USER | {"message": "a\u0000b"}, "message", "must not hold control characters"),
        (TO_USER | {"message": "a\u202eb"}, "message", "must not hold control characters"),
        (TO_USER | {"message": " \n"}, "message", "at least 1 character"),
        (TO_USER | {"acceptance": None, "running_session": "maybe"}, "running_session", "'wait' or 'stop'"),
    ],
)
async def test_a_malformed_field_is_named_and_the_answer_says_what_to_do(
    http: httpx.AsyncClient, engine: Engine, body: dict[str, Any], field: str, text: str
) -> None:
    answer = await http.post(START, json=body, headers=bearer("olga"))

    assert text in check(answer, 422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == field
    assert engine.started == []


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        (b"", "application/json", "The body is missing."),
        (b"{", "application/json", "not valid JSON at character"),
        (b'{"kind": "transfer_to_user", "recipient": "r\xe9"}', "application/json", "can't be read"),
        (b"[]", "application/json", "must be a JSON object, sent with Content-Type: application/json"),
        (b'"x"', "application/json", "must be a JSON object"),
        (b"null", "application/json", "must be a JSON object"),
        (b"[" * 30000, "application/json", "body"),
        (b'{"kind": "move_to_group", "group_id": "g-1"}', "text/plain", "Content-Type: application/json"),
        (b'{"kind": "move_to_group", "group_id": "g-1"}', None, "Content-Type: application/json"),
        (b'{"kind": "transfer_to_user", "recipient": "\\ud800"}', "application/json", "recipient"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused_and_told_how_to_send_one(
    http: httpx.AsyncClient, content: bytes, content_type: str | None, text: str
) -> None:
    headers = bearer("olga") | ({"Content-Type": content_type} if content_type else {})

    answer = await http.post(START, content=content, headers=headers)

    assert text in check(answer, 422, "invalid_request")


async def test_no_error_repeats_what_was_sent(http: httpx.AsyncClient) -> None:
    secret = "rita.secret@example.com"
    for body in ({"kind": secret}, TO_USER | {"connection": secret}, TO_USER | {"expires_in": secret}):
        assert secret not in (await http.post(START, json=body, headers=bearer("olga"))).text
    cut_short = f'{{"recipient": "{secret}"'.encode()
    answer = await http.post(START, content=cut_short, headers=bearer("olga") | {"Content-Type": "application/json"})
    assert secret not in answer.text


async def test_a_body_above_the_limit_is_refused_whether_it_is_announced_or_not(
    http: httpx.AsyncClient, engine: Engine
) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1024

    for content in (b" " * (64 * 1024 + 1), in_pieces()):
        answer = await http.post(START, content=content, headers=bearer("olga"))
        assert "larger than 65536 bytes" in check(answer, 413, "too_large")


async def test_a_body_of_exactly_the_limit_is_read(database: Database, vault: Vault, engine: Engine) -> None:
    body = b'{"kind": "give"}'
    small = create_app(database, vault, engine, Options(body_limit=len(body)))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(small), base_url="http://handover.test") as http:
        headers = {"Content-Type": "application/json"}
        assert (await http.post(START, content=body, headers=headers)).status_code == 401
        assert (await http.post(START, content=body + b" ", headers=headers)).status_code == 413


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/nothing", "/v2/me", "/v1/me/", "/static/none.css"])
async def test_an_unknown_path_is_a_problem_too(http: httpx.AsyncClient, path: str) -> None:
    assert "/openapi.json" in check(await http.get(path, headers=bearer("olga")), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["/v1/transfers/a%00b", f"/v1/charge-points/{'x' * 65}", "/v1/groups/%C3%A9", "/v1/groups/g%0A"]
)
async def test_what_can_not_be_an_id_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    check(await http.get(path, headers=bearer("oscar")), 404, "not_found")


async def test_a_wrong_method_says_which_one_is_right(http: httpx.AsyncClient) -> None:
    answer = await http.delete("/v1/me", headers=bearer("olga"))

    assert "use GET" in check(answer, 405, "invalid_request")
    assert answer.headers["allow"] == "GET"


async def test_the_openapi_document_lists_every_call_and_describes_its_answers_truly(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database)
    document = (await http.get("/openapi.json")).json()
    shown = (await http.get("/v1/transfers/trf_1", headers=bearer("olga"))).json()
    problem = (await http.get("/v1/me")).json()

    assert document["openapi"].startswith("3.1")
    calls = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert calls == {
        "POST /v1/charge-points/{charge_point_id}/transfers",
        "POST /v1/charge-points/{charge_point_id}/connection",
        "POST /v1/charge-points/{charge_point_id}/key/rotate",
        "POST /v1/charge-points/{charge_point_id}/identify",
        *("GET /v1/charge-points", "GET /v1/charge-points/{charge_point_id}"),
        "GET /v1/charge-points/{charge_point_id}/events",
        "GET /v1/charge-points/{charge_point_id}/ownership",
        *(
            "GET /v1/charge-points/{charge_point_id}/sessions",
            "GET /v1/charge-points/{charge_point_id}/unmatched-stops",
        ),
        "POST /v1/charge-points/{charge_point_id}/sessions/settle",
        "POST /v1/charge-points/{charge_point_id}/sessions/{session_id}/end",
        *("GET /v1/transfers", "GET /v1/transfers/{transfer_id}", "GET /v1/transfers/{transfer_id}/events"),
        *(f"POST /v1/transfers/{{transfer_id}}/{call}" for call in ("accept", "decline", "cancel", "resend")),
        *(f"POST /v1/transfers/{{transfer_id}}/{call}" for call in ("resolve", "pause", "resume")),
        *("GET /v1/groups", "GET /v1/groups/{group_id}", "GET /v1/me", "GET /v1/me/data"),
        "POST /v1/users/{user_id}/erasure",
        *("GET /healthz", "GET /readyz", "GET /metrics"),
    }
    components = document["components"]["schemas"]
    assert set(components["Transfer"]["properties"]) == set(shown)
    assert set(components["Step"]["properties"]) == set(shown["steps"][0])
    assert set(components["Problem"]["required"]) == set(problem)
    assert set(references(document)) <= {f"#/components/schemas/{name}" for name in components}


def references(part: Any) -> list[str]:
    """Give every `$ref` in a document."""
    if isinstance(part, dict):
        return [value for key, value in part.items() if key == "$ref"] + references(list(part.values()))
    return [found for item in part for found in references(item)] if isinstance(part, list) else []


async def test_a_caller_who_leaves_before_the_body_has_come_harms_nobody(app: FastAPI) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"authorization", bearer("olga")["Authorization"].encode())]
    scope = {"type": "http", "method": "POST", "path": START, "raw_path": START.encode(), "query_string": b""}
    scope |= {"http_version": "1.1", "scheme": "http", "server": ("x", 80), "root_path": "", "headers": headers}

    await asyncio.wait_for(app(scope, receive, send), 5)

    assert sent[0]["status"] == 408
