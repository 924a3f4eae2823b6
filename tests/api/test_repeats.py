"""Idempotency keys on a start: what a repeat does."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from sqlalchemy import select, update

from api.app import create_app
from api.bodies import MoveToGroup, StartBody, TransferOwnership, TransferToUser
from api.example_bodies import START_BODIES
from domain.errors import CoolingDown, NotAllowed
from domain.kinds import TransferKind
from persistence.session import Database
from persistence.tables import ChargePoint, IdempotencyKey, Order, Request
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import add_transfer, bearer

START = "/v1/charge-points/cp-1/transfers"
TO_USER = {"kind": "transfer_to_user", "recipient": "Rita@Example.com"}


async def requests(database: Database) -> list[Request]:
    async with database.reading() as rows:
        return list((await rows.scalars(select(Request))).all())


async def test_a_repeat_with_the_same_key_has_one_effect_and_the_same_answer(
    http: httpx.AsyncClient, engine: Engine, database: Database
) -> None:
    headers = bearer("olga") | {"Idempotency-Key": "order-7"}

    first = await http.post(START, json=TO_USER, headers=headers)
    second = await http.post(START, json=TO_USER | {"connection": "keep"}, headers=headers)

    assert (second.status_code, second.json()) == (201, first.json())
    assert len(engine.started) == 1
    assert len(await requests(database)) == 1


async def test_a_repeat_is_answered_even_after_the_charge_point_has_gone(
    http: httpx.AsyncClient, database: Database
) -> None:
    headers = bearer("olga") | {"Idempotency-Key": "order-7"}
    first = await http.post(START, json=TO_USER, headers=headers)
    async with database.writing() as rows:
        await rows.execute(update(ChargePoint).where(ChargePoint.id == "cp-1").values(group_id="g-rita"))

    second = await http.post(START, json=TO_USER, headers=headers)

    assert (second.status_code, second.headers["location"]) == (201, first.headers["location"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (START, TO_USER | {"connection": "delete"}),
        (START, TO_USER | {"recipient": "stan@example.com"}),
        ("/v1/charge-points/cp-2/transfers", TO_USER),
        ("/v1/transfers/trf_x/cancel", None),
    ],
)
async def test_a_key_that_was_used_for_something_else_is_a_conflict(
    http: httpx.AsyncClient, engine: Engine, path: str, body: Any, database: Database
) -> None:
    headers = bearer("oscar") | {"Idempotency-Key": "order-7"}
    first = await http.post(START, json=TO_USER, headers=headers)

    second = await http.post(path.replace("trf_x", first.json()["id"]), json=body, headers=headers)

    assert (second.status_code, second.json()["code"]) == (422, "idempotency_conflict")
    assert "use a new key" in second.json()["detail"]
    assert len(engine.started) == 1
    assert engine.decided == []


async def test_two_callers_may_use_the_same_key(http: httpx.AsyncClient, engine: Engine) -> None:
    """For different things, too; and each one's repeat is their own."""
    engine.worker_answers = False
    made: dict[str, set[str]] = {"olga": set(), "adam": set()}
    for name, message in (("olga", "a"), ("adam", "b"), ("olga", "a"), ("adam", "b")):
        headers = bearer(name) | {"Idempotency-Key": "1"}
        answer = await http.post(START, json=TO_USER | {"message": message}, headers=headers)
        assert answer.status_code == 202, answer.text
        made[name].add(answer.json()["id"])

    assert [len(ids) for ids in made.values()] == [1, 1]
    assert not made["olga"] & made["adam"]


async def test_what_an_operator_had_done_is_not_sent_again(
    http: httpx.AsyncClient, engine: Engine, database: Database
) -> None:
    """The transfer may have gone on, and a new run knows of no update of an earlier one."""
    await add_transfer(database, state="reconfiguring", attention="operator")
    headers, body = bearer("oscar") | {"Idempotency-Key": "r"}, {"action": "retry", "reason": "r"}
    path = "/v1/transfers/trf_1/resolve"
    for _ in range(2):
        assert (await http.post(path, json=body, headers=headers)).status_code == 200
    assert len(engine.resolved) == 2, "nobody has carried it out yet"
    async with database.writing() as rows:
        (await rows.scalars(select(Order))).one().carried_out_as = "resolved_retry"
    assert (await http.post(path, json=body, headers=headers)).status_code == 200
    assert len(engine.resolved) == 2


async def test_ten_repeats_at_once_make_one_request(
    http: httpx.AsyncClient, engine: Engine, database: Database
) -> None:
    engine.worker_answers = False
    headers = bearer("olga") | {"Idempotency-Key": "race"}

    answers = await asyncio.gather(*(http.post(START, json=TO_USER, headers=headers) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(await requests(database)) == 1


async def test_a_key_is_still_known_after_the_server_keys_were_replaced(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    headers = bearer("olga") | {"Idempotency-Key": "order-7"}
    first = await http.post(START, json=TO_USER, headers=headers)
    rotated = create_app(
        database, Vault(["a-new-key-of-thirty-two-characters-", "0123456789abcdef0123456789abcdef-test"]), engine
    )

    async with httpx.AsyncClient(transport=httpx.ASGITransport(rotated), base_url="http://handover.test") as later:
        second = await later.post(START, json=TO_USER, headers=headers)

    assert (second.status_code, second.json()) == (201, first.json())


@pytest.mark.parametrize(
    ("body", "spelling"),
    [
        (
            {"reason": "r", "group_id": "harbour", "kind": "move_to_group"},
            '{"reason":"r","kind":"move_to_group","group_id":"harbour"}',
        ),
        (
            {"kind": "transfer_ownership", "user_id": "ben", "until_new_key": "quarantine", "if_offline": "roll_back"},
            '{"if_offline":"roll_back","until_new_key":"quarantine","kind":"transfer_ownership","user_id":"ben"}',
        ),
        (
            {"kind": "transfer_to_user", "recipient": "a@b.example", "connection": "delete", "expires_in": "P3D"},
            '{"expires_in":"P3D","kind":"transfer_to_user","recipient":"a@b.example","connection":"delete"}',
        ),
    ],
)
def test_a_key_is_still_known_after_an_upgrade(body: dict[str, Any], spelling: str) -> None:
    """Its digest is kept: in another spelling the repeat of a request would be a conflict."""
    start: MoveToGroup | TransferOwnership | TransferToUser = TypeAdapter(StartBody).validate_python(body)

    assert start.canonical() == spelling


def test_every_kind_can_be_started() -> None:
    mapping = TypeAdapter(StartBody).json_schema()["discriminator"]["mapping"]

    assert set(mapping) == set(TransferKind) == set(START_BODIES)


@pytest.mark.parametrize("unheard", [False, True])
async def test_a_refusal_is_told_and_repeated_without_asking_again(
    http: httpx.AsyncClient, engine: Engine, unheard: bool
) -> None:
    engine.fails, engine.unheard = CoolingDown("It can be transferred again from tomorrow."), unheard
    headers = bearer("olga") | {"Idempotency-Key": "k"}

    first = await http.post(START, json=TO_USER, headers=headers)
    second = await http.post(START, json=TO_USER, headers=headers)

    assert (first.status_code, first.json()["code"]) == (409, "cooling_down")
    assert second.json() == first.json()
    assert len(engine.started) == 1


async def test_without_a_key_a_refused_request_may_be_made_anew(http: httpx.AsyncClient, engine: Engine) -> None:
    engine.fails = NotAllowed("Not yours.")
    assert (await http.post(START, json=TO_USER, headers=bearer("mia"))).status_code == 403
    engine.fails = None

    assert (await http.post(START, json=TO_USER, headers=bearer("mia"))).status_code == 201


async def test_a_refused_body_does_not_use_up_its_key(http: httpx.AsyncClient, database: Database) -> None:
    headers = bearer("olga") | {"Idempotency-Key": "k"}
    await http.post(START, json=TO_USER | {"recipient": "rita@"}, headers=headers)

    assert (await http.post(START, json=TO_USER, headers=headers)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "a\tb"])
async def test_a_key_that_is_none_is_refused(http: httpx.AsyncClient, key: str) -> None:
    headers = [*bearer("olga").items(), ("Idempotency-Key", key)]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]

    answer = await http.post(START, json=TO_USER, headers=raw)

    assert "1 to 255 printable ASCII" in answer.json()["detail"]


async def test_a_key_of_255_characters_is_good(http: httpx.AsyncClient, database: Database) -> None:
    headers = bearer("olga") | {"Idempotency-Key": "~" * 255}

    assert (await http.post(START, json=TO_USER, headers=headers)).status_code == 201
    async with database.reading() as rows:
        assert (await rows.scalars(select(IdempotencyKey.key))).all() == ["~" * 255]
