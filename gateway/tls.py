"""TLS at the gateway's port: the certificate, taken over anew when its files change."""

import asyncio
import logging
import ssl
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from domain.errors import ErrorCode, HandoverError

_log = logging.getLogger(__name__)


class BadCertificate(HandoverError):
    """The files are no certificate with its key."""

    code: ClassVar[ErrorCode] = ErrorCode.UNAVAILABLE


class Certificate:
    """The gateway's certificate. Listen with `context`: TLS 1.2 or later, in each handshake the newest certificate."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Read the certificate, with its chain, and its key, both PEM; raises BadCertificate."""
        self._cert = cert
        self._key = key
        self._seen = self._stamp()
        self._newest = self.context = self._read()
        self.context.sni_callback = self._hand_over  # is called without a server name, too

    def look(self) -> None:
        """Take changed files over for new connections; while they can't be used, the last good ones stay."""
        if (stamp := self._stamp()) == self._seen:
            return
        self._seen = stamp
        try:
            self._newest = self._read()
        except BadCertificate as bad:
            _log.warning("The changed certificate is not taken over, the one before stays in use. %s", bad.message)
        else:
            _log.info("The changed certificate is taken over for new connections.")

    async def watch(self, every: timedelta) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every.total_seconds())
            self.look()

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self._cert, self._key, password="")  # or OpenSSL would ask at the terminal
        except ssl.SSLError:
            fault = f"{self._cert} and {self._key} are no PEM certificate and its own key without a pass phrase"
        except OSError as error:
            fault = f"{self._cert} or {self._key} can't be read ({error.strerror})"
        else:
            return context
        raise BadCertificate(
            f"The gateway can't serve wss: {fault}; correct HANDOVER_GATEWAY_TLS_CERT and HANDOVER_GATEWAY_TLS_KEY, "
            "or unset both to serve ws."
        )

    def _hand_over(self, handshake: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._newest

    def _stamp(self) -> list[tuple[int, int, int] | None]:
        """Give what differs where a file was written or replaced; None for one that can't be seen."""
        stamps: list[tuple[int, int, int] | None] = []
        for file in (self._cert, self._key):
            try:
                found = file.stat()
                stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
            except OSError:
                stamps.append(None)
        return stamps
