"""New credentials for a charge point: for its owner, shown once, in place of all others."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import select, update

from domain.actors import Actor
from domain.errors import NotAllowed
from domain.ids import ChargePointId, UserId
from domain.news import OwnerNews
from persistence.chargers import credentials, present_connections, typed_keys
from persistence.chargers.issuing import Issuing
from persistence.intake.idempotency import Repeatable
from persistence.session import Database
from persistence.tables import ChargePoint, Credential, Transfer
from persistence.vault import Vault
from tests.api.conftest import Trail
from tests.api.engine import Engine
from tests.api.world import add_transfer, bearer, check

CALL = "/v1/charge-points/cp-1/connection"
POINT = ChargePointId("cp-1")


async def is_current(database: Database, vault: Vault, password: str) -> bool:
    async with database.reading() as rows:
        return await typed_keys.is_shown(rows, vault, POINT, password)


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
    async with database.reading() as rows:
        assert (await present_connections.whereabouts(rows, POINT)).node is None
        kept = (await rows.execute(select(Credential))).scalars().all()
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


async def test_a_transfer_that_waits_for_the_key_is_told_that_there_is_one(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    """It looks by itself, too, but later."""
    bound = {"to_owner_id": "u-rita", "to_group_id": "g-rita", "accepted_by": "u-rita"}
    await add_transfer(database, state="reconfiguring", attention="new_key", **bound)
    async with database.writing() as rows:
        (await rows.get_one(Transfer, "trf_1")).new_key = True
    await http.post(CALL, headers=bearer("olga"))
    assert engine.told == [("trf_1", POINT, "new_key")]


async def test_a_former_owner_whose_call_waited_gets_none(
    database: Database, vault: Vault, http: httpx.AsyncClient
) -> None:
    async with database.writing() as rows:
        await rows.execute(update(ChargePoint).values(owner_id="u-adam"))
    with pytest.raises(NotAllowed):
        await Issuing(database, vault).connect_afresh(
            Repeatable(UserId("u-olga"), None, b""), POINT, UserId("u-olga"), actor=Actor("user:u-olga")
        )


async def test_twins_get_one_after_the_other_even_where_no_key_is_left(
    http: httpx.AsyncClient, database: Database, vault: Vault
) -> None:
    async with database.writing() as rows:
        await credentials.revoke_all(rows, POINT, datetime.now(UTC))
    answers = await asyncio.gather(*(http.post(CALL, headers=bearer("olga")) for _ in range(4)))

    assert {answer.status_code for answer in answers} == {201}
    assert sum([await is_current(database, vault, answer.json()["password"]) for answer in answers]) == 1


@pytest.mark.parametrize(
    ("who", "state", "told"),
    [
        ("olga", None, False),
        ("olga", "completed", False),
        ("olga", "awaiting_acceptance", True),
        ("oscar", None, True),
        ("oscar", "awaiting_acceptance", True),
    ],
)
async def test_the_owner_is_told_where_somebody_else_asks_or_a_transfer_is_under_way(
    http: httpx.AsyncClient, database: Database, engine: Engine, who: str, state: str | None, told: bool
) -> None:
    if state:
        await add_transfer(database, state=state)
    for key in ("k", "k", "l"):
        assert (await http.post(CALL, headers=bearer(who) | {"Idempotency-Key": key})).status_code == 201

    assert [(point, news) for point, news, _ in engine.news] == [(POINT, OwnerNews.RESET)] * (3 if told else 0)
    occasions = [occasion for *_, occasion in engine.news]
    assert len(set(occasions)) == (2 if told else 0), "a repeat is the same occasion"


async def test_without_a_key_each_reset_is_an_occasion_of_its_own(http: httpx.AsyncClient, engine: Engine) -> None:
    for _ in range(2):
        await http.post(CALL, headers=bearer("oscar"))
    assert len({occasion for *_, occasion in engine.news}) == 2


async def test_nothing_is_changed_of_which_the_owner_could_not_be_told(
    http: httpx.AsyncClient, database: Database, engine: Engine, vault: Vault
) -> None:
    before = (await http.post(CALL, headers=bearer("olga"))).json()["password"]
    engine.alive = False

    check(await http.post(CALL, headers=bearer("oscar")), 503, "unavailable")

    assert await is_current(database, vault, before)
    assert (await http.post(CALL, headers=bearer("olga"))).status_code == 201, "the owner alone needs nobody told"
