"""A resend by the API: whose it is, once under its key, and answered with the transfer."""

import httpx
import pytest

from domain.errors import AlreadyDecided
from persistence.session import Database
from tests.api.conftest import Trail
from tests.api.engine import Engine
from tests.api.world import add_transfer, bearer, check

RESEND = "/v1/transfers/trf_1/resend"


async def test_the_sender_and_operators_resend_and_are_answered_with_the_transfer(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database)

    for name in ("olga", "oscar"):
        answer = await http.post(RESEND, headers=bearer(name))
        assert (answer.status_code, answer.json()["id"]) == (200, "trf_1")

    assert [act[:3] for act in engine.resent] == [
        ("trf_1", "user:u-olga", "u-olga"), ("trf_1", "operator:u-oscar", None),
    ]  # fmt: skip
    assert len({act[3] for act in engine.resent}) == 2, "two acts"


@pytest.mark.parametrize("name", ["adam", "rita"])
async def test_nobody_else_does(http: httpx.AsyncClient, database: Database, engine: Engine, name: str) -> None:
    await add_transfer(database)

    check(await http.post(RESEND, headers=bearer(name)), 403, "not_allowed")
    assert engine.resent == []


async def test_a_present_owner_who_did_not_ask_may_cancel_and_not_resend(
    http: httpx.AsyncClient, database: Database, engine: Engine, trail: Trail
) -> None:
    await add_transfer(database, requested_by="u-adam")

    assert "who asked for the transfer" in check(await http.post(RESEND, headers=bearer("olga")), 403, "not_allowed")
    assert engine.resent == []
    assert await trail("trf_1") == [("user:u-olga", "resend_refused", "not_allowed")]


async def test_under_one_key_it_is_one_act_and_under_anothers_call_a_conflict(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database)
    headers = bearer("olga") | {"Idempotency-Key": "again"}

    for _ in range(2):
        assert (await http.post(RESEND, headers=headers)).status_code == 200
    check(await http.post("/v1/transfers/trf_1/cancel", headers=headers), 422, "idempotency_conflict")

    assert len({act[3] for act in engine.resent}) == 1


async def test_a_transfer_that_is_decided_is_not_resent(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database)
    engine.fails = AlreadyDecided("The transfer is declined; nobody is asked any more.")

    assert "nobody is asked" in check(await http.post(RESEND, headers=bearer("olga")), 409, "already_decided")
