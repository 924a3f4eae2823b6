"""Whoever is refused again and again: their first refusals are on record, and then nothing is written for them."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from domain.errors import NotPossible
from domain.limits import CallLimits
from persistence.session import Database
from persistence.tables import AuditEvent, IdempotencyKey, Order, RateCount, Request, Table
from persistence.vault import Vault
from tests.api.conftest import Trail
from tests.api.test_limits import MOVE, START, Process, count_of, to_user, wait_of
from tests.api.world import add_transfer, bearer, check

TWO = CallLimits(transfers_per_hour=0, messages_per_day=0, misses_per_minute=0, refusals_per_hour=2)
KEPT: tuple[type[Table], ...] = (AuditEvent, IdempotencyKey, Order, RateCount, Request)


async def counts(database: Database) -> list[int]:
    return [await count_of(database, table) for table in KEPT]


async def over(database: Database) -> None:
    """Let every window be over."""
    async with database.writing() as rows:
        await rows.execute(update(RateCount).values(ends_at=datetime.now(UTC) - timedelta(seconds=1)))


async def test_refused_starts_are_on_record_up_to_the_limit_and_then_nothing_is_written(
    database: Database, vault: Vault, trail: Trail
) -> None:
    async with Process(database, vault, TWO) as api:
        for number in range(2):
            await api.post(f"/v1/charge-points/none-{number}/transfers", json=MOVE, headers=bearer("stan"))
        written = await counts(database)
        for number in range(2, 5):
            headers = bearer("stan") | {"Idempotency-Key": str(number)}
            answer = await api.post(f"/v1/charge-points/none-{number}/transfers", json=MOVE, headers=headers)
            assert "At most 2 starts and decisions may be refused" in check(answer, 429, "rate_limited")
            assert 3590 <= wait_of(answer) <= 3600
        assert await counts(database) == written
        assert await trail() == [("user:u-stan", "request_refused", "not_found")] * 2
        assert (await api.start(MOVE)).status_code == 202, "another caller"
        await over(database)
        check(await api.post(START, json=MOVE, headers=bearer("stan")), 404, "not_found")


async def test_refused_decisions_are_too_whatever_their_keys_are(
    database: Database, vault: Vault, trail: Trail
) -> None:
    await add_transfer(database, state="cancelled")
    async with Process(database, vault, TWO) as api:
        api.engine.fails = NotPossible("Nobody is asked any more.")

        async def resend(key: str, name: str = "olga") -> int:
            headers = bearer(name) | {"Idempotency-Key": key}
            return (await api.post("/v1/transfers/trf_1/resend", headers=headers)).status_code

        assert [await resend(str(number)) for number in range(2)] == [409] * 2
        written = await counts(database)
        assert [await resend(str(number)) for number in range(2, 6)] == [429] * 4
        check(await api.post("/v1/transfers/trf_1/accept", headers=bearer("olga")), 429, "rate_limited")
        assert await counts(database) == written
        assert await resend("a", "adam") == 403, "another caller"
        assert await trail("trf_1") == [
            ("user:u-olga", "resend_refused", "not_possible"),
            ("user:u-adam", "resend_refused", "not_allowed"),
        ]


async def test_operators_are_never_kept_from_it_and_what_is_not_written_is_counted(
    database: Database, vault: Vault, trail: Trail
) -> None:
    await add_transfer(database)
    async with Process(database, vault, TWO) as api:
        api.engine.fails = NotPossible("There is nothing to retry.")
        body = {"action": "retry", "reason": "again"}
        for _ in range(5):
            check(
                await api.post("/v1/transfers/trf_1/resolve", json=body, headers=bearer("oscar")), 409, "not_possible"
            )
        assert await trail("trf_1") == [("operator:u-oscar", "resolve_refused", "not_possible")] * 2
        assert "handover_refusals_unrecorded_total 3.0" in (await api.get("/metrics")).text


async def test_refusals_at_once_are_counted_each(database: Database, vault: Vault, trail: Trail) -> None:
    async with Process(database, vault, TWO) as api:
        path = "/v1/charge-points/none-{}/transfers"
        calls = (api.post(path.format(number), json=MOVE, headers=bearer("stan")) for number in range(8))
        answers = [answer.status_code for answer in await asyncio.gather(*calls)]
        assert set(answers) <= {404, 429}
        assert len(await trail()) == 2


async def test_a_sender_over_a_limit_is_refused_before_anything_is_written(database: Database, vault: Vault) -> None:
    limits = CallLimits(transfers_per_hour=3, messages_per_day=1)
    async with Process(database, vault, limits) as api:
        assert (await api.start(to_user("rita@example.com"))).status_code == 202
        for _ in range(2):
            assert (await api.start(MOVE, **{"Idempotency-Key": "mine"})).status_code == 202
        assert (await api.start(MOVE)).status_code == 202
        async with database.writing() as rows, asyncio.timeout(10):
            await rows.execute(select(RateCount).with_for_update())  # whoever writes now has to wait
            check(await api.start(MOVE), 429, "rate_limited")
            check(await api.start(to_user("rita@example.com"), "adam"), 429, "rate_limited")
            assert (await api.start(MOVE, **{"Idempotency-Key": "mine"})).status_code == 202


async def test_without_a_limit_every_call_is_looked_at(database: Database, vault: Vault) -> None:
    async with Process(database, vault, TWO.model_copy(update={"refusals_per_hour": 0})) as api:
        answers = {(await api.post(START, json=MOVE, headers=bearer("stan"))).status_code for _ in range(4)}
    assert answers == {404}
