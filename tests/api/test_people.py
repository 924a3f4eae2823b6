"""People over HTTP: what is kept about a caller is theirs to have, and operators erase people, once, on record."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from api import schemas
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, User
from tests.api.world import bearer, change, check

ERASURE = "/v1/users/u-adam/erasure"
WHY = {"reason": "request 4711"}


async def test_callers_get_what_is_kept_about_them(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/me/data", headers=bearer("adam"))
    found = answer.json()
    assert (answer.status_code, found["account"]["id"]) == (200, "u-adam")
    assert [key["id"] for key in found["api_keys"]]
    assert "hash" not in answer.text
    read = schemas.PersonalData.model_validate(found)
    assert (read.charging_sessions, read.audit_trail, read.idempotency_keys) == ([], [], [])


async def test_an_operator_erases_somebody_once(http: httpx.AsyncClient, database: Database) -> None:
    await check_possible(database)
    headers = bearer("oscar") | {"Idempotency-Key": "erase-adam"}
    first = await http.post(ERASURE, json=WHY, headers=headers)
    assert first.status_code == 200, first.text
    again = await http.post(ERASURE, json=WHY, headers=headers)
    assert again.json() == first.json()
    other = await http.post(ERASURE, json={"reason": "another"}, headers=headers)
    check(other, 422, "idempotency_conflict")
    check(await http.get("/v1/me", headers=bearer("adam")), 401, "not_authenticated")
    async with database.reading() as rows:
        entry = (await rows.scalars(select(AuditEvent).where(AuditEvent.subject == "user:u-adam"))).one()
        assert (await rows.get_one(User, "u-adam")).name == ""
    assert entry.actor == "operator:u-oscar"


async def check_possible(database: Database) -> None:
    """Let Adam own nothing, and no group alone."""
    await change(database, ChargePoint, owner_id="u-olga")


@pytest.mark.parametrize(
    ("who", "path", "body", "status", "code"),
    [
        ("adam", ERASURE, WHY, 403, "not_allowed"),
        ("oscar", "/v1/users/u-nobody/erasure", WHY, 404, "not_found"),
        ("oscar", "/v1/users/u-olga/erasure", WHY, 409, "not_possible"),
        ("oscar", ERASURE, {}, 422, "invalid_request"),
    ],
)
async def test_what_is_refused(
    http: httpx.AsyncClient, who: str, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    check(await http.post(path, json=body, headers=bearer(who)), status, code)
