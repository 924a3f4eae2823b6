"""What a TCP proxy says before all else, in both versions; and what somebody makes up, says slowly or not at all."""

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from domain.proxies import NO_PROXIES, Proxies
from gateway.proxy_protocol import BadHeader, Said, read_header
from gateway.socket_limits import SocketLimits
from gateway.tls import Certificate
from persistence.session import Database
from persistence.tables import PresentConnection
from persistence.vault import Vault
from settings import WrongSetting, read_settings
from tests.gateway.test_tls import make
from tests.gateway.world import IDENTITY, OLD_KEY, World, gateway_world, seed

HERE = Proxies((ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")))
CHARGER, CHARGER_6 = "198.51.100.7", "2001:db8:1:2::7"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = f"PROXY TCP4 {CHARGER} 192.0.2.1 4711 9000\r\n".encode()


def second(family: int, source: str, *, command: int = 0x21, rest: bytes = b"") -> bytes:
    """Give a header of version 2, with a destination of the same family and ports."""
    packed = ip_address(source).packed
    body = packed + packed[::-1] + b"\x12\x67\x23\x28" + rest
    return SIGNATURE + bytes([command, family]) + len(body).to_bytes(2, "big") + body


def read(text: bytes) -> Said:
    """Read as the gateway does: never more than is asked for."""
    begin = b""
    while isinstance(found := read_header(begin), int):
        assert len(begin) < found <= len(text), "it waits for what is not the header's"
        begin = text[:found]
    assert begin == text
    return found


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (LINE, CHARGER),
        (f"PROXY TCP6 {CHARGER_6} ::1 0 65535\r\n".encode(), CHARGER_6),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
        (second(0x11, CHARGER), CHARGER),
        (second(0x21, CHARGER_6), CHARGER_6),
        (second(0x11, CHARGER, rest=b"\x03\x00\x04abcd"), CHARGER),
        (second(0x11, CHARGER, rest=b"x" * 4000), CHARGER),
        (second(0x11, CHARGER, command=0x20), None),
        (SIGNATURE + b"\x20\x00\x00\x00", None),
        (SIGNATURE + b"\x21\x00\x00\x00", None),
        (second(0x12, CHARGER), None),
        (SIGNATURE + b"\x21\x31\x00\xd8" + b"/" * 216, None),
    ],
)
def test_a_header_is_read_to_its_last_byte_and_no_further(header: bytes, source: str | None) -> None:
    assert read(header) == Said(source)


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 4711\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 9000 1\r\n",
        b"PROXY TCP4  198.51.100.7 192.0.2.1 4711 9000\r\n",
        b"PROXY TCP4 2001:db8::1 192.0.2.1 4711 9000\r\n",
        b"PROXY TCP6 198.51.100.7 192.0.2.1 4711 9000\r\n",
        b"PROXY TCP4 198.51.100.7 nowhere 4711 9000\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 -1 9000\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 65536\r\n",
        b"PROXY UDP4 198.51.100.7 192.0.2.1 4711 9000\r\n",
        b"PROXY UNKNOWN " + b"x" * 120 + b"\r\n",
        SIGNATURE + b"\x11\x11\x00\x0c" + b"x" * 12,
        SIGNATURE + b"\x22\x11\x00\x0c" + b"x" * 12,
        SIGNATURE + b"\x21\x11\x00\x0b" + b"x" * 11,
        SIGNATURE + b"\x21\x21\x00\x0c" + b"x" * 12,
        SIGNATURE + b"\x21\x11\xff\xff" + b"x" * 65535,
    ],
)
def test_what_is_no_header_is_refused(text: bytes) -> None:
    with pytest.raises(BadHeader):
        read(text)


# --- at the gateway -----------------------------------------------------------------------------------------------


@pytest.fixture
async def seeded(sqlite_url: str, vault: Vault) -> AsyncIterator[Database]:
    """Which kind of database there is makes no difference to a header."""
    database = Database(sqlite_url)
    await seed(database, vault)
    yield database
    await database.close()


@asynccontextmanager
async def charger(
    world: World, begin: bytes, *more: tuple[str, str], trust: ssl.SSLContext | None = None
) -> AsyncIterator[ClientConnection]:
    """Connect as a charger does behind a TCP proxy, which begins with something."""
    basic = b64encode(f"{IDENTITY}:{OLD_KEY}".encode()).decode()
    link = socket.create_connection(("127.0.0.1", world.gateway.port))
    link.sendall(begin)
    async with connect(
        f"{'wss' if trust else 'ws'}://localhost:{world.gateway.port}/ocpp/{IDENTITY}",
        sock=link,
        ssl=trust,
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers=[("Authorization", f"Basic {basic}"), *more],
        proxy=None,
        close_timeout=1,
    ) as found:
        yield found


async def address_of(world: World, begin: bytes, *more: tuple[str, str], **how: Any) -> str | None:
    """Give the address that is on record of a charger that comes so."""
    async with charger(world, begin, *more, **how) as found:
        await found.send('[2,"1","Heartbeat",{}]')
        await found.recv()  # it has its place
        async with world.database.reading() as rows:
            return await rows.scalar(select(PresentConnection.address))


FORWARDED = ("X-Forwarded-For", "203.0.113.9")


@pytest.mark.parametrize(
    ("begin", "more", "address"),
    [
        (LINE, (), CHARGER),
        (LINE, (FORWARDED,), CHARGER),
        (second(0x21, CHARGER_6, rest=b"\x04\0\0"), (), "2001:db8:1:2::/64"),
        (second(0x11, "10.0.0.9"), (FORWARDED,), "203.0.113.9"),
        (b"PROXY UNKNOWN\r\n", (FORWARDED,), "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("tls", [False, True])
async def test_what_a_trusted_proxy_begins_with_is_the_address_on_record_before_tls_too(
    seeded: Database,
    vault: Vault,
    tmp_path: Path,
    begin: bytes,
    more: tuple[tuple[str, str], ...],
    address: str,
    tls: bool,
) -> None:
    make(tmp_path)
    certificate = Certificate(tmp_path / "gateway.crt", tmp_path / "gateway.key") if tls else None
    trust = ssl.create_default_context(cafile=str(tmp_path / "gateway.crt")) if tls else None
    options: dict[str, Any] = {"proxies": HERE, "proxy_protocol": True, "certificate": certificate}
    async with gateway_world(seeded, vault, tmp_path, **options) as world:
        assert await address_of(world, begin, *more, trust=trust) == address


async def test_whoever_is_no_trusted_proxy_begins_without_a_header(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    proxies = Proxies((ip_network("10.0.0.0/8"),))
    async with gateway_world(seeded, vault, tmp_path, proxies=proxies, proxy_protocol=True) as world:
        assert await address_of(world, b"", FORWARDED) == "127.0.0.1"
        assert await answer_to(world, LINE + b"GET / HTTP/1.1\r\n\r\n") == b""


async def test_unless_it_is_set_nobody_begins_with_a_header(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    async with gateway_world(seeded, vault, tmp_path, proxies=HERE) as world:
        assert await answer_to(world, LINE + b"GET / HTTP/1.1\r\n\r\n") == b""


async def answer_to(world: World, begin: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port)
    writer.write(begin)
    async with asyncio.timeout(30):
        try:
            answer = await reader.read()
        except ConnectionResetError:
            answer = b""
    writer.close()
    return answer


@pytest.mark.parametrize("begin", [b"", b"PROXY TCP4 ", SIGNATURE + b"\x21\x11\x00\x0c1", b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_proxy_that_says_no_header_in_time_is_cut_off_and_others_are_not(
    seeded: Database, vault: Vault, tmp_path: Path, begin: bytes
) -> None:
    limits = SocketLimits(upgrade_within=timedelta(milliseconds=300))
    async with (
        gateway_world(seeded, vault, tmp_path, limits=limits, proxies=HERE, proxy_protocol=True) as world,
        charger(world, LINE) as found,
    ):
        assert await answer_to(world, begin) == b""
        await (await found.ping())


async def test_those_who_say_nothing_are_bounded_before_their_header_too(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = SocketLimits(silent_at_once=3, upgrade_within=timedelta(hours=1))
    async with gateway_world(seeded, vault, tmp_path, limits=limits, proxies=HERE, proxy_protocol=True) as world:
        first = asyncio.create_task(answer_to(world, b"PROXY"))
        links = [await asyncio.open_connection("127.0.0.1", world.gateway.port) for _ in range(9)]
        assert await first == b""
        assert await address_of(world, LINE) == CHARGER
        for _, writer in links:
            writer.close()


async def test_a_plain_call_is_answered_behind_its_header(seeded: Database, vault: Vault, tmp_path: Path) -> None:
    async with gateway_world(seeded, vault, tmp_path, proxies=HERE, proxy_protocol=True) as world:
        answer = await answer_to(world, LINE + b"GET /ocpp/X HTTP/1.1\r\nHost: here\r\n\r\n")
        assert answer.startswith(f"HTTP/1.1 {HTTPStatus.UPGRADE_REQUIRED}".encode())


def test_it_takes_proxies_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOVER_GATEWAY_PROXY_PROTOCOL", "true")
    with pytest.raises(WrongSetting, match="HANDOVER_TRUSTED_PROXIES"):
        read_settings()
    monkeypatch.setenv("HANDOVER_TRUSTED_PROXIES", "10.0.0.1")
    assert read_settings().gateway_proxy_protocol
    assert read_settings().proxies != NO_PROXIES
