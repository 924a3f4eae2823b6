"""How Temporal is reached: whose word goes first, what can't be used, and mutual TLS before the real dev server."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from domain.errors import Unavailable
from settings import read_settings
from tests.mutual_tls import API_KEY, Authority, Door
from workflows.connection import BadConnection, Connection, read_connection, read_namespace

#: Of an operator's machine nothing is to count.
NOTHING = {"TEMPORAL_CONFIG_FILE": os.devnull}
PROFILES = """
[profile.default]
address = "profile.example:7233"
namespace = "of-the-profile"

[profile.cloud]
address = "cloud.example:7233"
api_key = "toast1oscat2seat"
[profile.cloud.tls]
client_cert_path = "client.crt"
client_key_path = "client.key"
"""


@pytest.fixture
def profiles(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "temporal.toml").write_text(PROFILES.replace("client.", f"{tmp_path}/client."))
    return {"TEMPORAL_CONFIG_FILE": str(tmp_path / "temporal.toml")}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whose certificate `client` is in the test's folder."""
    made = Authority(tmp_path, "authority")
    made.issue("client")
    return made


@pytest.fixture
async def door(temporal_address: str, authority: Authority) -> AsyncIterator[Door]:
    made = Door(int(temporal_address.rpartition(":")[2]), authority.issue("server"), authority.file)
    async with made.listening():
        yield made


def of_client(folder: Path, name: str = "client", authority: str = "authority") -> dict[str, str]:
    """Give the variables of whoever has a certificate."""
    return NOTHING | {
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(folder / f"{authority}.crt"),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(folder / f"{name}.crt"),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(folder / f"{name}.key"),
    }


# --- whose word goes first ----------------------------------------------------------------------------------------


def test_ours_goes_before_the_environment_that_before_the_profile_and_that_before_the_default(
    profiles: dict[str, str],
) -> None:
    environ = profiles | {"TEMPORAL_ADDRESS": "environment.example:7233", "TEMPORAL_NAMESPACE": "of-the-environment"}

    found = [read_connection("ours.example:7233", "ours", environ)]
    found += [read_connection(environ=one) for one in (environ, profiles, NOTHING)]

    assert [(one.address, one.namespace) for one in found] == [
        ("ours.example:7233", "ours"),
        ("environment.example:7233", "of-the-environment"),
        ("profile.example:7233", "of-the-profile"),
        ("127.0.0.1:7233", "default"),
    ]


def test_a_setting_that_nobody_made_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDOVER_TEMPORAL_ADDRESS", raising=False)
    monkeypatch.setenv("HANDOVER_TEMPORAL_NAMESPACE", "")
    settings = read_settings()
    assert read_connection(settings.temporal_address, settings.temporal_namespace, NOTHING).namespace == "default"
    assert settings.temporal_address is None
    monkeypatch.setenv("HANDOVER_TEMPORAL_ADDRESS", "ours.example:7233")
    assert read_settings().temporal_address == "ours.example:7233"


def test_a_variable_that_is_empty_is_not_set() -> None:
    empty = dict.fromkeys(("TEMPORAL_ADDRESS", "TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_TLS_SERVER_NAME"), "")
    assert read_connection(environ=NOTHING | empty) == read_connection(environ=NOTHING)


def test_a_key_alone_means_tls_and_nothing_shows_it(profiles: dict[str, str], authority: Authority) -> None:
    alone = read_connection(environ=NOTHING | {"TEMPORAL_API_KEY": API_KEY})
    profile = read_connection(environ=profiles | {"TEMPORAL_PROFILE": "cloud"})
    assert (alone.tls, alone.api_key, profile.api_key) == (True, API_KEY, API_KEY)
    assert API_KEY not in f"{alone!r} {profile!r}"
    assert "PRIVATE" not in repr(profile)


def test_the_namespace_alone_needs_no_certificate(profiles: dict[str, str]) -> None:
    assert read_namespace(environ=profiles | {"TEMPORAL_PROFILE": "cloud", "TEMPORAL_NAMESPACE": "ours"}) == "ours"


# --- what can't be used -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"TEMPORAL_CONFIG_FILE": "/nowhere.toml"}, "There is no /nowhere.toml; correct TEMPORAL_CONFIG_FILE"),
        ({"TEMPORAL_CONFIG_FILE": "/"}, "/ can't be read"),
        ({"TEMPORAL_PROFILE": "clod"}, "Profile 'clod' not found; correct TEMPORAL_PROFILE"),
        ({"TEMPORAL_PROFILE": "cloud"}, r"client\.crt can't be read \(No such file.*TEMPORAL_TLS_…_PATH"),
        ({"TEMPORAL_TLS_CLIENT_KEY_DATA": "secret"}, "together, or neither"),
        ({"TEMPORAL_TLS_SERVER_CA_CERT_DATA": "secret"}, "SERVER_CA_CERT_… gives is no PEM"),
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/x", "TEMPORAL_TLS_CLIENT_CERT_DATA": "secret"}, "Cannot specify both"),
        ({"TEMPORAL_ADDRESS": "https://cloud.example"}, "no address, like .*correct HANDOVER_TEMPORAL_ADDRESS, or"),
        ({"TEMPORAL_API_KEY": "two secret lines\n"}, "correct TEMPORAL_API_KEY"),
    ],
)
def test_what_can_not_be_used_is_named_with_what_to_do(
    profiles: dict[str, str], environ: dict[str, str], says: str
) -> None:
    with pytest.raises(BadConnection, match=says) as refused:
        read_connection(environ=profiles | environ)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("line", ['api_key = "secret', 'api_kye = "secret"', 'tls = "secret"', 'api_key = ["secret"]'])
def test_a_line_that_is_wrong_is_counted_and_not_shown(tmp_path: Path, line: str) -> None:
    (tmp_path / "temporal.toml").write_text(f"[profile.default]\n{line}\n")
    with pytest.raises(BadConnection, match=r"Line 2 of .*temporal.toml") as refused:
        read_connection(environ={"TEMPORAL_CONFIG_FILE": str(tmp_path / "temporal.toml")})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("wrong", ["of another certificate", "with a pass phrase"])
def test_a_certificate_comes_with_its_own_key(tmp_path: Path, authority: Authority, wrong: str) -> None:
    key = authority.issue("other").key
    if wrong == "with a pass phrase":
        plain = load_pem_private_key((tmp_path / "client.key").read_bytes(), None)
        key.write_bytes(plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    shutil.copy(key, tmp_path / "client.key")
    with pytest.raises(BadConnection, match="no PEM certificate and its own key"):
        read_connection(environ=of_client(tmp_path))


# --- mutual TLS ---------------------------------------------------------------------------------------------------


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
