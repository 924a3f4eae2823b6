"""Event streams that meet trouble: slow readers, outages, callers who lose their sight, calls that are refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, make_url

from api.event_stream import wants_stream
from domain.actors import SYSTEM
from domain.ids import TransferId
from domain.trail import TrailAction
from persistence.session import Database
from persistence.tables import ApiKey, AuditCounter, AuditEvent, ChargePoint, Membership, Transfer
from persistence.transfers import audit
from persistence.vault import Vault
from tests.api.listeners import PATIENCE, QUICK, application, end, listening, say, served, slow_reader
from tests.api.world import add_transfer, bearer, change, check
from tools.chaos.links import Link
from tools.stage import plain_http
from tools.stage.ports import HOST

# --- slow readers, outages, the end of sight --------------------------------------------------------------------------


async def say_much(database: Database, number: int) -> None:
    """Say more than the buffers of a connection hold: 8 MB for 1000 entries, in one transaction."""
    async with database.writing() as rows:
        for sequence in range(1, number + 1):
            detail = {"much": "m" * 8192}
            values = {"at": datetime.now(UTC), "actor": "system", "action": "said", "detail": detail}
            rows.add(AuditEvent(subject="trf_1", sequence=sequence, **values))
        rows.add(AuditCounter(subject="trf_1", last=number))


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
                while app.state.backend.streams.open == 0:
                    await asyncio.sleep(0.01)  # the server's own doing: this count is all that tells
                while app.state.backend.streams.open > 0:
                    await asyncio.sleep(0.01)
    assert "Traceback" not in caplog.text


async def test_an_outage_of_the_database_delays_a_stream_and_ends_none(postgres_url: str, vault: Vault) -> None:
    direct, url = Database(postgres_url), make_url(postgres_url)
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
            async with plain_http.client(base_url=address) as http:
                assert (await http.get("/v1/me", headers=bearer("olga"))).status_code == 503
            await asyncio.sleep(2)  # the checks of the stream, too, are to meet the outage
            link.heal()
            assert await stream.take(2) == [2, 3]
        await own.close()
    await direct.close()


async def test_a_stop_ends_streams_at_once_while_the_database_is_silent(postgres_url: str, vault: Vault) -> None:
    direct, url = Database(postgres_url), make_url(postgres_url)
    await add_transfer(direct)
    await say(direct)
    link = Link("database", [url.port or 0], Random(1))  # noqa: S311 - it decides nothing
    async with link.listening():
        own = Database(url.set(host=HOST, port=link.port).render_as_string(hide_password=False))
        app = application(own, vault, check_every=timedelta(seconds=0.3))
        async with served(app) as address, listening(address) as stream:
            assert await stream.take(1) == [1]
            link.hold()
            await asyncio.sleep(1)  # the stream's check, and the poller, are to be at it
            began = asyncio.get_running_loop().time()
            stop = asyncio.create_task(app.state.backend.streams.stop())
            assert await stream.rest() == []
            took = asyncio.get_running_loop().time() - began
            link.heal()
            await stop
        await own.close()
    await direct.close()

    assert took < 8  # where it waited for the database, it would be 15


async def _revoke(database: Database) -> None:
    async with database.writing() as rows:
        (await rows.get_one(ApiKey, "mia")).revoked_at = datetime.now(UTC)


async def _leave(database: Database) -> None:
    async with database.writing() as rows:
        await rows.execute(delete(Membership).where(Membership.user_id == "u-mia", Membership.group_id == "g-team"))


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


async def test_the_ownership_change_takes_the_sight_before_it_is_told(world: Database, vault: Vault) -> None:
    async with served(application(world, vault)) as address:  # which looks at its callers every hour
        await change(world, Transfer, state="transferring", accepted_by="u-rita")
        async with listening(address, name="mia") as stream, listening(address) as olgas:
            await say(world)
            assert await stream.take(1) == await olgas.take(1) == [1]
            async with world.writing() as rows:
                (await rows.get_one(ChargePoint, "cp-1")).group_id = "g-rita"
                detail = {"owner_id": "u-rita", "group_id": "g-rita"}
                changed = TrailAction.OWNERSHIP_CHANGED
                await audit.append(rows, TransferId("trf_1"), actor=SYSTEM, action=changed, detail=detail)
            assert await olgas.take(1) == [2]
            assert await stream.rest() == [], "the team is not told who has it now"


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
    async with plain_http.client(base_url=address) as http:
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
    async with plain_http.client(base_url=address) as http:
        headers = {**bearer("olga"), "Accept": "text/event-stream"}
        queried = await http.get("/v1/transfers/trf_1/events?limit=3", headers=headers)
        assert "no query parameters" in check(queried, 422, "invalid_request")
    async with served(application(world, vault, limit=1)) as small, listening(small), listening(small) as second:
        assert "too many event streams" in check(second.answer, 503, "unavailable")
        assert second.answer.headers["retry-after"] == "5"


async def test_one_user_can_not_take_the_streams_of_all(world: Database, vault: Vault) -> None:
    app = application(world, vault, limit_per_user=1)
    async with served(app) as address:
        await say(world)
        async with listening(address) as first:
            assert await first.take(1) == [1]
            async with listening(address) as second:
                assert "close one first" in check(second.answer, 429, "rate_limited")
            async with listening(address, name="mia") as another:
                assert await another.take(1) == [1]
        async with asyncio.timeout(PATIENCE):
            while app.state.backend.streams.open:
                await asyncio.sleep(0.01)  # a server learns on its own time that a client has left
        async with listening(address) as again:
            assert await again.take(1) == [1]


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
