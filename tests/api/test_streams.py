"""Event streams: every entry of an audit trail once, in order, live, and resumed wherever it broke off."""

import asyncio
from contextlib import AsyncExitStack
from random import Random
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from sqlalchemy import event

from api.app import create_app
from api.metrics import HttpMetrics
from domain.actors import SYSTEM
from domain.ids import TransferId
from domain.trail import TrailAction
from persistence.session import Database
from persistence.transfers import audit
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.listeners import PATIENCE, QUICK, application, end, listening, say, served
from tests.api.world import add_transfer, bearer
from tests.telemetry.spans import Kept
from tools.stage import plain_http


async def test_what_was_said_comes_first_then_what_is_said_live_as_the_pages_have_it(
    address: str, world: Database
) -> None:
    await say(world, 3, link="two\nlines")
    async with listening(address) as stream:
        before = [await stream.next() for _ in range(3)]
        await say(world, 2)
        heard = [*before, *[await stream.next() for _ in range(2)]]
    async with plain_http.client(base_url=address, headers=bearer("olga")) as http:
        page = (await http.get("/v1/transfers/trf_1/events")).json()["items"]

    assert stream.answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert stream.answer.headers["cache-control"] == "no-store"
    assert stream.answer.headers["x-accel-buffering"] == "no"
    assert [one.data for one in heard if one] == page
    assert [(one.id, one.event) for one in heard if one] == [(str(n), "audit") for n in range(1, 6)]


async def test_a_trail_longer_than_a_page_comes_whole_and_a_stream_resumes_behind_the_last_event(
    address: str, world: Database
) -> None:
    await say(world, 205)
    async with listening(address) as stream:
        assert await stream.take(120) == list(range(1, 121))
    async with listening(address, after=120) as stream:
        assert await stream.take(85) == list(range(121, 206))
        await say(world)
        assert await stream.take(1) == [206]


async def test_it_ends_with_the_transfer_and_then_there_is_nothing_more_to_come_back_for(
    address: str, world: Database
) -> None:
    await say(world)
    async with listening(address) as stream:
        assert await stream.take(1) == [1]
        await end(world, told=False)
        assert await stream.rest() == [2]
    async with listening(address, after=2) as again:
        assert again.answer.status_code == 204
        assert again.answer.headers["cache-control"] == "no-store"
    async with listening(address, after=1) as again:
        assert await again.rest() == [2]

    await say(world)  # as that its parties were told, or what was due at its charger when it is back
    async with listening(address, after=2) as again:
        assert await again.rest() == [3]


async def test_of_a_refused_transfer_nobody_is_told_so_its_stream_ends_at_once(address: str, world: Database) -> None:
    await add_transfer(world, "trf_2", state="refused", charge_point_id="cp-1")
    await say(world, 2, "trf_2")

    async with listening(address, "trf_2") as stream:
        assert await stream.rest() == [1, 2]


async def test_a_request_that_no_worker_has_taken_is_listened_to_before_it_is_a_transfer(
    world: Database, vault: Vault
) -> None:
    app = application(world, vault)
    app.state.backend.transfers.worker_answers = False
    async with served(app) as address, plain_http.client(base_url=address, headers=bearer("adam")) as http:
        body = {"kind": "move_to_group", "group_id": "g-adam"}
        started = await http.post("/v1/charge-points/cp-1/transfers", json=body)
        assert started.status_code == 202
        async with listening(address, started.json()["id"], name="adam") as stream:
            assert stream.answer.status_code == 200
            await say(world, 1, started.json()["id"])
            assert await stream.take(1) == [1]


# --- one poller -------------------------------------------------------------------------------------------------------


class Statements:
    """The statements that a database is sent."""

    def __init__(self, database: Database) -> None:
        self.seen: list[str] = []
        event.listen(database.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith("BEGIN"):
            self.seen.append(statement)


async def test_two_hundred_streams_are_fed_by_one_query_a_tick_and_nobody_is_asked_when_nobody_listens(
    world: Database, database_url: str, vault: Vault
) -> None:
    transfers = [f"trf_{number}" for number in range(1, 51)]
    for transfer_id in transfers[1:]:
        await add_transfer(world, transfer_id, active=False)
        await say(world, 1, transfer_id)
    await say(world)
    own = Database(database_url)
    statements = Statements(own)
    app = application(own, vault, limit_per_user=200)
    async with served(app) as address, AsyncExitStack() as stack:
        opened = [stack.enter_async_context(listening(address, one)) for one in transfers for _ in range(4)]
        streams = [await one for one in opened]
        assert await asyncio.gather(*(one.take(1) for one in streams)) == [[1]] * 200
        assert app.state.backend.streams.open == 200
        statements.seen.clear()
        began = asyncio.get_running_loop().time()
        for _ in range(3):
            async with world.writing() as rows:
                for transfer_id in transfers:
                    await audit.append(rows, TransferId(transfer_id), actor=SYSTEM, action=TrailAction.TAKEN_UP)
        assert await asyncio.gather(*(one.take(3) for one in streams)) == [[2, 3, 4]] * 200
        took = asyncio.get_running_loop().time() - began
        polls = list(statements.seen)
        await stack.aclose()
        async with asyncio.timeout(PATIENCE):
            while app.state.backend.streams.open:
                await asyncio.sleep(0.01)  # a server learns on its own time that a client has left
        await asyncio.sleep(2 * QUICK.total_seconds())  # a tick under way may still ask
        statements.seen.clear()
        await asyncio.sleep(5 * QUICK.total_seconds())  # nothing may happen: there is no event to wait for
        assert statements.seen == []
    await own.close()

    assert set(polls) == {polls[0]}
    assert "audit_events" in polls[0]
    assert len(polls) <= took / QUICK.total_seconds() + 1


async def test_streams_that_come_and_go_while_much_is_said_miss_nothing_and_get_nothing_twice(
    world: Database, vault: Vault
) -> None:
    app, other = application(world, vault), application(world, vault)
    async with served(app) as address, served(other) as elsewhere:

        async def follow(seed: int) -> list[int]:
            chance, found = Random(seed), list[int]()  # noqa: S311 - it decides nothing
            while len(found) < 100:
                where = chance.choice([address, elsewhere])
                async with listening(where, after=found[-1] if found else None) as stream:
                    found += await stream.take(min(chance.randint(1, 20), 100 - len(found)))
            return found

        *found, _ = await asyncio.gather(*(follow(seed) for seed in range(6)), say(world, 100))

    assert found == [list(range(1, 101))] * 6


async def test_what_a_slow_transaction_says_late_is_not_left_out(postgres_url: str, vault: Vault) -> None:
    database = Database(postgres_url)
    for transfer_id in ("trf_1", "trf_2"):
        await add_transfer(database, transfer_id, active=transfer_id == "trf_1")
    async with served(application(database, vault)) as address, listening(address, "trf_1") as late:
        async with listening(address, "trf_2") as early, database.writing() as rows:
            await audit.append(rows, TransferId("trf_1"), actor=SYSTEM, action=TrailAction.TAKEN_UP)
            await say(database, 1, "trf_2")
            assert await early.take(1) == [1]
        assert await late.take(1) == [1]
    await database.close()


# --- what the platform sees -------------------------------------------------------------------------------------------


async def test_a_stream_is_timed_and_traced_to_the_begin_of_its_answer_and_counted_while_it_is_open(
    world: Database, vault: Vault
) -> None:
    kept, provider = Kept(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    app = create_app(world, vault, Engine(world), metrics=HttpMetrics(tracer=provider.get_tracer("test")))
    async with served(app) as address, plain_http.client(base_url=address) as http:
        await say(world)
        async with listening(address) as stream:
            assert await stream.take(1) == [1]
            route = "GET /v1/transfers/{transfer_id}/events"
            spans = [span.name for span in kept.get_finished_spans()]
            during = (await http.get("/metrics")).text

    assert spans == [route]
    assert "handover_http_event_streams 1.0" in during
    labels = 'method="GET",route="/v1/transfers/{transfer_id}/events"'
    assert f"handover_http_request_duration_seconds_count{{{labels}}} 1.0" in during
