"""New credentials for a charge point: for its owner, shown once, in place of all others."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import select, update

from domain.errors import NotAllowed
from domain.ids import ChargePointId, UserId
from persistence import charger_links, credentials, typed_keys
from persistence.doorway import Doorway, Repeatable
from persistence.session import Database
from persistence.tables import ChargePoint, Credential
from persistence.vault import Vault
from tests.api.conftest import Trail
from tests.api.world import add_transfer, bearer, check

CALL = "/v1/charge-points/cp-1/connection"
POINT = ChargePointId("cp-1")


async def is_current(database: Database, vault: Vault, password: str) -> bool:
    async with database.reading() as session:
        return await typed_keys.is_shown(session, vault, POINT, password)


async def test_the_owner_gets_new_credentials_and_all_others_end(
    http: httpx.AsyncClient, database: Database, vault: Vault, trail: Trail
) -> None:
    first = await http.post(CALL, headers=bearer("olga"))
    second = await http.post(CALL, headers=bearer("olga"))

    assert (first.status_code, first.headers["cache-control"]) == (201, "no-store")
    assert set(first.json()) == {"identity", "password"}
    assert len(first.json()["password"]) == 40
    assert not await is_current(database, vault, first.json()["password"])
    assert await is_current(database, vault, second.json()["password"])
    async with database.reading() as session:
        assert (await charger_links.whereabouts(session, POINT)).node is None
        kept = (await session.execute(select(Credential))).scalars().all()
    assert first.json()["password"] not in str([vars(row) for row in kept])


async def test_a_repeat_gives_the_same_until_they_are_not_current_any_more(http: httpx.AsyncClient) -> None:
    headers = bearer("olga") | {"Idempotency-Key": "k"}
    first, second = await http.post(CALL, headers=headers), await http.post(CALL, headers=headers)
    await http.post(CALL, headers=bearer("olga"))
    third = await http.post(CALL, headers=headers)

    assert second.json() == first.json()
    check(third, 422, "idempotency_conflict")


async def test_nobody_else_gets_any(http: httpx.AsyncClient) -> None:
    check(await http.post(CALL, headers=bearer("adam")), 403, "not_allowed")
    check(await http.post(CALL, headers=bearer("stan")), 404, "not_found")
    assert (await http.post(CALL, headers=bearer("oscar"))).status_code == 201, "an operator does"


async def test_not_while_a_transfer_is_at_work_on_it(http: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database, state="reconfiguring")
    check(await http.post(CALL, headers=bearer("olga")), 409, "transfer_in_progress")


async def test_a_former_owner_whose_call_waited_gets_none(
    database: Database, vault: Vault, http: httpx.AsyncClient
) -> None:
    async with database.writing() as session:
        await session.execute(update(ChargePoint).values(owner_id="u-adam"))
    with pytest.raises(NotAllowed):
        await Doorway(database, vault).connect_afresh(
            Repeatable(UserId("u-olga"), None, b""), POINT, UserId("u-olga"), actor="user:u-olga"
        )


async def test_twins_get_one_after_the_other_even_where_no_key_is_left(
    http: httpx.AsyncClient, database: Database, vault: Vault
) -> None:
    async with database.writing() as session:
        await credentials.revoke_all(session, POINT, datetime.now(UTC))
    answers = await asyncio.gather(*(http.post(CALL, headers=bearer("olga")) for _ in range(4)))

    assert {answer.status_code for answer in answers} == {201}
    assert sum([await is_current(database, vault, answer.json()["password"]) for answer in answers]) == 1
