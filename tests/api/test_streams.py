"""Event streams: every entry of an audit trail once, in order, live, and resumed wherever it broke off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from sqlalchemy import delete, event, make_url

from api.app import create_app
from api.dependencies import Options
from api.event_stream import wants_stream
from api.streams import StreamOptions
from api.watch import HttpWatch
from chaos.links import Link
from demo.ports import HOST
from domain.ids import TransferId
from persistence import audit
from persistence.session import Database
from persistence.tables import ApiKey, AuditCounter, AuditEvent, Membership
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.listeners import PATIENCE, end, listening, say, served, slow_reader
from tests.api.world import add_transfer, bearer, check, populate
from tests.telemetry.spans import Kept

QUICK = timedelta(milliseconds=50)


def application(database: Database, vault: Vault, **options: Any) -> FastAPI:
    streams = StreamOptions(**{"poll_every": QUICK, "check_every": timedelta(hours=1), **options})
    return create_app(database, vault, Engine(database), Options(streams=streams))


@pytest.fixture
async def world(database: Database) -> Database:
    """A database with everybody, and olga's transfer."""
    await populate(database)
    await add_transfer(database)
    return database


@pytest.fixture
async def address(world: Database, vault: Vault) -> AsyncIterator[str]:
    async with served(application(world, vault)) as found:
        yield found


async def test_what_was_said_comes_first_then_what_is_said_live_as_the_pages_have_it(
    address: str, world: Database
) -> None:
    await say(world, 3, link="two\nlines")
    async with listening(address) as stream:
        before = [await stream.next() for _ in range(3)]
        await say(world, 2)
        heard = [*before, *[await stream.next() for _ in range(2)]]
    async with httpx.AsyncClient(base_url=address, headers=bearer("olga")) as http:
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


async def test_it_ends_once_the_parties_are_told_and_then_there_is_nothing_more_to_come_back_for(
    address: str, world: Database
) -> None:
    await say(world)
    async with listening(address) as stream:
        assert await stream.take(1) == [1]
        await end(world, told=False)
        assert await stream.take(1) == [2]
        await say(world)
        assert await stream.take(1) == [3]
        await end(world)
        assert await stream.rest() == [4, 5]
    async with listening(address, after=5) as again:
        assert again.answer.status_code == 204
        assert again.answer.headers["cache-control"] == "no-store"
    async with listening(address, after=3) as again:
        assert await again.rest() == [4, 5]

    await say(world)  # as what was due at its charger is, when it is back
    async with listening(address, after=5) as again:
        assert await again.rest() == [6]


async def test_of_a_refused_transfer_nobody_is_told_so_its_stream_ends_at_once(address: str, world: Database) -> None:
    await add_transfer(world, "trf_2", state="refused", charge_point_id="cp-1")
    await say(world, 2, "trf_2")

    async with listening(address, "trf_2") as stream:
        assert await stream.rest() == [1, 2]


async def test_a_request_that_no_worker_has_taken_is_listened_to_before_it_is_a_transfer(
    world: Database, vault: Vault
) -> None:
    app = application(world, vault)
    app.state.parts.transfers.worker_answers = False
    async with served(app) as address, httpx.AsyncClient(base_url=address, headers=bearer("adam")) as http:
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
    app = application(own, vault)
    async with served(app) as address, AsyncExitStack() as stack:
        opened = [stack.enter_async_context(listening(address, one)) for one in transfers for _ in range(4)]
        streams = [await one for one in opened]
        assert await asyncio.gather(*(one.take(1) for one in streams)) == [[1]] * 200
        assert app.state.parts.streams.open == 200
        statements.seen.clear()
        began = asyncio.get_running_loop().time()
        for _ in range(3):
            async with world.writing() as session:
                for transfer_id in transfers:
                    await audit.append(session, TransferId(transfer_id), actor="system", action="said")
        assert await asyncio.gather(*(one.take(3) for one in streams)) == [[2, 3, 4]] * 200
        took = asyncio.get_running_loop().time() - began
        polls = list(statements.seen)
        await stack.aclose()
        async with asyncio.timeout(PATIENCE):
            while app.state.parts.streams.open:
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
    await populate(database)
    for transfer_id in ("trf_1", "trf_2"):
        await add_transfer(database, transfer_id, active=transfer_id == "trf_1")
    async with served(application(database, vault)) as address, listening(address, "trf_1") as late:
        async with listening(address, "trf_2") as early, database.writing() as session:
            await audit.append(session, TransferId("trf_1"), actor="system", action="said")
            await say(database, 1, "trf_2")
            assert await early.take(1) == [1]
        assert await late.take(1) == [1]
    await database.close()


# --- slow readers, outages, the end of sight --------------------------------------------------------------------------


async def say_much(database: Database, number: int) -> None:
    """Say more than the buffers of a connection hold: 8 MB for 1000 entries, in one transaction."""
    async with database.writing() as session:
        for sequence in range(1, number + 1):
            detail = {"much": "m" * 8192}
            values = {"at": datetime.now(UTC), "actor": "system", "action": "said", "detail": detail}
            session.add(AuditEvent(transfer_id="trf_1", sequence=sequence, **values))
        session.add(AuditCounter(transfer_id="trf_1", last=number))


async def test_a_reader_who_is_slow_holds_up_nobody_and_still_gets_everything(world: Database, address: str) -> None:
    with slow_reader(address) as slow:
        async with listening(address) as stream:
            await say_much(world, 1000)
            assert await stream.take(1000) == list(range(1, 1001))
            await end(world)
            assert await stream.rest() == [1001, 1002]
        slow.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=slow)
        async with asyncio.timeout(PATIENCE):
            text = await _until(reader, b"0\r\n\r\n")
        writer.close()
    ids = [int(line[4:]) for line in text.splitlines() if line.startswith(b"id: ")]
    assert ids == list(range(1, 1003))


async def _until(reader: asyncio.StreamReader, mark: bytes) -> bytes:
    found = b""
    while not found.endswith(mark):
        piece = await reader.read(1 << 20)
        assert piece, "the stream broke off"
        found += piece
    return found


async def test_a_reader_who_reads_nothing_for_too_long_is_let_go(
    world: Database, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    app = application(world, vault, send_timeout=timedelta(seconds=0.5))
    async with served(app) as address:
        with slow_reader(address):
            await say_much(world, 1000)
            async with asyncio.timeout(PATIENCE):
                while app.state.parts.streams.open == 0:
                    await asyncio.sleep(0.01)  # the server's own doing: this count is all that tells
                while app.state.parts.streams.open > 0:
                    await asyncio.sleep(0.01)
    assert "Traceback" not in caplog.text


async def test_an_outage_of_the_database_delays_a_stream_and_ends_none(postgres_url: str, vault: Vault) -> None:
    direct, url = Database(postgres_url), make_url(postgres_url)
    await populate(direct)
    await add_transfer(direct)
    link = Link("database", [url.port or 0], Random(1))  # noqa: S311 - it decides nothing
    async with link.listening():
        own = Database(url.set(host=HOST, port=link.port).render_as_string(hide_password=False))
        app = application(own, vault, check_every=timedelta(seconds=0.5))
        async with served(app) as address, listening(address) as stream:
            await say(direct)
            assert await stream.take(1) == [1]
            link.cut()
            await say(direct, 2)
            async with httpx.AsyncClient(base_url=address) as http:
                assert (await http.get("/v1/me", headers=bearer("olga"))).status_code == 503
            await asyncio.sleep(2)  # the checks of the stream, too, are to meet the outage
            link.heal()
            assert await stream.take(2) == [2, 3]
        await own.close()
    await direct.close()


async def _revoke(database: Database) -> None:
    async with database.writing() as session:
        (await session.get_one(ApiKey, "mia")).revoked_at = datetime.now(UTC)


async def _leave(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(delete(Membership).where(Membership.user_id == "u-mia", Membership.group_id == "g-team"))


@pytest.mark.parametrize("lose", [_revoke, _leave])
async def test_who_loses_the_sight_of_a_transfer_is_fed_no_more(world: Database, vault: Vault, lose: Any) -> None:
    async with served(application(world, vault, check_every=timedelta(seconds=0.3))) as address:
        await say(world)
        async with listening(address, name="mia") as stream, listening(address) as olgas:
            assert await stream.take(1) == await olgas.take(1) == [1]
            await lose(world)
            assert await stream.rest() == []
            await say(world)
            assert await olgas.take(1) == [2]


async def test_a_silent_stream_has_a_heartbeat(world: Database, vault: Vault) -> None:
    async with (
        served(application(world, vault, heartbeat_every=QUICK)) as address,
        listening(address) as stream,
    ):
        await asyncio.sleep(0.5)  # what is tried is that time passes
        await say(world)
        assert await stream.take(1) == [1]
    assert stream.comments >= 3


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["abc", "-1", "1.5", "²", "9" * 30])
async def test_a_malformed_last_event_id_is_refused_and_told_what_to_send(address: str, sent: str) -> None:
    headers = {**bearer("olga"), "Accept": "text/event-stream", "Last-Event-ID": sent.encode()}
    async with httpx.AsyncClient(base_url=address) as http:
        answer = await http.get("/v1/transfers/trf_1/events", headers=headers)  # type: ignore[arg-type]

    assert "a whole number like 7" in check(answer, 422, "invalid_request")


async def test_what_keeps_a_stream_from_starting_is_an_ordinary_problem(
    world: Database, vault: Vault, address: str
) -> None:
    await say(world)
    async with listening(address, after=2) as behind:
        assert "the last event, 1;" in check(behind.answer, 422, "invalid_request")
    async with listening(address, "trf_2") as missing:
        check(missing.answer, 404, "not_found")
    async with listening(address, name="stan") as stranger:
        check(stranger.answer, 404, "not_found")
    async with listening(address, name="nobody") as unknown:
        check(unknown.answer, 401, "not_authenticated")
    async with httpx.AsyncClient(base_url=address) as http:
        headers = {**bearer("olga"), "Accept": "text/event-stream"}
        queried = await http.get("/v1/transfers/trf_1/events?limit=3", headers=headers)
        assert "no query parameters" in check(queried, 422, "invalid_request")
    async with served(application(world, vault, limit=1)) as small, listening(small), listening(small) as second:
        assert "too many event streams" in check(second.answer, 503, "unavailable")
        assert second.answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("accepted", "streams"),
    [
        ([], False),
        (["*/*"], False),
        (["text/event-stream"], True),
        (["Text/Event-Stream; q=0.5"], True),
        (["text/event-stream;q=0"], False),
        (["text/event-stream;q=0.5, application/json"], False),
        (["application/json;q=0.5", "text/event-stream"], True),
        (["text/event-stream;q=x"], False),
    ],
)
def test_a_stream_is_sent_to_who_asks_for_one(accepted: list[str], streams: bool) -> None:
    assert wants_stream(accepted) is streams


# --- what the platform sees -------------------------------------------------------------------------------------------


async def test_a_stream_is_timed_and_traced_to_the_begin_of_its_answer_and_counted_while_it_is_open(
    world: Database, vault: Vault
) -> None:
    kept, provider = Kept(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    app = create_app(world, vault, Engine(world), watch=HttpWatch(tracer=provider.get_tracer("test")))
    async with served(app) as address, httpx.AsyncClient(base_url=address) as http:
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
