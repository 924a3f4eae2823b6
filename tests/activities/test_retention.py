"""What goes once it was kept long enough, what stays for what else, on both databases."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from activities import retention
from activities.retention import SEARCHED_EVERY, Kept, Retention
from domain.actors import user
from domain.errors import ErrorCode, IdempotencyConflict
from domain.ids import ChargePointId, TransferId, UserId
from domain.request import TransferRequest
from domain.trail import Attempt, TrailAction, of_charge_point
from persistence.intake.idempotency import Repeatable
from persistence.intake.refused_attempts import RefusedAttempts
from persistence.intake.requests import Requests
from persistence.session import Database
from persistence.tables import (
    AuditEvent,
    Code,
    IdempotencyKey,
    Order,
    PasskeyChallenge,
    RateCount,
    Request,
    Transfer,
)
from persistence.transfers import audit
from persistence.vault import Vault
from tests.api.world import add, add_code, add_link, add_transfer, populate
from tests.conftest import SERVER_KEY

CP, OLGA = ChargePointId("cp-1"), UserId("u-olga")
NOW = datetime.now(UTC)
VAULT = Vault([SERVER_KEY])
KEPT = Kept(requests=timedelta(days=10), refusals=timedelta(days=10), codes=timedelta(days=10))
ASKED = TransferRequest.model_validate(
    {"kind": "move_to_group", "group_id": "g-olga", "acceptance": "not_required", "expires_in": "P7D"}
)


@pytest.fixture
async def database(database: Database) -> Database:
    await populate(database)
    return database


async def forget(database: Database, days: float = 0) -> None:
    """Have done what one look does, so many days from now."""
    await Retention(database, VAULT, KEPT).forget(NOW + timedelta(days=days))


async def all_of(database: Database, column: Any) -> list[Any]:
    async with database.reading() as rows:
        return list(await rows.scalars(select(column).order_by(column)))


async def request(database: Database, vault: Vault, key: str, **transfer: Any) -> TransferId:
    """Write a request under an idempotency key and, where `transfer` says how it stands, its transfer."""
    call = Repeatable(OLGA, key, b"start")
    kept = await Requests(database, vault).keep(call, CP, ASKED, [])
    if transfer:
        await add_transfer(database, kept.transfer_id, **transfer)
    return kept.transfer_id


ENDED = {"state": "completed", "finished_at": NOW}


@pytest.mark.parametrize(
    ("transfer", "stays"),
    [
        (ENDED, False),
        ({"state": "refused", "requested_at": NOW}, False),
        (ENDED | {"due": True}, True),
        (ENDED | {"attention": "operator"}, True),
        ({"state": "rolling_back"}, True),
        ({"state": "awaiting_acceptance"}, True),
        ({}, True),
    ],
)
async def test_a_request_and_its_key_go_when_its_transfer_was_over_for_long_enough_and_leaves_nothing_to_do(
    database: Database, vault: Vault, transfer: dict[str, Any], stays: bool
) -> None:
    it = await request(database, vault, "k", **transfer)
    await forget(database, 9.9)
    assert (await all_of(database, Request.transfer_id), await all_of(database, IdempotencyKey.key)) == ([it], ["k"])
    await forget(database, 10.1)
    assert await all_of(database, Request.transfer_id) == ([it] if stays else [])
    assert await all_of(database, IdempotencyKey.key) == (["k"] if stays else [])
    if transfer:
        assert await all_of(database, Transfer.id) == [it]


async def test_while_a_key_is_kept_its_call_is_a_repeat_and_then_it_may_be_used_anew(
    database: Database, vault: Vault
) -> None:
    requests, first = Requests(database, vault), await request(database, vault, "k", **ENDED)
    again, other = Repeatable(OLGA, "k", b"start"), Repeatable(OLGA, "k", b"other")
    await forget(database, 9.9)
    assert (await requests.keep(again, CP, ASKED, [])).transfer_id == first
    with pytest.raises(IdempotencyConflict):
        await requests.keep(other, CP, ASKED, [])
    await forget(database, 10.1)
    assert (await requests.keep(other, CP, ASKED, [])).transfer_id != first


async def test_a_key_of_another_call_goes_by_its_own_age(database: Database, vault: Vault) -> None:
    for key, days in (("old", 11), ("new", 9)):
        at = NOW - timedelta(days=days)
        await add(database, IdempotencyKey(user_id=OLGA, key=key, fingerprint="0" * 64, created_at=at))
    await forget(database)
    assert await all_of(database, IdempotencyKey.key) == ["new"]


async def test_codes_stay_as_long_as_anybody_may_decide(database: Database, vault: Vault) -> None:
    await add_transfer(database)
    await add_link(database)
    await add_code(database, vault)
    await forget(database, 1000)
    assert await all_of(database, Code.number) == [1]
    async with database.writing() as rows:
        await rows.execute(update(Transfer).values(state="completed", active=False, finished_at=NOW))
    await forget(database, 9.9)
    assert await all_of(database, Code.number) == [1]
    await forget(database, 10.1)
    assert await all_of(database, Code.number) == []


async def test_refusals_leave_the_trails_and_all_else_stays_and_what_follows_counts_on(
    database: Database, vault: Vault
) -> None:
    attempts = RefusedAttempts(database, vault)
    trail, transfer = of_charge_point(CP), await add_transfer(database)

    async def say(subject: Any) -> None:
        async with database.writing() as rows:
            await audit.append(rows, subject, actor=user(OLGA), action=TrailAction.IDENTIFIED)

    await attempts.note_request(OLGA, CP, ErrorCode.NOT_ALLOWED)
    await say(trail)
    for attempt in Attempt:
        await attempts.note(transfer, actor=user(OLGA), attempt=attempt, code=ErrorCode.TOO_LATE)
    await say(transfer)
    await attempts.note_request(UserId("u-stan"), CP, ErrorCode.NOT_FOUND)  # the last one of its trail

    await forget(database, 9.9)
    assert len(await all_of(database, AuditEvent.sequence)) == len(Attempt) + 4
    await forget(database, 10.1)
    async with database.reading() as rows:
        left = (await rows.execute(select(AuditEvent.subject, AuditEvent.sequence))).all()
    assert {tuple(one) for one in left} == {(trail, 2), (trail, 3), (transfer, len(Attempt) + 1)}
    await say(trail)
    await forget(database, 10.1)
    assert await all_of(database, AuditEvent.sequence) == [2, 4, len(Attempt) + 1]


async def test_orders_that_were_refused_go_and_no_others(database: Database) -> None:
    refused = {"code": "not_possible", "message": "No."}

    def order(name: str, subject: str, **more: Any) -> Order:
        values = {"act": "retry", "actor": "operator:u-oscar", "request_id": name, "at": NOW} | more
        return Order(id=f"ord_{name}", subject=subject, **values)

    await add_transfer(database, "trf_1", state="completed", finished_at=NOW)
    await add_transfer(database, "trf_2", charge_point_id="cp-2")
    await add(
        database,
        order("gone", "trf_1", refusal=refused),
        order("entered", "trf_1", refusal=refused),
        order("carried_out", "trf_1", carried_out_as="x"),
        order("given", "trf_1"),
        order("under_way", "trf_2", refusal=refused),
    )
    values = {"subject": "trf_1", "sequence": 1, "at": NOW, "actor": "system", "action": "resolved_retry", "detail": {}}
    await add(database, AuditEvent(order_id="ord_entered", **values))
    await forget(database, 9.9)
    assert len(await all_of(database, Order.id)) == 5
    await forget(database, 10.1)
    assert await all_of(database, Order.id) == ["ord_carried_out", "ord_entered", "ord_given", "ord_under_way"]


async def test_counts_go_with_their_windows_of_every_kind(database: Database) -> None:
    for key, hours in (("start:1", -1), ("miss:1", -1), ("start:2", 1)):
        await add(database, RateCount(key=key, count=1, ends_at=NOW + timedelta(hours=hours)))
    await forget(database)
    assert await all_of(database, RateCount.key) == ["start:2"]


async def test_a_challenge_for_a_passkey_goes_when_nobody_can_answer_it_any_more(database: Database) -> None:
    for name, minutes in (("over", 0), ("open", 1)):
        expires_at = NOW + timedelta(minutes=minutes)
        row = PasskeyChallenge(challenge_hash=name, ceremony="sign_in", place_hash="x", expires_at=expires_at)
        await add(database, row)
    await forget(database)
    assert await all_of(database, PasskeyChallenge.challenge_hash) == ["open"]


async def test_many_go_bit_by_bit_and_what_somebody_is_at_another_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FORGOTTEN_AT_ONCE", 2)
    monkeypatch.setattr(retention, "_BATCHES", 2)
    keys = [f"k-{number}" for number in range(7)]
    at = NOW - timedelta(days=11)
    await add(database, *(IdempotencyKey(user_id=OLGA, key=key, fingerprint="0", created_at=at) for key in keys))
    looks = Retention(database, VAULT, KEPT)
    await looks.forget(NOW)
    assert len(await all_of(database, IdempotencyKey.key)) == 3
    await looks.forget(NOW + SEARCHED_EVERY / 2)
    assert len(await all_of(database, IdempotencyKey.key)) == 3, "so often the whole table is not searched"
    held = (await all_of(database, IdempotencyKey.key))[0]
    async with database.writing() as rows:
        if rows.get_bind().dialect.name == "postgresql":
            which = select(IdempotencyKey).where(IdempotencyKey.key == held).with_for_update()
            await rows.execute(which)
            async with asyncio.timeout(30):
                await looks.forget(NOW + SEARCHED_EVERY)
            assert await all_of(database, IdempotencyKey.key) == [held]
    await looks.forget(NOW + 2 * SEARCHED_EVERY)
    assert await all_of(database, IdempotencyKey.key) == []
