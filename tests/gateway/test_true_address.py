"""Where a charger comes from that is behind a proxy, and that nobody behind the same one locks it out."""

from base64 import b64encode
from collections.abc import AsyncIterator
from http import HTTPStatus
from ipaddress import ip_network
from pathlib import Path

import pytest
from sqlalchemy import select
from websockets.exceptions import InvalidStatus

from domain.proxies import NO_PROXIES, ForwardedHeader, Proxies
from gateway.auth_throttle import COMPARED, WINDOW, AuthThrottle
from gateway.socket_limits import SocketLimits
from persistence.session import Database
from persistence.tables import PresentConnection
from persistence.vault import Vault
from tests.gateway.world import IDENTITY, OLD_KEY, World, gateway_world, seed

HERE = Proxies((ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")))
CHARGER, STRANGER = "198.51.100.7", "203.0.113.9"
RIGHT, WRONG = OLD_KEY.encode(), b"wrong"


@pytest.fixture
async def seeded(sqlite_url: str, vault: Vault) -> AsyncIterator[Database]:
    """Which kind of database there is makes no difference to an address."""
    database = Database(sqlite_url)
    await seed(database, vault)
    yield database
    await database.close()


async def knock(world: World, password: bytes | str, *forwarded: tuple[str, str]) -> tuple[int, str | None]:
    """Give the status that an upgrade is answered with, and the address that is on record of one that is let in."""
    secret = password if isinstance(password, bytes) else password.encode()
    basic = b64encode(IDENTITY.encode() + b":" + secret).decode()
    headers = [("Authorization", f"Basic {basic}"), *forwarded]
    try:
        async with world.client(additional_headers=headers) as socket:
            await socket.send('[2,"1","Heartbeat",{}]')
            await socket.recv()  # it has its place
            async with world.database.reading() as rows:
                return HTTPStatus.SWITCHING_PROTOCOLS, await rows.scalar(select(PresentConnection.address))
    except InvalidStatus as answer:
        return answer.response.status_code, None


@pytest.mark.parametrize(
    ("proxies", "lines", "address"),
    [
        (HERE, [("X-Forwarded-For", f"192.0.2.1, {CHARGER}"), ("X-Forwarded-For", "10.0.0.1")], CHARGER),
        (HERE, [("X-Forwarded-For", "2001:db8:1:2:3:4:5:6")], "2001:db8:1:2::/64"),
        (HERE, [("Forwarded", f"for={CHARGER}")], "127.0.0.1"),
        (HERE, [], "127.0.0.1"),
        (Proxies(HERE.networks, ForwardedHeader.FORWARDED), [("Forwarded", f"for={CHARGER}")], CHARGER),
        (NO_PROXIES, [("X-Forwarded-For", CHARGER)], "127.0.0.1"),
        (Proxies((ip_network("10.0.0.0/8"),)), [("X-Forwarded-For", CHARGER)], "127.0.0.1"),
    ],
)
async def test_what_a_trusted_proxy_says_is_the_address_on_record_and_nobody_elses_word(
    seeded: Database,
    vault: Vault,
    tmp_path: Path,
    proxies: Proxies,
    lines: list[tuple[str, str]],
    address: str,
) -> None:
    async with gateway_world(seeded, vault, tmp_path, proxies=proxies) as world:
        assert await knock(world, OLD_KEY, *lines) == (HTTPStatus.SWITCHING_PROTOCOLS, address)


async def test_who_guesses_behind_a_trusted_proxy_holds_up_nobody_beside_them(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = SocketLimits(guesses_per_identity=2, guesses_per_address=2)
    async with gateway_world(seeded, vault, tmp_path, limits=limits, proxies=HERE) as world:
        stranger = ("X-Forwarded-For", f"{CHARGER}, {STRANGER}")
        for status in (HTTPStatus.UNAUTHORIZED,) * 2 + (HTTPStatus.TOO_MANY_REQUESTS,):
            assert (await knock(world, WRONG, stranger))[0] == status
        assert (await knock(world, RIGHT, stranger))[0] == HTTPStatus.TOO_MANY_REQUESTS
        assert (await knock(world, RIGHT, ("X-Forwarded-For", CHARGER)))[0] == HTTPStatus.SWITCHING_PROTOCOLS


async def test_another_header_is_no_way_round_where_nobody_is_trusted(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    async with gateway_world(seeded, vault, tmp_path, limits=SocketLimits(guesses_per_identity=2)) as world:
        statuses = [(await knock(world, WRONG, ("X-Forwarded-For", f"192.0.2.{one}")))[0] for one in range(3)]
        assert statuses == [HTTPStatus.UNAUTHORIZED] * 2 + [HTTPStatus.TOO_MANY_REQUESTS]


async def test_a_charger_that_was_here_comes_back_whatever_somebody_at_its_address_guessed(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    limits = SocketLimits(guesses_per_identity=2, guesses_per_address=3)
    async with gateway_world(seeded, vault, tmp_path, limits=limits) as world:
        assert (await knock(world, RIGHT))[0] == HTTPStatus.SWITCHING_PROTOCOLS
        statuses = [(await knock(world, WRONG))[0] for _ in range(6)]
        assert statuses == [HTTPStatus.UNAUTHORIZED] * 2 + [HTTPStatus.TOO_MANY_REQUESTS] * 4
        for _ in range(3):
            assert (await knock(world, RIGHT))[0] == HTTPStatus.SWITCHING_PROTOCOLS
        assert (await knock(world, WRONG))[0] == HTTPStatus.TOO_MANY_REQUESTS


async def test_an_old_key_that_opens_no_more_than_quarantine_is_not_looked_at_once_more(
    seeded: Database, vault: Vault, tmp_path: Path
) -> None:
    async with gateway_world(seeded, vault, tmp_path, limits=SocketLimits(guesses_per_identity=1)) as world:
        await world.order_key(quarantines_old=True)
        for _ in range(2):
            assert (await knock(world, RIGHT))[0] == HTTPStatus.SWITCHING_PROTOCOLS
        assert (await knock(world, WRONG))[0] == HTTPStatus.UNAUTHORIZED
        assert (await knock(world, RIGHT))[0] == HTTPStatus.TOO_MANY_REQUESTS


class Guesser:
    """Somebody at the address of charger A, which came with RIGHT before; one guess fails them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.throttle = AuthThrottle(SocketLimits(guesses_per_identity=1), lambda: self.now)
        self.throttle.learn("A", RIGHT, good=True)
        assert self.looked_at(WRONG)

    def looked_at(self, password: bytes) -> bool:
        if self.throttle.begin(STRANGER, "A", password):
            return False
        self.throttle.end(STRANGER, "A", failed=password != RIGHT)
        return True


def test_what_can_be_tried_at_one_identity_is_bounded() -> None:
    guesser = Guesser()
    assert not any(guesser.looked_at(WRONG) for _ in range(COMPARED - 1))
    assert guesser.looked_at(RIGHT)
    assert not guesser.looked_at(WRONG)
    assert not guesser.looked_at(RIGHT), "or a guess that is right would show itself, however many there were"
    guesser.now += WINDOW
    assert guesser.looked_at(WRONG)
    assert guesser.looked_at(RIGHT)


def test_a_password_that_opens_nothing_any_more_is_not_looked_at_once_more() -> None:
    guesser = Guesser()
    guesser.throttle.learn("A", WRONG, good=False)
    assert guesser.looked_at(RIGHT)
    guesser.throttle.learn("A", RIGHT, good=False)
    assert not guesser.looked_at(RIGHT)


def test_no_password_is_kept() -> None:
    assert RIGHT not in Guesser().throttle._good.values()
