"""What the gateway bears from one socket, how it notices that nobody is there, and who guesses passwords too often."""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from gateway.auth_throttle import WINDOW, AuthThrottle
from gateway.facts import Fact
from gateway.socket_limits import Bucket, SocketLimits
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.bare import ask, place
from tests.gateway.world import IDENTITY, OLD_KEY, World, gateway_world, said, seed

QUICK = timedelta(milliseconds=200)
WRONG = b"wrong"


@dataclass
class Clock:
    now: float = 1000

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def seeded(sqlite_url: str, vault: Vault) -> AsyncIterator[Database]:
    """Which kind of database there is makes no difference to a limit."""
    database = Database(sqlite_url)
    await seed(database, vault)
    yield database
    await database.close()


async def answers(socket: ClientConnection, first: int, last: int) -> None:
    """Take the answers to the heartbeats with these numbers, in order."""
    for number in range(first, last + 1):
        assert json.loads(await said(socket))[:2] == [3, str(number)]


async def heartbeats(socket: ClientConnection, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await socket.send(json.dumps([2, str(number), "Heartbeat", {}]))


# --- frames -------------------------------------------------------------------------------------------------------


async def test_the_largest_frame_is_a_setting(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    async with (
        gateway_world(seeded, vault, tmp_path, limits=SocketLimits(frame_size=1000)) as world,
        world.client() as socket,
    ):
        frame = '[2,"1","Heartbeat",{}]'
        await socket.send(frame + " " * (1000 - len(frame)))
        await answers(socket, 1, 1)
        await socket.send(frame + " " * (1001 - len(frame)))
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1009


async def test_a_station_that_sends_too_fast_has_to_wait_and_loses_nothing(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    """Not even where the answers to pings stand in line behind so many messages that they come far too late."""
    limits = SocketLimits(
        messages_per_second=40,
        message_burst=5,
        ping_every=QUICK,
        ping_timeout=QUICK,
    )
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world, world.client() as socket:
        begun = time.monotonic()
        await heartbeats(socket, 1, 65)
        await answers(socket, 1, 5)
        assert time.monotonic() - begun < 0.7
        await answers(socket, 6, 65)
        assert time.monotonic() - begun >= 60 / 40 - 0.1
        await asyncio.sleep(0.3)
        await heartbeats(socket, 66, 66)
        await answers(socket, 66, 66)


async def test_a_station_that_has_to_wait_long_is_not_taken_for_dead(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = SocketLimits(messages_per_second=0.5, message_burst=1, ping_every=QUICK, ping_timeout=QUICK)
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world, world.client() as socket:
        await heartbeats(socket, 1, 50)
        await answers(socket, 1, 2)
        assert Fact.DISCONNECTED not in world.facts


async def test_a_station_with_much_work_in_line_is_not_taken_for_dead(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = SocketLimits(messages_per_second=0, ping_every=QUICK / 4, ping_timeout=QUICK)
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world, world.client() as socket:
        for number in range(1, 401):
            await socket.send(json.dumps([2, str(number), "Authorize", {"idTag": "ANN1"}]))
        await answers(socket, 1, 400)


async def test_who_sends_too_fast_holds_nobody_else_up_and_is_gone_at_once_when_it_leaves(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = SocketLimits(messages_per_second=0.01, message_burst=2)
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world:
        async with world.client() as socket:
            await heartbeats(socket, 1, 3)
            await answers(socket, 1, 2)
            async with world.client() as newer:
                await heartbeats(newer, 1, 1)
                await answers(newer, 1, 1)
        await world.heard(Fact.DISCONNECTED)


async def test_a_rate_of_zero_makes_nobody_wait(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    limits = SocketLimits(messages_per_second=0, message_burst=1)
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world, world.client() as socket:
        async with asyncio.timeout(5):
            await heartbeats(socket, 1, 50)
            await answers(socket, 1, 50)


def test_a_bucket_fills_up_with_time_and_never_above_its_burst() -> None:
    clock = Clock()
    bucket = Bucket(2, 3, clock)
    for _ in range(3):
        assert bucket.pause() == 0
        bucket.take()
    assert bucket.pause() == 0.5
    clock.now += 0.25
    assert bucket.pause() == 0.25
    clock.now += 1000
    for _ in range(3):
        assert bucket.pause() == 0
        bucket.take()
    assert bucket.pause() > 0


async def test_who_sends_nothing_but_garbage_is_closed_with_1008(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = SocketLimits(garbage_in_a_row=3)
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world, world.client() as socket:
        for number in (1, 2):
            for garbage in ("GET / HTTP/1.1", b"\xff\x00", "{}"):
                await socket.send(garbage)
            await heartbeats(socket, number, number)
            await answers(socket, number, number)
        for garbage in ("[]", '[2,5,"Heartbeat",{}]', '[2,"1","Heartb', "[]"):
            await socket.send(garbage)
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1008
        await world.heard(Fact.DISCONNECTED)
        assert (await place(world)).node is None


@pytest.mark.parametrize(
    ("limit", "frame"),
    [
        (0, "garbage"),
        (3, '[3,"answered-too-late",{}]'),
        (3, ' [ 4 , "never-asked", "InternalError", "", {} ]\n'),
        (3, b'[2,"binary","Heartbeat",{}]'),
        (3, '[2,"","Unheard",{"more":[1]}]'),
    ],
)
async def test_a_station_that_only_errs_is_not_closed(
    seeded: Database, vault: Vault, tmp_path: Path, limit: int, frame: str | bytes
) -> None:
    limits = SocketLimits(garbage_in_a_row=limit)
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world, world.client() as socket:
        for _ in range(100):
            await socket.send(frame)
        assert (await ask(socket, "Heartbeat"))[0] == 3


# --- pings --------------------------------------------------------------------------------------------------------

ATTENTIVE = SocketLimits(ping_every=QUICK, ping_timeout=2 * QUICK)


async def raw_station(world: World) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a WebSocket by hand, as one that never answers a ping."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port)
    basic = b64encode(f"{IDENTITY}:{OLD_KEY}".encode()).decode()
    lines = [
        f"GET /ocpp/{IDENTITY} HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {b64encode(bytes(16)).decode()}",
        "Sec-WebSocket-Protocol: ocpp1.6",
        f"Authorization: Basic {basic}",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert b" 101 " in await reader.readline()
    return reader, writer


async def test_a_socket_with_nobody_at_its_other_end_is_noticed_and_its_place_released(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    async with gateway_world(seeded, vault, tmp_path, limits=ATTENTIVE) as world:
        reader, writer = await raw_station(world)
        await world.heard(Fact.CONNECTED)
        assert (await place(world)).node == "node-1"
        async with asyncio.timeout(2):
            await world.heard(Fact.DISCONNECTED)
        assert (await place(world)).node is None
        with suppress(ConnectionResetError):
            assert b"\x89\x04" in await reader.read()  # it was asked: a ping with four bytes
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()


async def test_a_station_that_reads_nothing_any_more_is_noticed_too(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    """So much is on its way to it that the gateway can't even send its ping."""
    async with gateway_world(seeded, vault, tmp_path, limits=ATTENTIVE) as world, world.client() as socket:
        await world.heard(Fact.CONNECTED)
        socket.transport.pause_reading()
        held = world.gateway._sockets.all()[0]
        sending = asyncio.create_task(held.websocket.send("x" * 50_000_000))
        async with asyncio.timeout(3):
            await world.heard(Fact.DISCONNECTED)
        await asyncio.gather(sending, return_exceptions=True)
        socket.transport.abort()


async def test_a_station_that_answers_pings_stays(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    async with gateway_world(seeded, vault, tmp_path, limits=ATTENTIVE) as world, world.client() as socket:
        await asyncio.sleep(1)
        assert (await ask(socket, "Heartbeat"))[0] == 3


async def test_without_pings_nobody_is_asked(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    limits = SocketLimits(ping_every=timedelta(0), ping_timeout=timedelta(milliseconds=50))
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world:
        _, writer = await raw_station(world)
        await world.heard(Fact.CONNECTED)
        await asyncio.sleep(0.5)
        assert Fact.DISCONNECTED not in world.facts
        writer.close()
        await writer.wait_closed()
        await world.heard(Fact.DISCONNECTED)


# --- failed authentications -----------------------------------------------------------------------------------------


async def status(world: World, password: str, identity: str = IDENTITY, **how: Any) -> tuple[int, str | None]:
    """Give the status that an upgrade is answered with, and when to try again."""
    try:
        async with world.client(password, path=f"/ocpp/{identity}", user=identity, **how):
            return 101, None
    except InvalidStatus as answer:
        return answer.response.status_code, answer.response.headers.get("Retry-After")


async def test_who_guesses_one_identity_too_often_waits_a_minute_and_the_right_station_beside_it_does_not(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    clock = Clock()
    limits = SocketLimits(guesses_per_identity=3)
    async with gateway_world(seeded, vault, tmp_path, limits=limits, clock=clock) as world:
        for identity in ("NOBODY", IDENTITY):  # which of them exists can't be told
            for _ in range(3):
                assert (await status(world, "wrong", identity))[0] == HTTPStatus.UNAUTHORIZED
            assert await status(world, "wrong", identity) == (HTTPStatus.TOO_MANY_REQUESTS, "60")
            if identity == "NOBODY":
                assert (await status(world, OLD_KEY))[0] == HTTPStatus.SWITCHING_PROTOCOLS
        clock.now += 20.5
        assert await status(world, "wrong") == (HTTPStatus.TOO_MANY_REQUESTS, "40")
        clock.now += WINDOW - 20.5
        assert (await status(world, OLD_KEY))[0] == HTTPStatus.SWITCHING_PROTOCOLS
        assert (await status(world, "wrong"))[0] == HTTPStatus.UNAUTHORIZED


async def test_who_has_to_wait_costs_no_work_at_the_database(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    async with gateway_world(seeded, vault, tmp_path, limits=SocketLimits(guesses_per_identity=1)) as world:
        assert (await status(world, "wrong"))[0] == HTTPStatus.UNAUTHORIZED
        away = world.gateway._rule._db = Database(f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'x.db'}")
        assert (await status(world, "wrong"))[0] == HTTPStatus.TOO_MANY_REQUESTS
        assert (await status(world, OLD_KEY, additional_headers={}))[0] == HTTPStatus.UNAUTHORIZED
        await away.close()


async def test_many_guesses_at_once_are_no_way_round(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    async with gateway_world(seeded, vault, tmp_path, limits=SocketLimits(guesses_per_identity=3)) as world:
        found = await asyncio.gather(*(status(world, "wrong") for _ in range(12)))
        assert [code for code, _ in found].count(HTTPStatus.UNAUTHORIZED) == 3
        assert [code for code, _ in found].count(HTTPStatus.TOO_MANY_REQUESTS) == 9


async def test_neither_successes_nor_a_database_that_is_away_count(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = SocketLimits(guesses_per_identity=2, guesses_per_address=2)
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world:
        assert (await status(world, "wrong"))[0] == HTTPStatus.UNAUTHORIZED
        for _ in range(4):
            assert (await status(world, OLD_KEY))[0] == HTTPStatus.SWITCHING_PROTOCOLS
        there = world.gateway._rule._db
        away = world.gateway._rule._db = Database(f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'x.db'}")
        for _ in range(4):
            assert (await status(world, OLD_KEY))[0] == HTTPStatus.SERVICE_UNAVAILABLE
        world.gateway._rule._db = there
        await away.close()
        assert (await status(world, OLD_KEY))[0] == HTTPStatus.SWITCHING_PROTOCOLS


async def test_who_guesses_many_identities_waits_as_an_address(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    clock = Clock()
    limits = SocketLimits(guesses_per_identity=3, guesses_per_address=5)
    async with gateway_world(seeded, vault, tmp_path, limits=limits, clock=clock) as world:
        for number in range(5):
            assert (await status(world, "wrong", f"CP-{number}"))[0] == HTTPStatus.UNAUTHORIZED
        assert await status(world, "wrong", "CP-5") == (HTTPStatus.TOO_MANY_REQUESTS, "60")
        assert (await status(world, OLD_KEY))[0] == HTTPStatus.TOO_MANY_REQUESTS
        clock.now += WINDOW
        assert (await status(world, OLD_KEY))[0] == HTTPStatus.SWITCHING_PROTOCOLS


def fail(guesses: AuthThrottle, address: str, identity: str, times: int = 1) -> None:
    for _ in range(times):
        assert guesses.begin(address, identity, WRONG) == 0
        guesses.end(address, identity, failed=True)


def test_failures_that_are_further_apart_do_not_add_up() -> None:
    clock = Clock()
    guesses = AuthThrottle(SocketLimits(guesses_per_identity=3), clock)
    for _ in range(10):
        fail(guesses, "192.0.2.1", "A", 2)
        clock.now += WINDOW


def test_a_wait_that_was_only_asked_about_gets_no_longer() -> None:
    clock = Clock()
    guesses = AuthThrottle(SocketLimits(guesses_per_identity=1), clock)
    fail(guesses, "192.0.2.1", "A")
    for left in (60, 30, 0):
        assert guesses.begin("192.0.2.1", "A", WRONG) == left
        clock.now += 30


def test_the_same_identity_gets_in_from_another_address() -> None:
    guesses = AuthThrottle(SocketLimits(guesses_per_identity=1), Clock())
    fail(guesses, "192.0.2.1", "A")
    assert guesses.begin("192.0.2.1", "A", WRONG) > 0
    assert guesses.begin("192.0.2.2", "A", WRONG) == 0


def test_a_limit_of_zero_lets_everybody_guess() -> None:
    fail(AuthThrottle(SocketLimits(guesses_per_identity=0, guesses_per_address=0), Clock()), "192.0.2.1", "A", 5000)


def test_what_is_remembered_is_bounded_and_the_oldest_is_forgotten() -> None:
    guesses = AuthThrottle(SocketLimits(guesses_per_identity=1, guesses_per_address=0), Clock())
    for number in range(10_000):
        fail(guesses, "192.0.2.1", f"CP-{number}")
    assert len(guesses._pairs._found) == 4096
    assert guesses.begin("192.0.2.1", "CP-9999", WRONG) > 0
    assert guesses.begin("192.0.2.1", "CP-0", WRONG) == 0


def test_a_success_leaves_nothing_behind() -> None:
    guesses = AuthThrottle(SocketLimits(), Clock())
    for number in range(100):
        guesses.begin("192.0.2.1", f"CP-{number}", WRONG)
        guesses.end("192.0.2.1", f"CP-{number}", failed=False)
    assert not guesses._pairs._found


def test_a_block_is_told_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    guesses = AuthThrottle(SocketLimits(guesses_per_identity=2, guesses_per_address=3), Clock())
    for _ in range(2):  # at the same moment
        assert guesses.begin("192.0.2.1", "A", WRONG) == 0
    for _ in range(2):
        guesses.end("192.0.2.1", "A", failed=True)
    assert guesses.begin("192.0.2.1", "A", WRONG) > 0
    fail(guesses, "192.0.2.1", "B")
    assert guesses.begin("192.0.2.1", "C", WRONG) > 0
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2  # not one for each try
    assert "A at 192.0.2.1 fails" in told[0]
    assert "all there have to wait" in told[1]
