"""Security profile 2: wss with a certificate of one's own, and what happens when its files change."""

import asyncio
import os
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from gateway.facts import Fact
from gateway.tls import BadCertificate, Certificate
from persistence.session import Database
from persistence.vault import Vault
from settings import WrongSetting, read_settings
from tests.gateway.bare import ask
from tests.gateway.world import IDENTITY, OLD_KEY, World, gateway_world, seed

OFTEN = timedelta(milliseconds=20)


@pytest.fixture
async def seeded(sqlite_url: str, vault: Vault) -> AsyncIterator[Database]:
    """Which kind of database there is makes no difference to TLS."""
    database = Database(sqlite_url)
    await seed(database, vault)
    yield database
    await database.close()


@pytest.fixture
def cert(tmp_path: Path) -> Path:
    make(tmp_path)
    return tmp_path / "gateway.crt"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "gateway.key"


def make(folder: Path, name: str = "first", encryption: KeySerializationEncryption | None = None) -> None:
    """Write a certificate for this machine, called `name`, and its key; names differ in length, so sizes do, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(hosts, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "gateway.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "gateway.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    )


def station(world: World, trusted: Path, host: str = "localhost") -> connect:
    """Open a station's wss connection that trusts this certificate only."""
    trust = ssl.create_default_context(cafile=trusted)
    basic = b64encode(f"{IDENTITY}:{OLD_KEY}".encode()).decode()
    return connect(
        f"wss://{host}:{world.gateway.port}/ocpp/{IDENTITY}",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": f"Basic {basic}"},
        ssl=trust,
        proxy=None,
        close_timeout=1,
    )


def shaken(certificate: Certificate, host: str, highest: ssl.TLSVersion) -> ssl.SSLObject:
    """Give a client's side of a handshake, done in memory, that can no more than `highest` and trusts everybody."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode, trust.maximum_version = False, ssl.CERT_NONE, highest
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(to_client, to_server, server_hostname=host)
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return client


def name_of(client: ssl.SSLObject) -> str | bytes:
    """Give the name in the certificate that a client was shown."""
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


def shown(certificate: Certificate, host: str = "localhost") -> str | bytes:
    return name_of(shaken(certificate, host, ssl.TLSVersion.TLSv1_3))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])  # with a server name in the handshake, and without
async def test_with_a_certificate_it_speaks_wss_and_no_ws(
    seeded: Database, vault: Vault, tmp_path: Path, cert: Path, key: Path, host: str
) -> None:
    async with gateway_world(seeded, vault, tmp_path, certificate=Certificate(cert, key)) as world:
        async with station(world, cert, host) as socket:
            assert (await ask(socket, "Heartbeat"))[0] == 3
            assert socket.transport.get_extra_info("ssl_object").version() == "TLSv1.3"
        await world.heard(Fact.DISCONNECTED)
        with pytest.raises((InvalidMessage, OSError)):
            async with world.client():
                pass
        with pytest.raises(ssl.SSLCertVerificationError):
            async with station(world, _somebody_elses(tmp_path), host):
                pass


def _somebody_elses(folder: Path) -> Path:
    (folder / "other").mkdir()
    make(folder / "other")
    return folder / "other" / "gateway.crt"


def test_nothing_older_than_tls_1_2_is_spoken(cert: Path, key: Path) -> None:
    certificate = Certificate(cert, key)
    assert certificate.context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert shaken(certificate, "localhost", ssl.TLSVersion.TLSv1_2).version() == "TLSv1.2"


async def test_a_changed_certificate_counts_for_new_connections_without_a_restart(
    seeded: Database, vault: Vault, tmp_path: Path, cert: Path, key: Path
) -> None:
    certificate = Certificate(cert, key)
    async with (
        gateway_world(seeded, vault, tmp_path, certificate=certificate, sweep_every=OFTEN) as world,
        station(world, cert) as first,
    ):
        make(tmp_path, "the second")
        async with asyncio.timeout(5):
            while shown(certificate) == "first":
                await asyncio.sleep(0.02)
        async with station(world, cert) as second:
            assert name_of(second.transport.get_extra_info("ssl_object")) == "the second"
            await asyncio.wait_for(first.wait_closed(), 5)  # by the newer one, no sooner
        assert first.close_code == CloseCode.NORMAL_CLOSURE


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])  # with a server name in the handshake, and without
@pytest.mark.parametrize("broken", ["half a file", None, "a certificate of another key"])
def test_a_broken_new_file_leaves_the_old_certificate_in_use_and_says_so(
    tmp_path: Path, cert: Path, key: Path, host: str, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, first_key = Certificate(cert, key), key.read_text()
    make(tmp_path, "the second")
    key.write_text(first_key)
    if broken is None:
        cert.unlink()
    elif broken == "half a file":
        cert.write_text(cert.read_text()[:100])
    for _ in range(3):
        certificate.look()
    [told] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "the one before stays in use" in told
    assert "HANDOVER_GATEWAY_TLS_CERT" in told
    assert shown(certificate, host) == "first"
    make(tmp_path, "this is the third")
    certificate.look()
    assert shown(certificate, host) == "this is the third"


def test_files_that_can_not_be_used_are_named_at_the_start(tmp_path: Path, cert: Path, key: Path) -> None:
    with pytest.raises(BadCertificate, match=r"missing.crt or .* can't be read \(No such file.*GATEWAY_TLS_KEY"):
        Certificate(tmp_path / "missing.crt", key)
    with pytest.raises(BadCertificate, match=r"gateway.crt are no PEM certificate and its own key"):
        Certificate(cert, cert)
    make(tmp_path, encryption=BestAvailableEncryption(b"a pass phrase"))
    with pytest.raises(BadCertificate, match="without a pass phrase"):
        Certificate(cert, key)


@pytest.mark.parametrize("alone", ["HANDOVER_GATEWAY_TLS_CERT", "HANDOVER_GATEWAY_TLS_KEY"])
def test_one_of_the_two_settings_alone_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, alone: str
) -> None:
    for name in [name for name in os.environ if name.startswith("HANDOVER_GATEWAY_TLS")]:
        monkeypatch.delenv(name)
    assert read_settings().gateway_tls_key is None
    monkeypatch.setenv(alone, "/etc/handover/file.pem")
    with pytest.raises(
        WrongSetting, match=r"HANDOVER_GATEWAY_TLS_KEY: .*set it together with HANDOVER_GATEWAY_TLS_CERT"
    ):
        read_settings()


@pytest.mark.parametrize(("host", "proxied"), [("0.0.0.0", False), ("0.0.0.0", True), ("127.0.0.1", False)])
async def test_an_open_line_is_warned_of_at_the_start_but_for_this_machine_alone(
    world: World, caplog: pytest.LogCaptureFixture, host: str, proxied: bool
) -> None:
    folder = world.folder / "another"
    async with gateway_world(world.database, world.vault, folder, host=host, open_line=not proxied):
        warned = host != "127.0.0.1" and not proxied
        assert ("whoever sees the network can read" in caplog.text) is warned
