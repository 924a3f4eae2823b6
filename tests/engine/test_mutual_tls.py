"""Mutual TLS before the real dev server: who gets in, and what who does not is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.errors import Unavailable
from engine.connection import Connection, read_connection
from tests.engine.test_connection import authority, profiles
from tests.mutual_tls import API_KEY, NOTHING, Authority, Door, of_client

__all__ = ["authority", "profiles"]


@pytest.fixture
async def door(temporal_address: str, authority: Authority) -> AsyncIterator[Door]:
    made = Door(int(temporal_address.rpartition(":")[2]), authority.issue("server"), authority.file)
    async with made.listening():
        yield made


async def test_who_has_a_certificate_gets_in_and_brings_the_key(tmp_path: Path, door: Door) -> None:
    environ = of_client(tmp_path) | {"TEMPORAL_API_KEY": API_KEY}

    client = await read_connection(f"127.0.0.1:{door.port}", environ=environ).open()
    later = await read_connection(f"localhost:{door.port}", environ=environ).open_later()

    assert await client.service_client.check_health()
    assert await later.service_client.check_health()
    assert door.names == {"client"}
    assert door.heard(API_KEY)
    assert not door.heard(API_KEY[::-1])


async def test_a_profile_does_the_same(profiles: dict[str, str], tmp_path: Path, door: Door) -> None:
    environ = profiles | {"TEMPORAL_PROFILE": "cloud", "TEMPORAL_TLS_SERVER_CA_CERT_PATH": f"{tmp_path}/authority.crt"}

    await read_connection(f"127.0.0.1:{door.port}", "default", environ).open()

    assert door.names == {"client"}
    assert door.heard(API_KEY)


async def test_who_has_none_stays_out_and_reads_why(
    tmp_path: Path, door: Door, temporal_address: str, authority: Authority
) -> None:
    Authority(tmp_path, "elsewhere").issue("stranger")
    without = NOTHING | {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.file)}
    there, keyed = f"127.0.0.1:{door.port}", {"TEMPORAL_API_KEY": API_KEY}
    for address, environ, says in (
        (there, NOTHING, "closes the connection"),
        (there, keyed | without, "closes the connection"),
        (there, keyed | of_client(tmp_path, "stranger"), "closes the connection"),
        (there, keyed | of_client(tmp_path, authority="elsewhere"), "its certificate is not accepted: UnknownIssuer"),
        (there, keyed | of_client(tmp_path) | {"TEMPORAL_TLS_SERVER_NAME": "x"}, "not accepted: NotValidForName"),
        (temporal_address, keyed | without, "it speaks no TLS"),
    ):
        with pytest.raises(Unavailable, match=rf"does not answer at {address} \(.*{says}.* TEMPORAL_… sets"):
            await read_connection(address, environ=environ).open()
    assert door.names == set()
    assert not door.heard(API_KEY)


@pytest.mark.parametrize(
    ("seen", "said"),
    [  # what the SDK makes of server 1.30.4: without a certificate, with a stranger's, and without a claim
        ('hyper::Error(Io, Custom { error: "received fatal alert: CertificateRequired" })', "CertificateRequired"),
        ('hyper::Error(Io, Custom { error: "received fatal alert: UnknownCA" })', "client certificate: UnknownCA"),
        ("after connection: Status { code: Cancelled, source: Some(hyper::Error(Io, Kind(ConnectionReset)))", "closes"),
        ('Status { code: PermissionDenied, message: "Request unauthorized." }', "the API key .*: PermissionDenied"),
        ('Invalid headers: Invalid ASCII header value for key x: "secret"', "TEMPORAL_GRPC_META_… sets is no header"),
    ],
)
def test_what_a_server_says_is_told_in_our_words(seen: str, said: str) -> None:
    with pytest.raises(Unavailable, match=said) as away:
        raise Connection()._away(f"Failed client connect: {seen}")
    assert "secret" not in str(away.value)


async def test_nobody_there_and_a_namespace_that_is_not_are_told_apart(temporal_address: str) -> None:
    with pytest.raises(Unavailable, match=r"does not answer at 127\.0\.0\.1:9; start it"):
        await read_connection("127.0.0.1:9", environ=NOTHING).open()
    with pytest.raises(Unavailable, match="has no namespace of-nobody"):
        await read_connection(temporal_address, "of-nobody", NOTHING).open()
