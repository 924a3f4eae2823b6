"""How Temporal is reached: whose word goes first, and what can't be used."""

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from engine.connection import BadConnection, read_connection, read_namespace
from settings import read_settings
from tests.mutual_tls import API_KEY, NOTHING, Authority, of_client

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
