"""Reads the PROXY protocol, versions 1 and 2: what a TCP proxy says, before all else, of where a connection comes from.

The specification is HAProxy's, `proxy-protocol.txt`.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, cast

from domain.proxies import Proxies
from gateway.socket_limits import LimitedSocket, Silent

_log = logging.getLogger(__name__)
_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
#: The longest header of version 1, and what version 2 may hold beside its first 16 bytes: addresses, and notes on them.
_LONGEST_LINE: Final = 107
_LONGEST_REST: Final = 4096
_FIRST: Final = 16
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
#: By family: how long the addresses and ports are, and how long the first of them, the client's.
_LENGTHS: Final = {_TCP4: (12, 4), _TCP6: (36, 16)}


class BadHeader(Exception):
    """What a connection begins with is no header."""


@dataclass(frozen=True)
class Said:
    """What a header says."""

    source: str | None
    """Where the connection comes from; None where the proxy does not know, or has made it itself."""


def read_header(begin: bytes) -> Said | int:
    """Read a header; of the beginning of one say how long it is at least. Raises BadHeader.

    Give it no more than it asked for: what follows a header is not the proxy's.
    """
    if len(begin) < len(_SIGNATURE):
        return len(_SIGNATURE)
    return _read_second(begin) if begin.startswith(_SIGNATURE) else _read_first(begin)


def _read_first(line: bytes) -> Said | int:
    if not line.startswith(b"PROXY ") or len(line) > _LONGEST_LINE:
        raise BadHeader
    if not line.endswith(b"\r\n"):
        return len(line) + 1
    words = line[:-2].decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":
        return Said(None)
    kind = {"TCP4": IPv4Address, "TCP6": IPv6Address}.get(words[1])
    if kind is None or len(words) != len(("PROXY", "TCP4", "from", "to", "port", "port")):
        raise BadHeader
    try:
        source, _ = kind(words[2]), kind(words[3])
    except ValueError:
        raise BadHeader from None
    if not all(port.isascii() and port.isdecimal() and int(port) < 1 << 16 for port in words[4:]):
        raise BadHeader
    return Said(str(source))


def _read_second(header: bytes) -> Said | int:
    if len(header) < _FIRST:
        return _FIRST
    command, family, rest = header[12], header[13], int.from_bytes(header[14:16], "big")
    if command not in {_LOCAL, _PROXY} or rest > _LONGEST_REST:
        raise BadHeader
    if len(header) < _FIRST + rest:
        return _FIRST + rest
    if command == _LOCAL or family not in _LENGTHS:  # what comes over no TCP has no address that counts here
        return Said(None)
    whole, source = _LENGTHS[family]
    if rest < whole:
        raise BadHeader
    packed = header[_FIRST : _FIRST + source]
    return Said(str(IPv4Address(packed) if family == _TCP4 else IPv6Address(packed)))


class HeaderReader(asyncio.BufferedProtocol):
    """Reads what a trusted proxy begins a connection with, and not a byte more: then it is the charger's, TLS and all.

    What comes from anybody else begins with no header. A proxy that says none, or says it too slowly, is cut off.
    """

    def __init__(
        self,
        charger: LimitedSocket,
        proxies: Proxies,
        silent: Silent,
        context: ssl.SSLContext | None,
        within: float,
    ) -> None:
        """Read for `charger`; with a `context` TLS follows. Each of both may take `within` seconds."""
        self._charger = charger
        self._proxies = proxies
        self._silent = silent
        self._tls: dict[str, Any] = {"ssl": context, "ssl_handshake_timeout": within} if context else {}
        self._within = within
        self._loop = asyncio.get_running_loop()
        self._clock: asyncio.TimerHandle | None = None
        self._begin = b""
        self._more = bytearray()
        self._length = len(_SIGNATURE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the header, where there is to be one."""
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if not peer or not self._proxies.trusts(peer[0]):
            self._hand_over()
            return
        self._clock = self._loop.call_later(self._within, transport.abort)
        self._silent.add(self, transport)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - it is known how much
        """Give room for what is missing of the header, as far as its length is known."""
        self._more = bytearray(self._length - len(self._begin))
        return self._more

    def buffer_updated(self, nbytes: int) -> None:
        """Take some of the header."""
        self._begin += self._more[:nbytes]
        if len(self._begin) < self._length:
            return
        try:
            found = read_header(self._begin)
        except BadHeader:
            peer = self._transport.get_extra_info("peername")
            _log.warning("The proxy at %s begins a connection without a PROXY header: it is closed.", peer[0])
            self._transport.abort()
            return
        if isinstance(found, Said):
            self._charger.told_of(found.source)
            self._hand_over()
        else:
            self._length = found

    def connection_lost(self, _exc: Exception | None) -> None:
        """Give the place back."""
        self._leave()

    def _leave(self) -> None:
        self._silent.remove(self)
        if self._clock is not None:
            self._clock.cancel()

    def _hand_over(self) -> None:
        """Let the charger's socket have the connection: as a copy, for ours may have no TLS put into it any more."""
        self._leave()
        try:
            copy = self._transport.get_extra_info("socket").dup()
        except OSError as error:
            _log.warning("A connection can't be held: %s", error.strerror)
        else:
            self._charger.opening = self._loop.create_task(self._open(copy))
        self._transport.abort()

    async def _open(self, copy: Any) -> None:
        with suppress(OSError):  # the other side is gone, or no good at TLS
            await self._loop.connect_accepted_socket(lambda: self._charger, copy, **self._tls)


def after_header(
    make: Callable[..., LimitedSocket],
    proxies: Proxies,
    silent: Silent,
    context: ssl.SSLContext | None,
    within: float,
) -> Callable[..., HeaderReader]:
    """Give what makes the protocol of a connection that may begin with a header, and then is one that `make` makes."""
    return lambda *args, **options: HeaderReader(make(*args, **options), proxies, silent, context, within)
