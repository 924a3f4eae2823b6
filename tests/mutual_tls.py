"""A door to Temporal as its servers have with mutual TLS: only who has a certificate of its authority gets in."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

#: What a key of a test is made of: each has five bits in HTTP/2's Huffman code, by this order (RFC 7541, appendix B).
_FIVE_BITS: Final = "012aceiost"
#: A key that fills whole bytes there, each eight of its characters five, as `Bearer ` before it does.
API_KEY: Final = "toast1oscat2seat"
#: What keeps the profile of an operator's machine out of it.
NOTHING: Final = {"TEMPORAL_CONFIG_FILE": os.devnull}


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as PEM files."""

    cert: Path
    key: Path


class Authority:
    """Whose certificates are trusted; `file` has its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.crt"
        signed = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file.write_bytes(signed)

    def issue(self, name: str) -> Identity:
        """Give the identity of a server on this machine, or of a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = Identity(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
        found.cert.write_bytes(self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, hosts))
        found.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return found

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self._key, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )


class Door:
    """Stands before the Temporal server at the port `target`, and remembers what clients said."""

    def __init__(self, target: int, server: Identity, trusted: Path) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server.cert, server.key)
        self._context.load_verify_locations(trusted)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.set_alpn_protocols(["h2"])
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0
        self.said = bytearray()
        self.names: set[str] = set()
        """Whose certificates were shown."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Be open inside the block."""
        server = await asyncio.start_server(self._let_in, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        shown = writer.get_extra_info("peercert")
        self.names |= {value for part in shown["subject"] for kind, value in part if kind == "commonName"}
        try:
            with suppress(ConnectionError):  # the server behind it is not up, or not any more
                inner_reader, inner = await asyncio.open_connection("127.0.0.1", self._target)
                await asyncio.gather(_carry(reader, inner, self.said), _carry(inner_reader, writer))
        finally:
            self._open.discard(task)
            writer.close()

    def heard(self, api_key: str) -> bool:
        """Whether a call came with this key."""
        return _on_the_wire(api_key) in self.said


def of_client(folder: Path, name: str = "client", authority: str = "authority") -> dict[str, str]:
    """Give the variables of whoever has a certificate."""
    return NOTHING | {
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(folder / f"{authority}.crt"),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(folder / f"{name}.crt"),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(folder / f"{name}.key"),
    }


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: bytearray | None = None) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                if copy is not None:
                    copy += data
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


def _on_the_wire(api_key: str) -> bytes:
    """Spell a key as HTTP/2 does inside a header."""
    bits = "".join(f"{_FIVE_BITS.index(character):05b}" for character in api_key)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
