"""Who is let in: identity, password, path, subprotocol; and what a stranger can tell from the answers."""

import asyncio
from base64 import b64encode
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode
from websockets.http11 import Response

from domain.charger import CommandOutcome, OcppVersion
from domain.ids import NodeId
from gateway.facts import Fact
from gateway.server import PortTaken
from gateway.socket_limits import SocketLimits
from persistence.chargers import credentials, present_connections
from persistence.session import Database
from persistence.vault import Vault
from tests.gateway.world import CP, IDENTITY, OLD_KEY, World, gateway_world, keys, seed
from tools.simulator.faults import Fault
from tools.simulator.simulation import Version


async def answer(world: World, password: bytes | str = OLD_KEY, **how: Any) -> Response:
    """Give the answer to an upgrade that is not let in."""
    with pytest.raises(InvalidStatus) as caught:
        async with world.client(password, **how):
            pass
    return caught.value.response


async def test_a_stranger_and_a_wrong_password_get_the_same_answer(world: World) -> None:
    wrong = await answer(world, "wrong")
    stranger = await answer(world, "wrong", path="/ocpp/NOBODY", user="NOBODY")
    none = await answer(world, additional_headers={})
    garbage = await answer(world, additional_headers={"Authorization": "Basic %%%"})
    bearer = await answer(world, additional_headers={"Authorization": "Bearer x"})
    for response in (wrong, stranger, none, garbage, bearer):
        assert response.status_code == HTTPStatus.UNAUTHORIZED
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert response.body == wrong.body
    assert world.facts == []


@pytest.mark.parametrize(
    ("path", "user"),
    [(IDENTITY.lower(), IDENTITY), (IDENTITY, IDENTITY.title()), (IDENTITY.lower(), IDENTITY.lower())],
)
async def test_an_identity_is_known_in_any_case(world: World, path: str, user: str) -> None:
    async with world.client(OLD_KEY, path=f"/ocpp/{path}", user=user):
        pass
    assert await world.refuses("wrong", path=f"/ocpp/{path}", user=user)


async def test_guesses_at_an_identity_count_together_however_it_is_spelled(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault)
    limits = SocketLimits(guesses_per_identity=2)
    async with gateway_world(database, vault, tmp_path, limits=limits) as world:
        for user in (IDENTITY, IDENTITY.lower()):
            assert await world.refuses("wrong", path="/ocpp", user=user)
        assert (await answer(world, "wrong", path="/ocpp", user=IDENTITY.title())).status_code == 429


async def test_what_resembles_an_identity_elsewhere_than_in_ascii_is_a_strangers(world: World) -> None:
    """The upper case of a long s is an S."""
    assert await world.refuses(OLD_KEY, path="/ocpp", user=IDENTITY.replace("S", "\u017f"))


async def test_path_and_user_name_must_agree(world: World) -> None:
    assert await world.refuses(OLD_KEY, user="SOMEBODY-ELSE")
    assert await world.refuses(OLD_KEY, path="/ocpp/SOMEBODY-ELSE")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ocpp",
        "/ocpp/",
        f"/ocpp/{IDENTITY}",
        f"/ocpp/{IDENTITY}?x=1",
        f"/ocpp//{IDENTITY}",
        f"//ocpp/{IDENTITY}//",
        f"/OCPP/{IDENTITY}",
    ],
)
async def test_without_a_path_the_user_name_says_who_it_is(world: World, path: str) -> None:
    async with world.client(path=path):
        await world.heard(Fact.CONNECTED)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/other", HTTPStatus.NOT_FOUND),
        ("/ocpp/a/b", HTTPStatus.NOT_FOUND),
        ("/ocpp/%00", HTTPStatus.BAD_REQUEST),
        ("/ocpp/%ff", HTTPStatus.BAD_REQUEST),
        (f"/ocpp/{'x' * 300}", HTTPStatus.BAD_REQUEST),
    ],
)
async def test_bad_paths_are_said_to_be_bad(world: World, path: str, status: HTTPStatus) -> None:
    assert (await answer(world, path=path)).status_code == status


async def test_without_a_common_subprotocol_the_handshake_is_completed_and_the_connection_closed(world: World) -> None:
    for offered in (None, ["ocpp2.1"]):
        async with world.client(subprotocols=offered) as socket:
            assert socket.subprotocol is None
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == CloseCode.PROTOCOL_ERROR
        assert "ocpp2.0.1 or ocpp1.6" in closed.value.rcvd.reason
    assert world.facts == []
    async with world.database.reading() as rows:
        assert (await present_connections.whereabouts(rows, CP)).generation == 0


@pytest.mark.parametrize("ocpp", list(OcppVersion))
async def test_what_offers_no_subprotocol_speaks_the_one_that_is_set_where_one_is(
    database: Database, vault: Vault, tmp_path: Path, ocpp: Version
) -> None:
    await seed(database, vault)
    set_so = gateway_world(database, vault, tmp_path, without_subprotocol=OcppVersion(ocpp))
    async with set_so as world, world.station(ocpp=ocpp, faults=[Fault.NO_SUBPROTOCOL]) as station:
        await station.until(lambda: station.online)
        assert await world.gateway.orders.quiet(CP, stop_session=False) is CommandOutcome.DONE
        async with world.client(subprotocols=["ocpp2.1"]) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()


async def test_of_what_is_offered_the_newest_is_spoken(world: World) -> None:
    for offered in (["ocpp1.6"], ["ocpp1.6", "ocpp2.0.1"]):
        async with world.client(subprotocols=offered) as socket:
            assert socket.subprotocol == offered[-1]


async def test_plain_http_is_no_proof(world: World) -> None:
    key = await world.order_key()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port)
    basic = b64encode(f"{IDENTITY}:{key}".encode()).decode()
    writer.write(f"GET /ocpp/{IDENTITY} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n\r\n".encode())
    assert b" 426 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert "pending" in await keys(world.database)


async def test_revoked_credentials_open_nothing_and_their_socket_is_closed_for_good(world: World) -> None:
    key = await world.order_key()
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        async with world.database.writing() as rows:
            await credentials.revoke_all(rows, CP, datetime.now(UTC))
        await world.gateway.orders.disconnect(CP)
        await socket.wait_closed()
        assert socket.close_code == 1008
    assert await world.refuses(OLD_KEY)
    assert await world.refuses(key)
    assert all(row.sealed_key is None for row in (await keys(world.database)).values())


async def test_a_charger_that_is_only_to_come_back_is_told_so(world: World) -> None:
    async with world.client() as socket:
        await world.heard(Fact.CONNECTED)
        await world.gateway.orders.disconnect(CP)
        await socket.wait_closed()
        assert socket.close_code == 1012


async def test_while_the_database_is_away_chargers_are_told_to_try_again(tmp_path: Path, world: World) -> None:
    away = Database(f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'x.db'}")
    world.gateway._rule._db = away
    assert (await answer(world)).status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert (await answer(world, "wrong")).status_code == HTTPStatus.SERVICE_UNAVAILABLE
    await away.close()


async def test_a_taken_port_is_one_clear_sentence(world: World) -> None:
    with pytest.raises(PortTaken, match=f"can't listen on 127.0.0.1:{world.gateway.port}; free the port"):
        async with gateway_world(world.database, world.vault, world.folder, port=world.gateway.port):
            pass
    async with world.client():
        await world.heard(Fact.CONNECTED)


async def test_a_node_clears_at_its_start_what_it_held_when_it_died(
    database: Database, vault: Vault, tmp_path: Path
) -> None:
    await seed(database, vault)
    async with database.writing() as rows:
        await present_connections.claim(
            rows,
            CP,
            NodeId("node-1"),
            credential_id="key",
            address="192.0.2.1",
            quarantined=False,
            now=datetime.now(UTC),
        )
    async with gateway_world(database, vault, tmp_path), database.reading() as rows:
        assert (await present_connections.whereabouts(rows, CP)).node is None


async def test_a_stop_brings_chargers_back_and_leaves_no_row(database: Database, vault: Vault, tmp_path: Path) -> None:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path) as world:
        socket = await world.client()
        await world.heard(Fact.CONNECTED)
    assert socket.close_code == 1012
    assert world.facts[-1] is Fact.DISCONNECTED
    async with database.reading() as rows:
        assert (await present_connections.whereabouts(rows, CP)).node is None
