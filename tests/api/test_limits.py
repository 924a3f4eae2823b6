"""Limits over all API processes: starts by sender, messages by target, misses by address; each says until when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from api.app import create_app
from api.dependencies import Options
from domain.errors import NotAllowed
from domain.limits import CallLimits
from domain.proxies import NO_PROXIES, ForwardedHeader, Proxies
from domain.request import TransferRequest
from persistence.session import PATIENT_LOCK_WAIT_SECONDS, Database
from persistence.tables import AuditEvent, RateCount, Request, Table, Transfer
from persistence.vault import Vault
from settings import Settings
from tests.api.engine import Engine
from tests.api.world import add, add_link, add_transfer, bearer, change, check

START = "/v1/charge-points/cp-1/transfers"
MOVE = {"kind": "move_to_group", "group_id": "g-olga"}
ADDRESS = "192.0.2.1"


class Process(httpx.AsyncClient):
    """One API process, called from one address; no worker answers, so that nothing is reserved."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        limits: CallLimits,
        address: str = ADDRESS,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        self.engine = Engine(database, worker_answers=False)
        app = create_app(database, vault, self.engine, Options(limits=limits, proxies=proxies))
        super().__init__(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://handover.test")

    async def start(self, body: dict[str, Any], name: str = "olga", **headers: str) -> httpx.Response:
        return await self.post(START, json=body, headers=bearer(name) | headers)


@pytest.fixture
async def api(database: Database, vault: Vault) -> AsyncIterator[Process]:
    async with Process(database, vault, CallLimits(transfers_per_hour=4)) as process:
        yield process


def to_user(recipient: str) -> dict[str, Any]:
    return {"kind": "transfer_to_user", "recipient": recipient}


def request_to_rita(vault: Vault) -> Request:
    """Give the request of olga's transfer trf_1."""
    body = TransferRequest.model_validate(
        to_user("rita@example.com") | {"recipient_channel": "email", "acceptance": "required", "expires_in": "P7D"}
    )
    return Request(
        transfer_id="trf_1", user_id="u-olga", scopes=[], charge_point_id="cp-1", kind="transfer_to_user",
        body_hash="0" * 64, sealed_body=vault.seal(body.model_dump_json().encode()), requested_at=datetime.now(UTC),
    )  # fmt: skip


async def count_of(database: Database, table: type[Table]) -> int:
    async with database.reading() as rows:
        return await rows.scalar(select(func.count()).select_from(table)) or 0


def wait_of(answer: httpx.Response) -> int:
    return int(answer.headers["retry-after"])


async def test_a_sender_starts_so_many_an_hour_and_is_told_when_again(api: Process, database: Database) -> None:
    answers = [await api.start(MOVE) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202] * 4 + [429]
    assert "At most 4 transfers may be started within an hour" in check(answers[4], 429, "rate_limited")
    assert 3590 <= wait_of(answers[4]) <= 3600
    assert await count_of(database, Request) == 4
    assert await count_of(database, AuditEvent) == 0
    assert (await api.start(MOVE, "adam")).status_code == 202, "another sender"
    async with database.writing() as rows:
        await rows.execute(update(RateCount).values(ends_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert (await api.start(MOVE)).status_code == 202


async def test_dry_runs_and_repeats_do_not_count_and_repeats_are_answered_beyond_the_limit(api: Process) -> None:
    for _ in range(6):
        assert (await api.post(f"{START}?dry_run=true", json=MOVE, headers=bearer("olga"))).status_code == 200
        assert (await api.start(MOVE, **{"Idempotency-Key": "same"})).status_code == 202
    assert [(await api.start(MOVE)).status_code for _ in range(4)] == [202] * 3 + [429]
    assert (await api.start(MOVE, **{"Idempotency-Key": "same"})).status_code == 202
    refused = {"Idempotency-Key": "other"}
    assert (await api.start(MOVE, **refused)).status_code == 429
    assert (await api.start(MOVE, **refused)).status_code == 429, "a key that was refused is no repeat"


async def test_many_at_once_at_two_processes_start_no_more_than_may(
    api: Process, database_url: str, database: Database, vault: Vault
) -> None:
    async with AsyncExitStack() as stack:
        processes = []
        for _ in range(2):
            own = Database(database_url, lock_wait=PATIENT_LOCK_WAIT_SECONDS)
            stack.push_async_callback(own.close)
            processes.append(await stack.enter_async_context(Process(own, vault, CallLimits())))
        answers = await asyncio.gather(*(processes[number % 2].start(MOVE) for number in range(14)))
    assert sorted(answer.status_code for answer in answers) == [202] * 10 + [429] * 4
    assert await count_of(database, Request) == 10


@pytest.mark.parametrize("recipient", ["rita@example.com", "blanca@example.com", "nobody@example.net"])
async def test_a_known_address_and_an_unknown_one_are_written_to_as_often(
    api: Process, database: Database, recipient: str
) -> None:
    spelled = [recipient, recipient.upper(), f" {recipient} ", recipient]
    answers = [await api.start(to_user(one)) for one in spelled]

    assert [answer.status_code for answer in answers] == [202] * 3 + [429]
    detail = check(answers[3], 429, "rate_limited")
    assert detail.startswith("At most 3 messages may be sent to the same recipient within a day; try again after 2")
    assert 86390 <= wait_of(answers[3]) <= 86400
    assert await count_of(database, Request) == 3
    assert (await api.start(to_user("stan@example.com"))).status_code == 202, "refused starts are not counted"


@pytest.mark.parametrize(
    ("kind", "field", "targets"),
    [
        ("transfer_ownership", "user_id", ("u-adam", "u-mia")),
        ("move_to_group", "group_id", ("g-olga", "g-adam")),
        ("transfer_to_user", "recipient", ("rita@example.com", "stan@example.com")),
    ],
)
async def test_messages_are_counted_for_each_target_by_itself(
    database: Database, vault: Vault, kind: str, field: str, targets: tuple[str, str]
) -> None:
    async with Process(database, vault, CallLimits(transfers_per_hour=0, messages_per_day=1)) as api:
        found = [
            (await api.start({"kind": kind, field: target, "acceptance": "required"})).status_code
            for target in (*targets, *targets)
        ]
    assert found == [202, 202, 429, 429]


async def test_a_start_that_is_refused_asks_nobody_and_counts_as_no_message(api: Process) -> None:
    api.engine.fails = NotAllowed("Only an owner may.")
    refused = [await api.start(to_user("rita@example.com"), "mia") for _ in range(4)]
    again = await api.start(to_user("rita@example.com"), "adam", **{"Idempotency-Key": "same"})
    assert [answer.status_code for answer in (*refused, again)] == [403] * 5
    api.engine.fails = None
    assert (await api.start(to_user("rita@example.com"), "adam", **{"Idempotency-Key": "same"})).status_code == 403
    answers = [await api.start(to_user("rita@example.com")) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202] * 3 + [429]


async def test_nobody_is_written_to_more_often_by_several_senders_and_who_is_not_asked_not_at_all(
    api: Process,
) -> None:
    move = {"kind": "move_to_group", "group_id": "g-rita", "acceptance": "required"}
    answers = [await api.start(move, name) for name in ("olga", "adam", "mia", "olga")]
    assert [answer.status_code for answer in answers] == [202] * 3 + [429]
    assert [(await api.start(MOVE, "adam")).status_code for _ in range(3)] == [202] * 3, "the owner is not asked"


async def test_a_resend_counts_as_a_message_and_its_repeats_do_not(
    api: Process, database: Database, vault: Vault
) -> None:
    await add(database, request_to_rita(vault))
    await add_transfer(database)
    assert (await api.start(to_user("rita@example.com"))).status_code == 202

    async def resend(key: str, name: str = "olga") -> httpx.Response:
        return await api.post("/v1/transfers/trf_1/resend", headers=bearer(name) | {"Idempotency-Key": key})

    assert [(await resend(key)).status_code for key in ("a", "a", "b", "a")] == [200] * 4
    check(await resend("c"), 429, "rate_limited")
    check(await resend("c", "adam"), 403, "not_allowed")
    check(await api.start(to_user("rita@example.com")), 429, "rate_limited")


async def test_a_resend_that_asks_nobody_counts_for_nothing_and_one_too_many_fills_no_trail(
    api: Process, database: Database, vault: Vault
) -> None:
    await add(database, request_to_rita(vault))
    await add_transfer(database, state="cancelled")
    resend = "/v1/transfers/trf_1/resend"
    # the engine of these tests takes it, the workflow refuses it
    assert [(await api.post(resend, headers=bearer("olga"))).status_code for _ in range(4)] == [200] * 4
    assert (await api.start(to_user("rita@example.com"))).status_code == 202

    await change(database, Transfer, state="awaiting_acceptance")
    answers = [await api.post(resend, headers=bearer("olga")) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 2 + [429] * 2
    assert await count_of(database, AuditEvent) == 0


async def test_whoever_tries_links_waits_and_a_link_that_is_known_opens_all_the_same(
    api: Process, database: Database, vault: Vault
) -> None:
    await add_transfer(database)
    link = await add_link(database)
    paths = [f"/t/unknown-{number}" for number in range(12)]
    answers = [await api.get(path) for path in paths]

    assert [answer.status_code for answer in answers] == [404] * 10 + [429] * 2
    assert 50 <= wait_of(answers[11]) <= 60
    assert answers[11].headers["content-type"].startswith("text/html")
    assert (await api.get(link)).status_code == 303
    guessed = [await api.get("/t/of/lnk_1", headers={"Cookie": f"handover_link=unknown-{number}"}) for number in (1, 2)]
    assert [answer.status_code for answer in guessed] == [429] * 2, "a cookie is no way round it"
    async with Process(database, vault, CallLimits(), "192.0.2.2") as other:
        assert (await other.get(paths[0])).status_code == 404, "another address"
    async with database.reading() as rows:
        kept = "".join(await rows.scalars(select(RateCount.key)))
    assert ADDRESS not in kept


async def test_behind_trusted_proxies_each_client_has_their_own_misses_and_nobody_makes_an_address_up(
    database: Database, vault: Vault
) -> None:
    limits, networks = CallLimits(misses_per_minute=1), (ip_network("192.0.2.0/24"),)
    listed, spoken = Proxies(networks), Proxies(networks, ForwardedHeader.FORWARDED)

    async def misses(proxies: Proxies, lines: list[tuple[str, str]], address: str = ADDRESS) -> list[int]:
        async with Process(database, vault, limits, address, proxies) as process:
            return [(await process.get("/t/unknown", headers=[line])).status_code for line in lines]

    for number in range(1, 3):
        forged = ("X-Forwarded-For", f"203.0.113.{number}, 198.51.100.1, 192.0.2.2")
        assert await misses(listed, [forged]) == [404 if number == 1 else 429]
    assert await misses(listed, [("X-Forwarded-For", "198.51.100.2")]) == [404]
    assert await misses(spoken, [("Forwarded", "for=198.51.100.3"), ("X-Forwarded-For", "1.2.3.4")]) == [404, 404]
    assert await misses(spoken, [("Forwarded", "for=198.51.100.4"), ("X-Forwarded-For", "5.6.7.8")]) == [404, 429]
    assert await misses(listed, [("X-Forwarded-For", "198.51.100.5")] * 2, "198.51.100.6") == [404, 429]
    assert await misses(listed, [("X-Forwarded-For", "198.51.100.7")], "198.51.100.6") == [429]


async def test_a_flood_of_misses_writes_nothing(api: Process, database: Database) -> None:
    for _ in range(10):
        await api.get("/t/unknown")
    async with database.writing() as rows, asyncio.timeout(10):
        await rows.execute(select(RateCount).with_for_update())  # whoever writes now has to wait
        assert [(await api.get("/t/unknown")).status_code for _ in range(3)] == [429] * 3


async def test_zero_is_no_limit(database: Database, vault: Vault) -> None:
    off = CallLimits(transfers_per_hour=0, messages_per_day=0, misses_per_minute=0)
    async with Process(database, vault, off) as process:
        assert {(await process.start(to_user("rita@example.com"))).status_code for _ in range(12)} == {202}
        assert {(await process.get("/t/unknown")).status_code for _ in range(12)} == {404}
    assert await count_of(database, RateCount) == 0


def test_the_limits_are_settings_and_on_unless_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().limits == CallLimits(transfers_per_hour=10, messages_per_day=3, misses_per_minute=10)
    monkeypatch.setenv("HANDOVER_LIMITS__TRANSFERS_PER_HOUR", "0")
    monkeypatch.setenv("HANDOVER_LIMITS__MISSES_PER_MINUTE", "5")
    assert Settings().limits == CallLimits(transfers_per_hour=0, misses_per_minute=5)
